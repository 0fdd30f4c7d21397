"""Networks by the name of a checkpoint, and the number of classes of a checkpoint."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from resnet_builder import (
    PRESETS,
    ResnetBuilder,
    compare,
    decode,
    feature_info,
    load_weights,
    plot,
    preprocessing,
    profile,
    save_pretrained,
)
from resnet_builder.files import opening as fetching
from resnet_builder.files.opening import cached_name
from resnet_builder.plan.network import make_plan
from resnet_builder.presets import resolve as repositories
from resnet_builder.presets.checkpoints import in_table, published
from resnet_builder.presets.resolve import resolve
from resnet_builder.weights.expected import expected_weights
from resnet_builder.weights.origins import ORIGINS

from ..helpers import assert_same_weights
from .checkpoint_recipe import as_torchvision, checkpoint, description

SMALL: dict[str, Any] = {"repetitions": (1, 1), "filters": 8}


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The repositories asked for; every one has torchvision's ResNet-18."""
    path = tmp_path / "model.safetensors"
    save_file(checkpoint("torchvision_resnet18"), path)
    asked: list[str] = []

    def download(repository: str) -> Path:
        asked.append(repository)
        return path

    monkeypatch.setattr(fetching, "from_hub", download)
    return asked


def arrays(**options: Any) -> dict[str, Any]:
    """A checkpoint of a small network with five classes."""
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5, **SMALL | options)
    return {weight.path: weight.numpy() for weight in model.weights}


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("resnet18.a3_in1k", "timm/resnet18.a3_in1k"),
        ("timm/resnet18.a3_in1k", "timm/resnet18.a3_in1k"),
        ("timm/resnet18.a3_in1k@v1", "timm/resnet18.a3_in1k@v1"),
    ],
)
def test_a_name_loads_its_checkpoint(name: str, repository: str, downloads: list[str]) -> None:
    model = ResnetBuilder.from_preset(name)
    assert downloads == [repository]
    assert model.name == "resnet18.a3_in1k"
    assert model.input_shape == (None, 160, 160, 3)  # timm models/resnet.py
    assert model.output_shape == (None, 1000)
    expected = ResnetBuilder.from_preset("resnet18", weights=checkpoint("torchvision_resnet18"))
    assert_same_weights(model, expected)
    load_weights(expected, name)
    assert downloads == [repository] * 2


@pytest.mark.parametrize("option", ["ema", "skip", "rename", "missing", "epsilon"])
def test_options_of_load_weights(option: str) -> None:
    given: dict[str, Any] = {option: "ema.*"}
    with pytest.raises(TypeError, match=rf"{option} is an option of load_weights: build the model"):
        ResnetBuilder.from_preset("resnet18", weights="resnet18.tv_in1k", **given)
    with pytest.raises(TypeError, match="it is adapt_weights in from_preset"):
        ResnetBuilder.from_preset("resnet18", weights="resnet18.tv_in1k", adapt=True)  # type: ignore[call-arg]


def test_a_checkpoint_without_a_classifier_is_refused_before_its_download(
    downloads: list[str],
) -> None:
    for name, weights in (("resnet50", "features"), ("resnet50.dino", None)):
        with pytest.raises(
            ValueError, match=r"'resnet50\.dino' has no classifier: give include_top"
        ):
            ResnetBuilder.from_preset(name, weights=weights)
    assert downloads == []


def test_options_of_a_named_checkpoint(downloads: list[str]) -> None:
    name = "resnet18.tv_in1k"
    maps = ResnetBuilder.from_preset(name, (32, 32, 3), features=("stage4",), layer_prefix="a_")
    assert maps.name == "a_resnet18.tv_in1k"
    with pytest.raises(ValueError, match=r"shape: fc\.weight"):
        ResnetBuilder.from_preset(name, (32, 32, 3), classes=10)
    model = ResnetBuilder.from_preset(name, (32, 32, 1), classes=10, adapt_weights=True)
    assert model.output_shape == (None, 10)
    assert downloads == ["timm/resnet18.tv_in1k"] * 3
    own = ResnetBuilder.from_preset(name, (32, 32, 3), weights=arrays(), **SMALL)
    assert own.output_shape == (None, 5)
    assert len(downloads) == 3


