"""Names that are not the network's, parts that are missing, and several networks in one file."""

from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import PRESETS, ResnetBuilder, ResnetConfig, load_weights
from resnet_builder.files.checkpoint import Checkpoint
from resnet_builder.plan.network import Head, make_plan
from resnet_builder.presets.resolve import resolve
from resnet_builder.weights import load as loading
from resnet_builder.weights.expected import expected_weights
from resnet_builder.weights.match import Match, match
from resnet_builder.weights.naming import Origin
from resnet_builder.weights.origins import ORIGINS, is_never_weight
from resnet_builder.weights.recognise import recognise

from ..helpers import SMALL, assert_same_weights, image_batch, randomised, small
from .checkpoint_recipe import Array, as_torchvision


def torch_names(preset: str = "resnet18", **fields: Any) -> dict[str, Array]:
    """A checkpoint of the small network as torchvision would have it."""
    return as_torchvision(resolve(preset).config.replace(**SMALL | fields))


def with_head(name: str, prefix: str = "", **fields: Any) -> dict[str, Array]:
    """The checkpoint with its classifier under another name."""
    return {
        f"{name}.{tensor[3:]}" if tensor.startswith("fc.") else prefix + tensor: array
        for tensor, array in torch_names(**fields).items()
    }


def refusal(model: keras.Model, source: Any, **options: Any) -> str:
    before = model.get_weights()
    with pytest.raises(ValueError, match="cannot load") as raised:
        load_weights(model, source, **options)
    assert_same_weights(model, before)
    return str(raised.value)


# The classifier ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "prefix"),
    [
        *((name, "backbone.") for name in ("head.1", "fc.1", "classifier.1")),
        *((name, "") for name in ("linear", "last_linear", "head.fc", "fc.1")),
    ],
)
def test_a_classifier_of_another_name_is_named(head: str, prefix: str) -> None:
    arrays, model = with_head(head, prefix), small()
    [*_, last] = refusal(model, arrays).splitlines()
    rename = {head: f"{prefix}fc"}
    assert last == (
        f"Its {head!r} has the shape of a classifier: build the model, and "
        f"load_weights(model, ..., rename={rename})."
    )
    report = load_weights(model, arrays, rename=rename)
    assert_same_weights(model, small(weights=torch_names()))
    assert not report.unused
    # The name of the network's own classifier is clear without its prefix.
    assert not load_weights(model, arrays, rename={head: "fc"}).unused


def test_classifiers_that_are_two_or_of_other_classes() -> None:
    two = with_head("head") | {"aux.weight": np.zeros((5, 16)), "aux.bias": np.zeros(5)}
    last = refusal(small(), two).splitlines()[-1]
    assert "'head' and 'aux' have the shape" in last or "'aux' and 'head' have the shape" in last
    last = refusal(small(), with_head("head", classes=7)).splitlines()[-1]
    assert last.endswith("rename={'head': 'fc'}) with classes=7.")


@pytest.mark.parametrize(
    "head",
    [
        {"fc.weight": (5, 16)},
        {"fc.weight_g": (5, 1), "fc.weight_v": (5, 16), "fc.bias": (5,)},
        {"fc.0.weight": (9, 16), "fc.0.bias": (9,), "fc.2.weight": (5, 9), "fc.2.bias": (5,)},
        {"head.fc.weight": (5, 16), "head.fc.bias": (5,)},
        {"projector.0.weight": (9, 16), "projector.1.running_mean": (9,)},
    ],
)
def test_heads_that_are_left_where_the_classifier_is_random(head: dict[str, Any]) -> None:
    body = {name: array for name, array in torch_names().items() if not name.startswith("fc.")}
    arrays = body | {name: np.zeros(shape, np.float32) for name, shape in head.items()}
    model = small()
    refusal(model, arrays)
    report = load_weights(model, arrays, adapt=True)
    assert report.left_random == ("predictions/kernel", "predictions/bias")
    assert set(report.unused) == set(head)
    assert any("'head.fc'" in note or "head.fc" in note for note in report.notes) == (
        "head.fc.bias" in head
    )
    with pytest.raises(ValueError, match=r"unexpected: layer1\.0\.odd"):
        load_weights(model, arrays | {"layer1.0.odd": np.zeros(3)}, adapt=True)


