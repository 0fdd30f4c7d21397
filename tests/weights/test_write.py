"""Weights written under the names of another library."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, fold_batch_norm, load_weights, write_weights
from resnet_builder.plan.network import make_plan
from resnet_builder.weights.expected import Target, expected_weights
from resnet_builder.weights.origins import LIBRARIES
from resnet_builder.weights.write import origin_for

from ..helpers import assert_same_weights, image_batch, randomised, relative_error, small
from .checkpoint_recipe import NETWORKS, description, preset_of, shapes_of


@pytest.mark.parametrize("network", [of for of in NETWORKS if of.partition("_")[0] in LIBRARIES])
def test_the_names_and_shapes_are_those_of_the_library(network: str) -> None:
    labels = description(network).get("id2label")
    changes: dict[str, Any] = {"classes": len(labels)} if labels else {}
    plan = make_plan(PRESETS[preset_of(network)].replace(**changes))
    target = Target(keras.Model(), "", expected_weights(plan))
    origin = origin_for(target, network.partition("_")[0])
    shapes = {}
    for (layer, variable), shape in target.expected.shapes.items():
        array = origin.array((layer, variable), np.broadcast_to(0, shape))
        shapes[origin.whole_tensor((layer, variable))] = array.shape
        if variable == "moving_mean":
            shapes[origin.whole_tensor((layer, "num_batches_tracked"))] = ()
    assert shapes == shapes_of(network)


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("preset", "names", "options"),
    [
        ("resnet50", "keras", {}),
        ("resnet50", "torchvision", {}),
        ("resnet50", "transformers", {}),
        ("seresnet50", "timm", {"layer_prefix": "left_"}),
        ("resnet50d", "timm", {"include_top": False}),
        ("resnet50_clip", "timm", {}),
        ("resnet50_clip_gap", "timm.byobnet", {}),
        ("resnext26ts", "timm.byobnet", {"group_width": 8}),
        ("regnety_002", "torchvision", {"repetitions": (1, 1, 1, 1), "filters": (8, 16, 24, 32)}),
        ("resnet50_v1", "keras.applications", {}),
    ],
)
def test_what_is_written_is_read(
    preset: str, names: str, options: dict[str, object], ending: str, tmp_path: Path
) -> None:
    model = randomised(small(preset, **options))
    written = write_weights(model, tmp_path / f"net{ending}", names=names)
    blank = ResnetBuilder.from_json(ResnetBuilder.to_json(model))
    source: Any = tmp_path / f"net{ending}"
    if ending == ".npz":
        source = dict(np.load(source))
    report = load_weights(blank, source)
    assert report.unused == ()
    assert_same_weights(blank, model)
    assert written.tensors >= report.tensors
    assert [path.name for path in tmp_path.iterdir()] == [f"net{ending}"]


@pytest.mark.convolutions
@pytest.mark.parametrize(
    ("theirs", "ours"), [("ResNet50", "resnet50_v1"), ("ResNet50V2", "resnet50_v2")]
)
def test_keras_applications_load_the_file(theirs: str, ours: str, tmp_path: Path) -> None:
    model = ResnetBuilder.from_preset(ours, (32, 32, 3), 5, classifier_activation=None)
    randomised(model)
    # The epsilons differ, which shows where a variance is small.
    norm = next(layer for layer in model.layers if hasattr(layer, "moving_variance"))
    norm.moving_variance.assign(np.full(norm.moving_variance.shape, 1e-6))
    write_weights(model, tmp_path / "net.h5", names="keras.applications")
    original = getattr(keras.applications, theirs)(
        weights=tmp_path / "net.h5",
        input_shape=(32, 32, 3),
        classes=5,
        classifier_activation=None,
    )
    x = image_batch(2, 32, 32, 3)
    assert relative_error(np.asarray(original(x)), np.asarray(model(x))) <= 1e-5


def test_a_variance_has_the_other_epsilon(tmp_path: Path) -> None:
    model = randomised(small("resnet18", batch_norm_epsilon=1e-3))
    write_weights(model, tmp_path / "net.npz", names="torchvision")
    variance = model.get_layer("stem_bn").moving_variance.numpy()
    with np.load(tmp_path / "net.npz") as written:
        expected = variance + 1e-3 - 1e-5
        np.testing.assert_allclose(written["bn1.running_var"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("preset", "names", "message"),
    [
        ("resnet50d", "torchvision", "no layer for stem_conv1, stem_bn1, stem_conv2"),
        ("resnet50_v1", "timm", "bottlenecks stride in their 3x3 convolution, these in the first"),
        ("ecaresnetlight", "torchvision", "no layer for stage1_block1_eca_conv"),
        ("plain20_cifar", "torchvision", "its networks have shortcuts"),
        ("resnet20_cifar", "timm", "no layer for stage2_block1_shortcut_pad"),
        ("resnetv2_50", "keras.applications", "no layer for head_bn"),
        ("keras_resnet18", "timm", "no layer for stem_bn"),
    ],
)
def test_a_network_that_the_library_does_not_have(
    preset: str, names: str, message: str, tmp_path: Path
) -> None:
    model = ResnetBuilder.from_preset(preset, (32, 32, 3), 5)
    with pytest.raises(ValueError, match=message):
        write_weights(model, tmp_path / "net.npz", names=names)
    assert not list(tmp_path.iterdir())


def test_bad_arguments(tmp_path: Path) -> None:
    model = small("resnet18")
    with pytest.raises(ValueError, match=r"must be one of \.safetensors, \.npz, \.h5"):
        write_weights(model, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=r"unknown names .pytorch.: choose from"):
        write_weights(model, tmp_path / "net.npz", names="pytorch")
    with pytest.raises(ValueError, match=r"a \.h5 is a file of Keras"):
        write_weights(model, tmp_path / "net.h5", names="timm")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_weights(model, tmp_path / "none" / "net.npz")


def test_kernels_that_are_no_longer_standardised(tmp_path: Path) -> None:
    model = small("resnetv2_50x1_bit", norm_groups=4)
    with pytest.raises(ValueError, match="the kernel of stem_stdconv is not standardised"):
        write_weights(model, tmp_path / "net.npz", names="timm")
    assert write_weights(model, tmp_path / "net.npz").tensors == len(model.weights)


@pytest.mark.tensorflow  # JAX has no float64 by default
@pytest.mark.parametrize(("ending", "names"), [(".npz", "timm"), (".h5", "keras")])
def test_double_precision_is_kept(ending: str, names: str, tmp_path: Path) -> None:
    model = randomised(small("resnet18", dtype="float64"))
    write_weights(model, tmp_path / f"net{ending}", names=names)
    blank = small("resnet18", dtype="float64")
    load_weights(blank, tmp_path / f"net{ending}")
    assert_same_weights(blank, model)


def standardize(kernel: keras.Variable, scale: float, epsilon: float) -> None:
    """The kernel as timm computes with it, of a kernel of that scale."""
    given = scale * kernel.numpy().astype("float64")
    mean, variance = given.mean((0, 1, 2)), given.var((0, 1, 2))
    kernel.assign((given - mean) / np.sqrt(variance + epsilon))


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_standardised_kernels_are_read_as_they_were(scale: float, tmp_path: Path) -> None:
    model, blank = (small("resnetv2_50x1_bit", norm_groups=4) for _ in range(2))
    kernels = [of for of in model.weights if "stdconv" in of.path]
    for kernel in kernels:
        standardize(kernel, scale, epsilon=1e-8)
    write_weights(model, tmp_path / "net.npz", names="timm")
    load_weights(blank, dict(np.load(tmp_path / "net.npz")))
    for kernel, read in zip(model.weights, blank.weights, strict=True):
        np.testing.assert_allclose(read.numpy(), kernel.numpy(), rtol=1e-6, atol=1e-6)


def test_a_folded_network(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="convolutions have no bias, and stem_conv has one"):
        write_weights(fold_batch_norm(small("resnet18")), tmp_path / "net.npz", names="timm")


def test_what_the_names_do_not_show_is_noted(tmp_path: Path) -> None:
    model = small("resnet18", activation="silu", padding="same")
    written = write_weights(model, tmp_path / "net.npz", names="torchvision")
    assert [note.split(":")[0] for note in written.notes] == [
        "the names do not show activation='silu'",
        "the names do not show padding='same'",
    ]