def test_what_describes_a_network_downloads_nothing(downloads: list[str]) -> None:
    counts = profile("timm/resnet101d.ra2_in1k")
    assert (counts.name, counts.input_shape) == ("resnet101d.ra2_in1k", (256, 256, 3))
    assert profile("resnet50.bamboo").parameters == profile("resnet50").parameters
    assert not compare("resnet18.a1_in1k", "resnet18").differences
    assert "dense, 1000" in plot("resnet18.a1_in1k").dot
    assert "dense, 7" in plot("resnet18.a1_in1k", classes=7).dot
    assert downloads == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18.a9_in1k", r"unknown checkpoint 'resnet18.a9_in1k': did you mean"),
        ("resnet19.a1_in1k", r"unknown preset 'resnet19.a1_in1k'"),
        ("./resnet18", r"unknown preset './resnet18': there is no such file or folder"),
        ("no/such/folder", r"unknown preset 'no/such/folder': there is no such file or folder"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    for use in (ResnetBuilder.from_preset, profile, plot):
        with pytest.raises(ValueError, match=message):
            use(name)


def test_a_repository_that_is_not_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"input_size": [3, 32, 48], "mean": [0.5] * 3, "std": [0.5] * 3, "tag": "mine"}
    config = {"architecture": "resnet18", "num_classes": 1000, "pretrained_cfg": settings}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(checkpoint("torchvision_resnet18"), tmp_path / "model.safetensors")

    def download(repository: str, files: tuple[str, ...] = ("model.safetensors",)) -> Path:
        assert repository == "me/net@main"
        return tmp_path / files[0]

    monkeypatch.setattr(repositories, "download", download)
    monkeypatch.setattr(fetching, "from_hub", download)
    assert profile("me/net@main").input_shape == (32, 48, 3)
    model = ResnetBuilder.from_preset("me/net@main")
    assert (model.name, model.input_shape) == ("resnet18.mine", (None, 32, 48, 3))
    gamma = checkpoint("torchvision_resnet18")["bn1.weight"]
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, gamma)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_classes": 7}))
    assert profile("me/net@main").stages[-1].parameters == 7 * (512 + 1)
    (tmp_path / "config.json").write_text(json.dumps(config | {"architecture": "vgg11"}))
    with pytest.raises(ValueError, match="unknown preset 'vgg11'"):
        profile("me/net@main")


def test_the_classes_are_the_checkpoints() -> None:
    five = arrays()
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), weights=five, **SMALL)
    assert model.output_shape == (None, 5)
    named_as_torchvision = {"fc.weight": np.zeros((7, 512)), "fc.bias": np.zeros(7)}
    seven = checkpoint("torchvision_resnet18") | named_as_torchvision
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), weights=seven)
    assert model.output_shape == (None, 7)
    with pytest.raises(ValueError, match=r"predictions/kernel \(16, 5\)"):
        ResnetBuilder.from_preset("resnet18", (32, 32, 3), 6, weights=five, **SMALL)
    six = ResnetBuilder.from_preset(
        "resnet18", (32, 32, 3), 6, weights=five, adapt_weights=True, **SMALL
    )
    assert six.output_shape == (None, 6)
    headless = {name: array for name, array in five.items() if "predictions" not in name}
    options: dict[str, Any] = {"input_shape": (32, 32, 3), "weights": headless, **SMALL}
    with pytest.raises(ValueError, match="missing: predictions/kernel"):
        ResnetBuilder.from_preset("resnet18", **options)
    model = ResnetBuilder.from_preset("resnet18", **options, adapt_weights=True)
    assert model.output_shape == (None, 1000)


def test_imagenet_weights_of_another_size_than_the_presets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its only checkpoint is of 256x256.
    options: dict[str, Any] = {"repetitions": (1,), "filters": 8}
    small = ResnetBuilder.from_preset("resnet200d", **options)
    file = tmp_path / "model.safetensors"
    save_file({weight.path: weight.numpy() for weight in small.weights}, file)
    monkeypatch.setattr(fetching, "from_hub", lambda _: file)
    model = ResnetBuilder.from_preset(
        "resnet200d", weights="imagenet", data_format="channels_first", **options
    )
    assert model.input_shape == (None, 3, 256, 256)
    prepare = preprocessing("resnet200d", data_format="channels_first")
    assert prepare(np.zeros((1, 3, 300, 400))).shape[1:] == model.input_shape[1:]