def test_the_networks_that_are_left_are_named() -> None:
    prefixes = ("model.", "model_ema.", "teacher.")
    arrays = {before + name: of for before in prefixes for name, of in torch_names().items()}
    [note] = load_weights(small(), arrays).notes
    assert note.startswith(
        "of its equal networks, model. was loaded, and model_ema., teacher. left"
    )


def test_a_head_of_the_network_that_is_loaded_and_not_of_its_average() -> None:
    live = with_head("model.head", "model.backbone.")
    average = {f"ema.{name.partition('.')[2]}": array + 1 for name, array in live.items()}
    model, both = small(), live | average
    for ema, part in ((False, "model"), (True, "ema")):
        rename = {f"{part}.head": f"{part}.backbone.fc"}
        last = refusal(model, both, ema=ema).splitlines()[-1]
        assert last.startswith(f"Its '{part}.head' has the shape of a classifier")
        assert last.endswith(f"rename={rename}).")
        assert not load_weights(model, both, ema=ema, rename=rename).left_random
    # The head of one with the blocks of the other: nothing is to be skipped, and it is reported.
    mixed: dict[str, Any] = {"ema": True, "rename": {"model.head": "ema.backbone.fc"}}
    last = refusal(model, both, **mixed).splitlines()[-1]
    assert last.endswith("rename={'ema.head': 'ema.backbone.fc'}).")
    report = load_weights(model, both, **mixed, skip="ema.head.*")
    assert "the classifier is model.head, of another network than ema.backbone." in report.notes


@pytest.mark.parametrize(
    ("last", "prefix"), [("fc.0 fc.2", "module.encoder_q."), ("heads.0 heads.1", "net.")]
)
def test_a_projection_is_no_classifier(last: str, prefix: str) -> None:
    """MoCo (moco/builder.py): what one layer gives, the next one takes; heads of tasks do not."""
    arrays = {
        f"{prefix}{name}": array for name, array in torch_names().items() if "fc." not in name
    }
    first, second = (prefix + name for name in last.split())
    arrays |= {f"{first}.weight": np.zeros((16, 16), np.float32), f"{first}.bias": np.zeros(16)}
    arrays |= {f"{second}.weight": np.zeros((5, 16), np.float32), f"{second}.bias": np.zeros(5)}
    if "heads" in last:
        arrays |= {f"{first}.weight": np.zeros((7, 16), np.float32), f"{first}.bias": np.zeros(7)}
    message = refusal(small(), arrays)
    if "heads" in last:
        assert message.endswith(f"rename={{{second!r}: '{prefix}fc'}}).")
        return
    assert message.splitlines()[-2:] == [
        "With adapt=True it fits: the classifier is left as it was: the checkpoint has none.",
        "It fits the network without its classifier (include_top=False).",
    ]
    assert not load_weights(small(), arrays, adapt=True).notes


def test_the_head_of_a_nested_network() -> None:
    body = small(include_top=False)
    trained = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            body,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5, activation="softmax", name="dense"),
        ]
    )
    randomised(trained)
    maps = small(features=("stage2", "predictions"))
    call = r"rename=\{'dense': 'resnet18/predictions'\}\)\.$"
    with pytest.raises(ValueError, match=call):
        small(features=("stage2", "predictions"), weights=trained)
    assert not load_weights(maps, trained, rename={"dense": "resnet18/predictions"}).unused
    images = image_batch(2, 16, 16, 3)
    np.testing.assert_allclose(maps(images)["predictions"], trained(images), atol=1e-6)


# What training leaves beside the network ---------------------------------------------------------

BESIDE = (
    *("optimizer.state.0.momentum_buffer", "criterion.weight", "optimizer_states.0.exp_avg"),
    *("train_acc.tp", "layer1.0.conv1.total_ops", "total_params", "n_averaged", "val_acc.confmat"),
    *("scaler.scale", "lr_schedulers.0.rate", "loss_fn.pos_weight", "rng_state"),
)


@pytest.mark.parametrize("key", ["net.", "model_state.", "weights.", "student.", ""])
def test_what_never_is_a_weight_is_left(key: str) -> None:
    beside = {name: np.ones((2, 2), np.float32) for name in BESIDE}
    arrays = {key + name: array for name, array in torch_names().items()} | beside
    model = small()
    report = load_weights(model, arrays)
    assert_same_weights(model, small(weights=torch_names()))
    assert set(report.unused) == set(BESIDE)
    assert report.prefix == key