class Server:
    """keras.utils.get_file, with one file."""

    def __init__(self, file: Path) -> None:
        self.file, self.asked = file, ""
        self.error: Exception | None = None

    def get_file(self, fname: str, *, origin: str, cache_subdir: str) -> str:
        self.asked = origin
        if self.error:
            raise self.error
        return str(self.file)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server(tmp_path / "resnet18-f37072fd.safetensors")
    save_file(checkpoint("torchvision_resnet18"), found.file)
    monkeypatch.setattr(keras.utils, "get_file", found.get_file)
    return found


def test_a_checkpoint_at_a_url(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    name, url = (
        "resnet18.IMAGENET1K_V1",
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    )
    digest = hashlib.sha256(server.file.read_bytes()).hexdigest()
    row = in_table(name)
    assert row
    row = replace(row, checksum=f"sha256:{digest[:8]}")
    monkeypatch.setattr(repositories, "in_table", lambda source: row)
    model = ResnetBuilder.from_preset(name, (32, 32, 3))
    assert server.asked == url
    gamma = checkpoint("torchvision_resnet18")["bn1.weight"]
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, gamma)


def test_files_of_several_projects_do_not_share_a_place_in_the_cache() -> None:
    rows = [row for row in published() if "://" in row.source]
    names = [cached_name(row) for row in rows]
    assert len(set(names)) == len(names) > len({row.source.rpartition("/")[2] for row in rows})
    # The libraries' own caches hold these files under these names.
    assert "resnet50_weights_tf_dim_ordering_tf_kernels.h5" in names


def test_a_broken_download_from_a_url(server: Server) -> None:
    server.file.write_bytes(b"of no format: opening it would say so")
    with pytest.raises(ValueError, match=r"is broken: its SHA-256 is \w+, not f37072fd"):
        ResnetBuilder.from_preset("resnet18.IMAGENET1K_V1", (32, 32, 3))
    assert not server.file.exists()
    server.error = Exception("URL fetch failure: 404")
    message = "'resnet18.IMAGENET1K_V1' is not in the cache and cannot be downloaded"
    with pytest.raises(ConnectionError, match=message):
        ResnetBuilder.from_preset("resnet18.IMAGENET1K_V1", (32, 32, 3))
    server.error = PermissionError("the cache")
    with pytest.raises(PermissionError, match="the cache"):
        ResnetBuilder.from_preset("resnet18.IMAGENET1K_V1", (32, 32, 3))


@pytest.mark.parametrize("weights", ["timm/resnet18.a1_in1k", "resnet18.a1_in1k"])
def test_a_checkpoint_of_another_network_of_the_same_shapes_is_refused(
    weights: str, downloads: list[str]
) -> None:
    # Both have the names and shapes of resnetblur18, and other strides.
    with pytest.raises(ValueError, match="is a checkpoint of 'resnet18', not of 'resnetblur18'"):
        ResnetBuilder.from_preset("resnetblur18", weights=weights)
    assert downloads == []
    changed = ResnetBuilder.from_preset(
        "resnetblur18", (32, 32, 3), anti_aliasing=None, weights=weights
    )
    expected = ResnetBuilder.from_preset("resnet18", (32, 32, 3), weights=weights)
    assert_same_weights(changed, expected)


# Folders with a repository's files --------------------------------------------------------------

SETTINGS: dict[str, Any] = {"input_size": [3, 32, 48], "mean": [0.5] * 3, "std": [0.5] * 3}


def folder_of(folder: Path, model_args: Any, **settings: Any) -> str:
    """A folder as timm's save_for_hf writes it."""
    config = {"architecture": "resnet18", "num_classes": 1000, "global_pool": "max"}
    config |= {"model_args": model_args, "pretrained_cfg": SETTINGS} | settings
    (folder / "config.json").write_text(json.dumps(config))
    save_file(checkpoint("torchvision_resnet18"), folder / "model.safetensors")
    return str(folder)