def test_no_weight_of_any_network_is_taken_for_one_of_training() -> None:
    for number, preset in enumerate(reduced_presets()):
        weights = expected_weights(make_plan(preset)).shapes
        origin = ORIGINS[number % len(ORIGINS)]
        assert not [w for w in weights if is_never_weight("backbone." + origin.tensor(w))]


# rename ------------------------------------------------------------------------------------------


def test_names_that_a_function_knows() -> None:
    arrays = {f"a.{name.replace('layer', 'stage')}": of for name, of in torch_names().items()}
    model = small()
    assert "of a known origin" in refusal(model, arrays)
    report = load_weights(model, arrays, rename=lambda name: name[2:].replace("stage", "layer"))
    assert_same_weights(model, small(weights=torch_names()))
    assert report.prefix == ""
    # Reports and skip have the file's own names.
    extra = arrays | {"a.odd": np.zeros(3)}
    back: Any = {"a.stage1": "layer1", "a.stage2": "layer2", "a": ""}
    assert load_weights(model, extra, rename=back, skip="a.odd").unused == ("a.odd",)


def test_a_rename_that_makes_no_sense() -> None:
    model, arrays = small(), torch_names()
    for rename, error, message in (
        ({"fx": "fc"}, ValueError, r"rename=\{'fx': \.\.\.\} begins no name in the dict, which"),
        ({"f": "g"}, ValueError, "begins no name"),  # only whole parts of names
        ({"bn1": "fc"}, ValueError, r"gives .* the same name 'fc\.weight'"),
        ({"fc": 3}, TypeError, "rename takes a dict of the file's names"),
        (3, TypeError, "or a function of a name; not 3"),
        (lambda name: 3, TypeError, "rename returned 3 for"),
        (lambda name: None, ValueError, "rename changes no name"),
    ):
        with pytest.raises(error, match=message):
            load_weights(model, arrays, rename=rename)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"skip takes patterns of names, .*, not 5"):
        load_weights(model, arrays, skip=5)  # type: ignore[arg-type]


# missing -----------------------------------------------------------------------------------------


def test_a_plain_checkpoint_in_a_larger_network() -> None:
    model = small(se_ratio=0.25)
    before = model.get_layer("stage1_block1_se_reduce").kernel.numpy()
    refusal(model, torch_names())
    report = load_weights(model, torch_names(), missing="keep")
    assert report.left_random[0] == "stage1_block1_se_reduce/kernel"
    assert len(report.left_random) == 8
    assert report.tensors == len(model.weights) - 8
    assert "left as they were: 8 weights of stage1_block1_se_reduce" in str(report)
    np.testing.assert_array_equal(model.get_layer("stage1_block1_se_reduce").kernel, before)
    np.testing.assert_array_equal(
        model.get_layer("predictions").bias.numpy(), torch_names()["fc.bias"]
    )
    # Settings of the layers that are loaded are compared all the same.
    assert load_weights(model, small(), missing="keep").tensors == report.tensors
    with pytest.raises(ValueError, match=r"unexpected: layer1\.0\.odd"):
        load_weights(model, torch_names() | {"layer1.0.odd": np.zeros(3)}, missing="keep")
    with pytest.raises(ValueError, match="shape: conv1"):
        load_weights(small(stem="cifar"), torch_names(), missing="keep")
    with pytest.raises(ValueError, match="unknown missing 'kept': did you mean 'keep'"):
        load_weights(model, torch_names(), missing="kept")  # type: ignore[arg-type]


def test_nothing_that_could_be_loaded() -> None:
    body = {name: array for name, array in torch_names().items() if name.startswith("layer9")}
    arrays = body | {f"layer9.{n}.conv1.weight": np.zeros((8, 8, 3, 3)) for n in range(3)}
    with pytest.raises(ValueError, match="cannot load"):
        load_weights(small(), arrays, missing="keep", skip=["layer9.0.*"])
    with pytest.raises(ValueError, match="it has no tensors, or all are skipped"):
        load_weights(small(), torch_names(), missing="keep", skip="*")
    with pytest.raises(TypeError, match="weights come from a file"):
        load_weights(small(), keras.Model)