def test_a_local_folder_works_wherever_a_repository_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of(tmp_path, {})
    for name in (".", str(tmp_path)):
        assert profile(name).input_shape == (32, 48, 3)
        assert "resnet18" in plot(name).dot
        assert feature_info(name)["stage4"].stride == 32
        photo = np.zeros((1, 64, 64, 3), np.float32)
        assert preprocessing(name, data_format="channels_last")(photo).shape == (1, 32, 48, 3)
        assert compare(name, "resnet18").differences
    model = ResnetBuilder.from_preset(".")
    gamma = checkpoint("torchvision_resnet18")["bn1.weight"]
    np.testing.assert_array_equal(model.get_layer("stem_bn").gamma, gamma)
    assert "GlobalAverage" in type(model.get_layer("head_pool")).__name__  # as in timm
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"the config.json of '\.' is broken"):
        profile(".")


def test_paths_that_describe_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet50.keras").write_bytes(b"PK")
    for name in ("empty", "resnet18"):
        (tmp_path / name).mkdir()
    for use in (ResnetBuilder.from_preset, preprocessing, profile):
        with pytest.raises(ValueError, match=r"'resnet50.keras': it is a file, .* it as weights"):
            use("resnet50.keras")
        with pytest.raises(ValueError, match=r"'empty': it is a folder without config.json or op"):
            use("empty")
    assert profile("resnet18").name == "resnet18"  # a preset, whatever has its name here


def test_the_network_of_a_folder_that_does_not_fit(tmp_path: Path) -> None:
    name = str(tmp_path / "net")
    save_pretrained(ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5, **SMALL), name)
    model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5, **SMALL | {"filters": 16})
    with pytest.raises(ValueError, match="cannot load") as raised:
        load_weights(model, name)
    last = str(raised.value).splitlines()[-1]
    assert last == f"ResnetBuilder.from_preset({name!r}) builds its network."
    (tmp_path / "net" / "config.json").unlink()
    with pytest.raises(ValueError, match="cannot load") as raised:
        load_weights(model, tmp_path / "net" / "model.safetensors")
    assert "builds its network" not in str(raised.value)


# As push_to_hf_hub of open_clip writes it (src/open_clip/push_to_hf_hub.py).
OPEN_CLIP: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 224, "layers": [3, 4, 23, 3], "width": 64, "patch_size": None},
        "text_cfg": {"context_length": 77},
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear"},
}


def test_a_folder_of_open_clip(tmp_path: Path) -> None:
    file, name = tmp_path / "open_clip_config.json", str(tmp_path)
    file.write_text(json.dumps(OPEN_CLIP))
    found = resolve(name)
    assert (found.name, found.config) == ("resnet101_clip", PRESETS["resnet101_clip"])
    prepare = preprocessing(name, data_format="channels_last")
    # transform.py: the shorter side is resized to 224, and the centre is cut.
    white = prepare(np.full((1, 224, 300, 3), 255.0))
    assert white.shape == (1, 224, 224, 3)
    np.testing.assert_allclose(white, 2, atol=1e-5)
    small_clip = {"layers": [1, 1, 1, 1], "width": 16, "image_size": 64}
    file.write_text(json.dumps({"model_cfg": {"embed_dim": 24, "vision_cfg": small_clip}}))
    config = resolve(name).config
    assert (config.repetitions, config.filters, config.classes) == ((1, 1, 1, 1), 16, 24)
    assert config.input_shape == (64, 64, 3)
    [origin] = (of for of in ORIGINS if "open_clip's" in of.name)
    shapes = expected_weights(make_plan(config)).shapes
    ones = {
        f"visual.{origin.tensor(weight)}": origin.array(weight, np.ones(shape, np.float32)).copy()
        for weight, shape in shapes.items()
    }
    # open_clip/modified_resnet.py: of the stem, a block, the pool and the projection.
    for tensor in ("conv1.weight", "bn3.running_var", "layer2.0.downsample.0.weight"):
        assert f"visual.{tensor}" in ones
    for tensor in ("positional_embedding", "q_proj.bias", "c_proj.weight"):
        assert f"visual.attnpool.{tensor}" in ones
    save_file(ones, tmp_path / "open_clip_model.safetensors")
    model = ResnetBuilder.from_preset(name)
    assert (model.name, model.output_shape) == ("resnet50_clip", (None, 24))
    whole = {"model_cfg": {"embed_dim": 24, "vision_cfg": small_clip}}
    file.write_text(json.dumps(whole | {"preprocess_cfg": {"size": [64, 96]}}))
    found = resolve(name)
    assert found.config.input_shape == (64, 96, 3)
    # transform.py, PreprocessCfg: the default.
    assert found.checkpoint
    assert found.checkpoint.interpolation == "bicubic"
    assert found.checkpoint.good_for == ""
    for vision, message in (
        ({"layers": 12}, "layers=12, a vision transformer's, which has no equal"),
        ({}, r"the open_clip_config.json of .* is broken: 'layers'"),
    ):
        file.write_text(json.dumps({"model_cfg": {"embed_dim": 24, "vision_cfg": vision}}))
        with pytest.raises(ValueError, match=message):
            resolve(name)