# Several networks --------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [18, 34])
def test_of_several_networks_the_one_that_fits_is_named(depth: int) -> None:
    fields: dict[int, dict[str, Any]] = {18: {}, 34: {"repetitions": (2, 2)}}
    names = {18: "student", 34: "teacher"}
    arrays = {
        f"{names[of]}.{name}": array
        for of in fields
        for name, array in torch_names(**fields[of]).items()
    }
    [other] = fields.keys() - {depth}
    message = refusal(small(**fields[depth]), arrays)
    skip = [f"{names[other]}.*"]
    assert message.endswith(
        f"of which {names[depth]}. fits: leave out all but one with load_weights(..., skip={skip}) "
        f"for {names[depth]}."
    )
    load_weights(small(**fields[depth]), arrays, skip=skip)
    message = refusal(small(filters=16), arrays)
    assert message.endswith(
        "none of them fits: leave out all but one with load_weights(..., skip=)"
    )


def test_the_network_with_a_prefix_fits_and_the_one_without_does_not() -> None:
    arrays = torch_names(repetitions=(2, 2)) | {f"ema.{k}": v for k, v in torch_names().items()}
    message = refusal(small(), arrays)
    skip = ["conv1.*", "bn1.*", "layer1.*", "layer2.*", "fc.*"]
    assert message.endswith(f"skip={skip}) for ema.")
    load_weights(small(), arrays, skip=skip)


def test_no_long_list_is_cut_in_the_middle_of_a_call() -> None:
    own = {weight.path: weight.numpy() for weight in small().weights}
    nested = {f"second/{name}": array for name, array in own.items()}
    message = refusal(small(), own | nested)
    assert message.endswith("all but one with load_weights(..., skip=['second/*']) for no prefix")


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, ", ...")])
def test_the_prefixes_that_are_listed(count: int, more: str) -> None:
    arrays = {f"m{n}.{k}": v for n in range(count) for k, v in torch_names().items()}
    assert f"m0., m1., m2., m3., m4.{more}: leave out" in refusal(small(), arrays)


# Strides, biases, feature maps -------------------------------------------------------------------


def test_the_preset_with_the_strides_of_a_file_is_named() -> None:
    arrays = as_torchvision(resolve("resnet50").config.replace(classes=3, input_shape=(32, 32, 3)))
    last = refusal(ResnetBuilder.from_preset("resnet50_v1", (32, 32, 3), 3), arrays).splitlines()
    assert last[2].startswith("It fits resnet50 or ")
    assert last[2].endswith(", whose bottlenecks stride in their 3x3 convolution.")