@pytest.mark.parametrize(
    ("model_args", "changes"),
    [
        (
            {"act_layer": "silu", "drop_path_rate": 0.2},
            {"activation": "silu", "drop_path_rate": 0.2},
        ),
        ({"aa_layer": "blurpool", "drop_rate": None}, {"anti_aliasing": "blur"}),
        ({"output_stride": 8, "num_classes": 1000}, {"output_stride": 8}),
        ({"global_pool": "max", "drop_rate": 0.5}, {"pooling": "max", "dropout_rate": 0.5}),
    ],
)
def test_arguments_of_timm_are_applied(
    model_args: dict[str, Any], changes: dict[str, Any], tmp_path: Path
) -> None:
    name = folder_of(tmp_path, model_args)
    model = ResnetBuilder.from_preset(name, name="net")
    same = ResnetBuilder.from_preset("resnet18", (32, 48, 3), name="net", **changes)
    ours, theirs = (json.loads(ResnetBuilder.to_json(of)) for of in (model, same))
    assert ours == theirs
    assert profile(name).macs == profile(same).macs


@pytest.mark.parametrize(
    ("preset", "model_args", "changes"),
    [
        ("seresnet50", {"block_args": {"attn_layer": "eca"}}, {"eca": True, "se_ratio": 0.0}),
        ("ecaresnet50t", {"block_args": {"attn_layer": "se"}}, {"eca": False, "se_ratio": 1 / 16}),
        ("resnet18", {"layers": [1, 2, 1, 1]}, {"repetitions": (1, 2, 1, 1)}),
        ("resnet50", {"cardinality": 32, "base_width": 4}, {"groups": 32, "width_per_group": 4}),
        ("resnet50", {"block_reduce_first": 2}, {"reduce_first": 2}),
        ("resnet50", {"down_kernel_size": 3}, {"projection_kernel": 3}),
        ("resnet50", {"avg_down": True}, {"projection": "avg_pool"}),
        ("resnet50d", {"avg_down": False}, {"projection": "conv"}),
        ("resnet50", {"replace_stem_pool": True}, {"stem_pool": "conv"}),
        ("resnet50", {"zero_init_last": True}, {"zero_init_last": True}),
        ("resnet50", {"norm_layer": "groupnorm"}, {"norm": "group"}),
        # timm models/resnet.py: stem_width=64, and twice as many filters in a deep stem's last.
        ("resnet18", {"stem_type": "deep"}, {"stem": "deep", "stem_filters": 128}),
        ("resnet18", {"stem_type": "deep", "stem_width": 32}, {"stem": "deep", "stem_filters": 64}),
        ("resnet18", {"stem_width": 32}, {}),
        ("resnet18d", {"stem_type": "deep_tiered"}, {"stem": "deep_tiered"}),
        ("resnet50d", {"stem_type": ""}, {"stem": "imagenet"}),
        # timm models/resnetv2.py: create_resnetv2_stem has 64 filters in every stem.
        ("resnetv2_50", {"stem_type": "deep"}, {"stem": "deep"}),
    ],
)
def test_arguments_of_timm_that_depend_on_the_network(
    preset: str, model_args: dict[str, Any], changes: dict[str, Any], tmp_path: Path
) -> None:
    config = resolve(folder_of(tmp_path, model_args, architecture=preset)).config
    assert config == resolve(preset, (32, 48, 3), **changes).config


@pytest.mark.parametrize(
    "settings",
    [
        {"model_args": [1]},
        {"architecture": 5},
        {"architecture": ["resnet18"]},
        {"input_size": [3, 64]},
        {"mean": 5},
        {"std": ["a", "b", "c"]},
        {"std": [1, 1, 0]},
        {"std": [10**400] * 3},
        {"std": [0.5]},
        {"mean": [float("nan")] * 3},
        {"input_size": [3, -1, 5]},
        {"crop_pct": "0.9"},
        {"crop_pct": -1},
        {"num_classes": "5"},
        {"label_names": [1]},
        {"tag": 5},
    ],
)
def test_a_config_of_other_types_is_broken(settings: dict[str, Any], tmp_path: Path) -> None:
    folder = folder_of(tmp_path, **{"model_args": {}} | settings)
    with pytest.raises(ValueError, match=r"the config\.json of .* is broken"):
        profile(folder)


@pytest.mark.parametrize(
    "model_args",
    [
        {"act_layer": "leaky_relu"},  # of another slope than Keras's
        {"block_args": {"attn_layer": "cbam"}},
        {"block_args": {"attn_layer": "se", "rd_ratio": 0.5}},
        {"norm_layer": "layernorm"},
        {"global_pool": "catavgmax"},
        {"drop_block_rate": 0.1},
        {"something": 1},
    ],
)
def test_arguments_of_timm_without_an_equal_are_refused(
    model_args: dict[str, Any], tmp_path: Path
) -> None:
    name = folder_of(tmp_path, model_args)
    for use in (profile, ResnetBuilder.from_preset, preprocessing):
        with pytest.raises(ValueError, match=next(iter(model_args))):
            use(name)


# Folders and repositories of transformers ---------------------------------------------------------

# microsoft/resnet-50 without its id2label, as transformers 4.18 wrote it.
MICROSOFT: dict[str, Any] = {
    "architectures": ["ResNetForImageClassification"],
    "depths": [3, 4, 6, 3],
    "downsample_in_first_stage": False,
    "embedding_size": 64,
    "hidden_act": "relu",
    "hidden_sizes": [256, 512, 1024, 2048],
    "id2label": {str(number): f"class {number}" for number in range(1000)},
    "layer_type": "bottleneck",
    "model_type": "resnet",
    "num_channels": 3,
}
# What facebook/regnet-y-040, whose config has the defaults, and regnet-x-002 have in other ways.
OF_RESNET = ("depths", "downsample_in_first_stage", "embedding_size", "hidden_sizes", "layer_type")
REGNET: dict[str, Any] = {"model_type": "regnet"} | dict.fromkeys(OF_RESNET)
REGNET_X = REGNET | {
    "depths": [1, 1, 4, 7],
    "groups_width": 8,
    "hidden_sizes": [24, 56, 152, 368],
    "layer_type": "x",
}
# Of ConvNextFeatureExtractor.
PREPARING: dict[str, Any] = {
    "crop_pct": 0.875,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "size": 224,
}


def transformers_folder(folder: Path, config: Any, preparing: Any = None) -> str:
    """A folder as save_pretrained of transformers' networks and image processors writes it."""
    (folder / "config.json").write_text(json.dumps(config))
    if preparing is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preparing))
    return str(folder)


def test_a_folder_of_transformers(tmp_path: Path) -> None:
    given = description("transformers_resnet18")
    labels = given["id2label"]
    config = given["config"] | {"model_type": "resnet", "id2label": labels}
    name = transformers_folder(tmp_path, config, PREPARING)
    arrays = checkpoint("transformers_resnet18")
    save_file(arrays, tmp_path / "model.safetensors")
    model = ResnetBuilder.from_preset(name)
    assert (model.name, model.output_shape) == ("resnet18", (None, 5))
    assert profile(name).parameters == given["parameters"]
    np.testing.assert_array_equal(model.get_layer("predictions").bias, arrays["classifier.1.bias"])
    loaded = load_weights(ResnetBuilder.from_preset("resnet18", (32, 32, 3), 5), name)
    assert loaded.origin == "transformers' ResNet or RegNetX"
    photo = np.zeros((1, 300, 400, 3), np.float32)
    assert preprocessing(name, data_format="channels_last")(photo).shape == (1, 224, 224, 3)
    [[best]] = decode([[0.1, 0.5, 0.2, 0.1, 0.1]], name, top=1)
    assert best.name == labels["1"] == "class 1"