def test_strides_that_names_do_not_show() -> None:
    message = refusal(small("resnet50_v1"), torch_names("resnet50"))
    assert message.splitlines()[1:] == [
        "strides: bottlenecks stride in their first 1x1 convolution, and in torchvision's or "
        "timm's ResNet in the 3x3 convolution; the names and shapes do not show it",
        "It fits the network that is built with the other stride_in_3x3, whose bottlenecks stride "
        "in their 3x3 convolution.",
        "If the file's bottlenecks stride in their first 1x1 convolution, which only its source "
        "can say, load it with load_weights(..., stride_in_3x3=False).",
    ]
    report = load_weights(small("resnet50_v1"), torch_names("resnet50"), stride_in_3x3=False)
    assert report.origin == "torchvision's or timm's ResNet"
    with pytest.raises(ValueError, match=r"3x3 convolution, and in torchvision.*first 1x1"):
        load_weights(small("resnet50"), torch_names("resnet50"), stride_in_3x3=False)
    with pytest.raises(TypeError, match="stride_in_3x3 must be True or False, got 1"):
        load_weights(small("resnet50"), torch_names("resnet50"), stride_in_3x3=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", ["resnet18", "resnetv2_18", "resnet50"])
def test_biases_before_a_norm_are_folded_into_its_mean(preset: str) -> None:
    """gamma * (conv(x) + b - mean) / s + beta, where a norm follows directly."""
    biased = randomised(small(preset, use_bias=True))
    plain, images = small(preset), image_batch(2, 16, 16, 3)
    arrays = {weight.path: weight.numpy() for weight in biased.weights}
    norms = expected_weights(make_plan(resolve(preset).config.replace(**SMALL))).norms
    kept = {
        name: array
        for name, array in arrays.items()
        if not name.endswith("/bias") or name.split("/")[0] in {*norms, "predictions"}
    }
    report = load_weights(plain, kept)
    assert report.adapted == (f"{len(norms)} biases of convolutions into batch norm",)
    without = {name: 0 * of if name not in kept else of for name, of in arrays.items()}
    load_weights(biased, without)
    np.testing.assert_allclose(plain(images), biased(images), rtol=1e-4, atol=1e-6)
    if preset == "resnetv2_18":  # of which the last convolution of a block has no norm
        with pytest.raises(ValueError, match="unexpected: stage1_block1_conv2/bias"):
            load_weights(plain, arrays)


@pytest.mark.parametrize("names", ["own", "torch"])
def test_a_stem_without_the_convolution_in_place_of_its_pool(names: str) -> None:
    whole = small("resnetrs50")
    arrays = {weight.path: weight.numpy() for weight in whole.weights}
    if names == "torch":
        arrays = torch_names("resnetrs50")
    stem = small("resnetrs50", features=("stem",))
    unused = load_weights(stem, arrays).unused
    assert {name.partition("/")[0].partition(".")[0] for name in unused} >= (
        {"stem_pool_conv", "stem_pool_bn"} if names == "own" else {"maxpool", "layer1"}
    )


def named_by(origin: Origin, config: ResnetConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's weights in a library, all shapes (1,)."""
    weights = expected_weights(make_plan(config)).shapes
    return {origin.tensor(weight): shape for weight, shape in weights.items()}


@pytest.mark.parametrize(
    ("origin", "preset"),
    [
        ("timm's ResNetV2", "resnetv2_50"),
        ("keras.applications' ResNet", "resnet50_v1"),
        ("keras-hub's ResNet", "resnet50"),
        ("torchvision's or timm's ResNet", "resnet50"),
    ],
)
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_stages_that_are_not_counted_from_one(origin: str, preset: str, stage: int) -> None:
    [library] = [of for of in ORIGINS if of.name == origin]
    config = PRESETS[preset].replace(filters=8, repetitions=(1, 1, 1, 1))
    plan = make_plan(config)
    cut = {layer.name for of in plan.stages[:stage] for layer in of.layers} | {
        layer.name for unit in plan.stem for layer in unit
    }
    whole, expected = expected_weights(plan), expected_weights(plan, cut)
    arrays = {library.tensor(w): np.zeros(s) for w, s in whole.shapes.items()}
    checkpoint = Checkpoint("the dict", {n: a.shape for n, a in arrays.items()}, arrays.get)  # type: ignore[arg-type]
    matched = match(recognise(checkpoint, expected), expected, adapt=False)
    kinds = {problem.kind for problem in matched.problems}
    assert "unexpected" not in kinds
    assert set(matched.unused) == {library.tensor(w) for w in whole.shapes if w[0] not in cut}


# What is read is loaded or reported --------------------------------------------------------------


@cache
def reduced_presets() -> list[ResnetConfig]:
    """All presets, of which those that differ in size alone are one."""
    shallow = {
        config.replace(
            repetitions=(1,) * len(config.repetitions),
            filters=32,
            widths=None,
            width_per_group=64,
            group_width=config.group_width and 16,
            stem_filters=None,
            norm_groups=32 if config.norm == "batch" else 4,
            input_shape=(64, 64, 3),
            classes=10,
        )
        for config in PRESETS.values()
        if not config.widths
    }
    return sorted(shallow, key=repr)


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin.name)
def test_every_tensor_is_loaded_or_reported(origin: Origin) -> None:
    junk = {"optimizer.state.0": (3,), "layer1.0.bn1.num_batches_tracked": ()}
    for number, config in enumerate(reduced_presets()[ORIGINS.index(origin) % 3 :: 3]):
        include_top = number % 2 == 0
        expected = expected_weights(make_plan(config, Head(include_top=include_top)))
        names = {f"m.{name}": shape for name, shape in named_by(origin, config).items()}
        checkpoint = Checkpoint("the dict", names | junk, lambda name: np.zeros(1))
        found = recognise(checkpoint, expected)
        matched = match(found, expected, adapt=False)
        read = {t for of in matched.assignments for t in (of.tensor, of.bias) if t}
        accounted = {found.names[tensor] for tensor in read} | set(matched.unused)
        lost = {name for name in checkpoint.shapes if not origin.is_ignored(name)} - accounted
        assert not lost or matched.problems
        assert not accounted - checkpoint.shapes.keys()


def test_a_tensor_that_is_lost_is_a_fault_of_this_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*given: Any, **options: Any) -> Match:
        return replace(match(*given, **options), unused=())

    monkeypatch.setattr(loading, "match", forgetful)
    with pytest.raises(AssertionError, match=r"neither loaded nor reported.*criterion"):
        load_weights(small(), torch_names() | {"criterion.weight": np.zeros(3)})