def test_a_repository_of_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repository: str, files: list[str]) -> Path:
        asked.append((repository, *files))
        if not (tmp_path / files[0]).exists():
            raise FileNotFoundError(files[0])
        return tmp_path / files[0]

    monkeypatch.setattr(repositories, "download", download)
    transformers_folder(tmp_path, MICROSOFT)
    assert resolve("microsoft/resnet-50").name == "resnet50.transformers_in1k"  # in the table
    name = "me/resnet-50"
    found = resolve(name)
    assert found.config == PRESETS["resnet50"]
    assert found.checkpoint
    assert (found.name, found.checkpoint.library) == ("resnet50", "transformers")
    assert asked == [(name, "config.json"), (name, "preprocessor_config.json")]
    with pytest.raises(
        ValueError, match=r"does not say how images are prepared, or says what has no equal"
    ):
        preprocessing(name)
    transformers_folder(tmp_path, MICROSOFT, PREPARING | {"size": 64})
    assert resolve(name).config.input_shape == (64, 64, 3)
    assert decode(np.eye(1000)[281], name)[0][0].name == "class 281"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"layer_type": "basic", "hidden_sizes": [64, 128, 256, 512]}, ("resnet34", {})),
        ({"depths": [2, 2, 2, 2]}, ("resnet26", {})),
        (
            {"hidden_sizes": [64, 96, 128, 256]},
            ("resnet50", {"filters": (16, 24, 32, 64), "stem_filters": 64}),
        ),
        ({"embedding_size": 32}, ("resnet50", {"stem_filters": 32})),
        ({"downsample_in_bottleneck": True}, ("resnet50", {"stride_in_3x3": False})),
        ({"id2label": {"1": "b", "0": "a"}}, ("resnet50", {"classes": 2})),
        ({"id2label": None, "architectures": None}, ("resnet50", {"classes": 2})),
        ({"architectures": ["ResNetModel"]}, ("resnet50", {})),
        ({"num_channels": 1}, ("resnet50", {"input_shape": (224, 224, 1)})),
        (dict.fromkeys(OF_RESNET), ("resnet50", {})),  # the defaults of ResNetConfig
        (REGNET, ("regnety_040", {})),
        (REGNET_X, ("regnetx_002", {})),
        (REGNET_X | {"groups_width": 4}, ("regnetx_002", {"group_width": 4})),
    ],
)
def test_configs_of_transformers(changes: Any, expected: Any, tmp_path: Path) -> None:
    preset, fields = expected
    found = resolve(transformers_folder(tmp_path, MICROSOFT | changes))
    assert found.config == PRESETS[preset].replace(**fields)
    assert found.checkpoint
    assert len(found.checkpoint.labels) == found.checkpoint.classes
    assert bool(found.checkpoint.classes) is (changes.get("architectures") != ["ResNetModel"])


def test_the_strides_that_transformers_states(tmp_path: Path) -> None:
    small: dict[str, Any] = {"depths": [1, 1], "hidden_sizes": [32, 64], "embedding_size": 8}
    config = MICROSOFT | small | {"id2label": {"0": "a"}, "downsample_in_bottleneck": True}
    name = transformers_folder(tmp_path, config)
    fields: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "classes": 1}
    fields |= {"stride_in_3x3": False}
    [row] = [of for of in ORIGINS if of.name == "transformers' ResNet or RegNetX"]
    torchvision = as_torchvision(PRESETS["resnet50"].replace(**fields))
    [names] = [of for of in ORIGINS if of.name == "torchvision's or timm's ResNet"]
    weights = expected_weights(make_plan(PRESETS["resnet50"].replace(**fields))).shapes
    arrays = {row.tensor(weight): torchvision[names.tensor(weight)] for weight in weights}
    save_file(
        {n: np.ascontiguousarray(of) for n, of in arrays.items()}, tmp_path / "model.safetensors"
    )
    model = ResnetBuilder.from_preset(name, (32, 32, 3))
    assert model.get_layer("stage2_block1_conv1").strides == (2, 2)
    # The folder as weights, and the file in it, say so too.
    for source in (name, tmp_path / "model.safetensors"):
        same = ResnetBuilder.from_preset("resnet50", (32, 32, 3), weights=source, **fields)
        assert_same_weights(same, model)
        with pytest.raises(ValueError, match="strides: bottlenecks stride in their 3x3"):
            ResnetBuilder.from_preset(
                "resnet50", (32, 32, 3), weights=source, **fields | {"stride_in_3x3": True}
            )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act='gelu', which has no equal here"),
        ({"downsample_in_first_stage": True}, "downsample_in_first_stage=True, which has no equal"),
        (REGNET | {"downsample_in_first_stage": False}, "in_first_stage=False, which has no equal"),
        ({"layer_type": "wide"}, "layer_type='wide', which has no equal here"),
        ({"hidden_sizes": [258, 512, 1024, 2048]}, r"hidden_sizes=\[258, .*which has no equal"),
        ({"id2label": {"1": "a", "2": "b"}}, r"is broken: id2label has the numbers \[1, 2\]"),
        ({"id2label": ["a", "b"]}, r"the config\.json of .* is broken"),
        ({"depths": 3}, r"the config\.json of .* is broken"),
        (
            {"model_type": "vit"},
            r"not one of timm or of transformers' ResNet or RegNet: its model_type is 'vi",
        ),
        ({"model_type": 5}, "its model_type is .5."),
    ],
)
def test_configs_of_transformers_that_are_refused(
    changes: Any, message: str, tmp_path: Path
) -> None:
    name = transformers_folder(tmp_path, MICROSOFT | changes)
    for use in (profile, ResnetBuilder.from_preset, preprocessing):
        with pytest.raises(ValueError, match=message):
            use(name)


@pytest.mark.parametrize(
    ("changes", "size", "crop_pct", "crop_mode"),
    [
        ({}, (224, 224), 0.875, "center_floor"),
        ({"crop_pct": None, "size": {"shortest_edge": 288}}, (288, 288), 0.875, "center_floor"),
        ({"size": {"shortest_edge": 384}}, (384, 384), 1.0, "squash"),
        ({"size": {"height": 96, "width": 128}}, (96, 128), 1.0, "squash"),  # ViTImageProcessor
        (  # BitImageProcessor
            {
                "size": {"shortest_edge": 256},
                "do_center_crop": True,
                "crop_size": {"height": 224, "width": 224},
            },
            (224, 224),
            pytest.approx(0.875),
            "center_floor",
        ),
        (
            {"size": 54, "do_center_crop": True, "crop_size": 33},
            (33, 33),
            pytest.approx(33 / 54),
            "center_floor",
        ),
    ],
)
def test_image_processors_of_transformers(
    changes: Any, size: Any, crop_pct: float, crop_mode: str, tmp_path: Path
) -> None:
    name = transformers_folder(tmp_path, MICROSOFT, PREPARING | changes)
    found = resolve(name).checkpoint
    assert found
    assert (found.input_size, found.crop_pct, found.crop_mode) == (size, crop_pct, crop_mode)
    assert crop_mode == "squash" or int(size[0] / found.crop_pct) in (256, 329, 54)
    assert (found.interpolation, found.mean) == ("bicubic", tuple(PREPARING["image_mean"]))


def test_image_processors_without_an_equal(tmp_path: Path) -> None:
    oblong = {"size": 64, "do_center_crop": True, "crop_size": {"height": 32, "width": 48}}
    for changes in ({"resample": 0}, {"do_rescale": False}, {"do_resize": False}, oblong):
        name = transformers_folder(tmp_path, MICROSOFT, PREPARING | changes)
        rows, columns = (32, 48) if changes is oblong else (224, 224)
        assert profile(name).input_shape == (rows, columns, 3)
        with pytest.raises(ValueError, match=r"or says what has no equal here: give size="):
            preprocessing(name)
    name = transformers_folder(tmp_path, MICROSOFT, PREPARING | {"do_normalize": False})
    white = preprocessing(name, data_format="channels_last")(np.full((1, 9, 9, 3), 255))
    np.testing.assert_allclose(white, 1)
    transformers_folder(tmp_path, MICROSOFT, [])
    with pytest.raises(
        ValueError, match=r"the preprocessor_config\.json of .* is broken: it is no"
    ):
        profile(name)
    transformers_folder(tmp_path, MICROSOFT, {"size": 224})
    with pytest.raises(ValueError, match=r"the .*json of .* is broken: 'image_mean'"):
        profile(name)
