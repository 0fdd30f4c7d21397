"""The checkpoint that the config.json of a repository or of a folder describes, or open_clip's.

To read the files of another library, add a row to `READERS`.
"""

from collections.abc import Callable, Mapping
from math import inf, isfinite, nextafter
from pathlib import Path
from typing import Any

from ..common.checks import described
from ..common.files import json_object
from .checkpoints import PublishedWeights
from .networks import PRESETS
from .timm_arguments import RepositoryError, translated

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
OPEN_CLIP = "open_clip_config.json"
CONFIGS = (CONFIG, OPEN_CLIP)

# A function of a file's name that returns its path; None if the repository does not have it.
Files = Callable[[str], Path | None]
Settings = dict[str, Any]


def read_repository(repository: str, files: Files) -> PublishedWeights:
    """Return the checkpoint that a repository or folder describes.

    Raises:
        ValueError: its config.json is broken, names no network of timm or transformers, or has a
            setting without an equal here.
    """
    config = _settings(repository, files, CONFIG) or _settings(repository, files, OPEN_CLIP)
    keys = {OWN: OWN, "architecture": "timm", "model_cfg": "open_clip"}
    named = [kind for key, kind in keys.items() if key in config]
    kind = named[0] if named else str(config.get("model_type", ""))
    try:
        if kind in READERS:
            return _checked(READERS[kind](repository, config, files))
    except RepositoryError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        name = OPEN_CLIP if kind == "open_clip" else CONFIG
        raise _broken(repository, error, name) from error
    raise _other(repository, f"its model_type is {kind!r}" if kind else _lacking(config))


# What a stranger's settings must be, by their names.
_RULES: Mapping[str, Callable[[Any], bool]] = {
    "input_size": lambda of: len(of) == 2 and all(type(n) is int and 0 < n < 2**16 for n in of),
    "classes": lambda of: type(of) is int and of >= 0,
    "crop_pct": lambda of: of is None or 0 < of < inf,
    "mean": lambda of: all(map(isfinite, of)),
    "std": lambda of: all(0 < float(n) < inf for n in of),
    "labels": lambda of: all(isinstance(name, str) for name in of),
    **dict.fromkeys(
        ("preset", "tag", "interpolation", "crop_mode", "channels", "licence"),
        lambda of: isinstance(of, str | None),
    ),
}


def _checked(found: PublishedWeights) -> PublishedWeights:
    """The same, if each of its settings can be one."""
    for name, is_right in _RULES.items():
        if not is_right(value := getattr(found, name)):
            raise ValueError(f"{name} is {described(value)}")
    if len(found.std) not in (0, len(found.mean)):
        raise ValueError(f"mean is {found.mean} and std {found.std}")
    return found


def _other(repository: str, why: str) -> RepositoryError:
    return RepositoryError(
        f"the config.json of {repository!r} is not one of timm or of transformers' ResNet or "
        f"RegNet: {why}. Give a preset's name, and the repository as weights"
    )


def _settings(repository: str, files: Files, name: str) -> Settings:
    """The object in a JSON file; empty if there is no such file."""
    path = files(name)
    try:
        return json_object(path) if path else {}
    except ValueError as error:
        raise _broken(repository, error, name) from error


def _broken(repository: str, error: object, name: str = CONFIG) -> RepositoryError:
    return RepositoryError(f"the {name} of {repository!r} is broken: {error}")


def _without_equal(repository: str, setting: str, name: str = CONFIG) -> RepositoryError:
    return RepositoryError(
        f"the {name} of {repository!r} has {setting}, which has no equal here. Give a config "
        "of the network, and the repository as weights"
    )


# timm -------------------------------------------------------------------------------------------

_NEEDED = ("architecture", "num_classes", "input_size", "mean", "std")


def _lacking(settings: Settings) -> str:
    missing = ", ".join(name for name in _NEEDED if name not in settings)
    return f"it does not say {missing}" * bool(missing)


def _of_timm(repository: str, config: Settings, _: Files) -> PublishedWeights:
    """Of timm's save_for_hf (models/_hub.py)."""
    # Older repositories have all settings at the top level.
    settings = config.get("pretrained_cfg", {}) | config
    if lacking := _lacking(settings):
        raise _other(repository, lacking)
    channels, rows, columns = settings["input_size"]
    mean, std = (tuple(map(float, settings[name])) for name in ("mean", "std"))
    arguments = dict(config.get("model_args") or {})
    words = settings.get("label_descriptions") or {}
    changes = translated(arguments, repository, PRESETS.get(settings["architecture"]))
    _check_channels(mean, changes.pop("channels", channels))
    return PublishedWeights(
        library="timm",
        preset=settings["architecture"],
        tag=settings.get("tag", ""),
        source=repository,
        classes=changes.pop("classes", settings["num_classes"]),
        labels=tuple(words.get(name, name) for name in settings.get("label_names") or ()),
        input_size=(rows, columns),
        crop_pct=settings.get("crop_pct"),
        interpolation=settings.get("interpolation", ""),
        crop_mode=settings.get("crop_mode") or "center",
        mean=mean,
        std=std,
        licence=settings.get("license", ""),
        changes=changes,
    )


def _check_channels(mean: tuple[float, ...], channels: int) -> None:
    if len(mean) != channels:
        raise ValueError(f"it states a mean of {len(mean)} channels, and {channels} input channels")


# transformers -----------------------------------------------------------------------------------

# The preset of a layer_type, and the output of its blocks by the filters inside.
_LAYER_TYPES = {"basic": ("resnet18", 1), "bottleneck": ("resnet50", 4)}
_REGNET_TYPES = {"x": ("regnetx_002", 1), "y": ("regnety_002", 1)}
# By model_type: models/resnet/configuration_resnet.py, models/regnet/configuration_regnet.py and
# configuration_utils.py.
_DEFAULTS: Mapping[str, Settings] = {
    "resnet": {
        "embedding_size": 64,
        "hidden_sizes": (256, 512, 1024, 2048),
        "depths": (3, 4, 6, 3),
        "layer_type": "bottleneck",
        "downsample_in_first_stage": False,
        "downsample_in_bottleneck": False,
        "architectures": ("ResNetForImageClassification",),
    },
    "regnet": {
        "embedding_size": 32,
        "hidden_sizes": (128, 192, 512, 1088),
        "depths": (2, 6, 12, 2),
        "layer_type": "y",
        "groups_width": 64,
        "downsample_in_first_stage": True,
        "architectures": ("RegNetForImageClassification",),
    },
}
_COMMON: Settings = {
    "num_channels": 3,
    "hidden_act": "relu",
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
}
_WITH_EQUAL: Mapping[str, Settings] = {
    "resnet": {"layer_type": _LAYER_TYPES, "downsample_in_first_stage": (False,)},
    "regnet": {"layer_type": _REGNET_TYPES, "downsample_in_first_stage": (True,)},
}
_ACTIVATIONS = ("relu",)  # others are only between the blocks of ResNet: inside, it is always ReLU


def _of_transformers(repository: str, config: Settings, files: Files) -> PublishedWeights:
    """Of save_pretrained (models/resnet/modeling_resnet.py, models/regnet/modeling_regnet.py)."""
    kind, given = config["model_type"], {k: v for k, v in config.items() if v is not None}
    config = {**_COMMON, **_DEFAULTS[kind], **given}
    for name, values in {**_WITH_EQUAL[kind], "hidden_act": _ACTIVATIONS}.items():
        if config[name] not in values:
            raise _without_equal(repository, f"{name}={config[name]!r}")
    preset, changes = _network(repository, config)
    labels = {int(number): str(label) for number, label in config["id2label"].items()}
    if sorted(labels) != list(range(len(labels))):
        raise ValueError(f"id2label has the numbers {sorted(labels)}")
    has_head = any(name.endswith("ForImageClassification") for name in config["architectures"])
    preparing = _preparing(_settings(repository, files, PREPROCESSOR), config["num_channels"])
    _check_channels(preparing["mean"], config["num_channels"])
    return PublishedWeights(
        library="transformers",
        preset=preset,
        tag="",
        source=repository,
        classes=len(labels) if has_head else 0,
        labels=tuple(labels[number] for number in sorted(labels)) if has_head else (),
        changes=changes,
        **preparing,
    )


def _network(repository: str, config: Settings) -> tuple[str, Settings]:
    """The preset of a config, and the fields that the network has other than it."""
    preset, expansion = (_LAYER_TYPES | _REGNET_TYPES)[config["layer_type"]]
    changes: Settings = {"repetitions": tuple(config["depths"])}
    if config["layer_type"] == "bottleneck":
        changes["stride_in_3x3"] = not config["downsample_in_bottleneck"]
    sizes = config["hidden_sizes"]
    if any(size % expansion for size in sizes):
        raise _without_equal(repository, f"hidden_sizes={sizes!r}")
    filters = tuple(size // expansion for size in sizes)
    if "groups_width" in config:
        changes |= {"filters": filters, "group_width": config["groups_width"]}
    elif filters != PRESETS[preset].replace(**changes).stage_filters:
        changes["filters"] = filters
    if config["embedding_size"] != (PRESETS[preset].stem_filters or filters[0]):
        changes["stem_filters"] = config["embedding_size"]
    wanted = PRESETS[preset].replace(**changes)
    return next((name for name, of in PRESETS.items() if of == wanted), preset), changes


# PIL.Image.Resampling.
_RESAMPLING = {2: "bilinear", 3: "bicubic"}


def _preparing(settings: Settings, channels: int) -> Settings:
    """The fields that an image processor's settings give; without an equal here, no `std`."""
    resampling, size = settings.get("resample", 3), settings.get("size", 224)
    size = {"shortest_edge": size} if isinstance(size, int) else size
    sides = size.get("height"), size.get("width")
    crop_pct, crop_mode = 1.0, "squash"
    # models/bit and models/convnext; image_transforms.py, center_crop.
    if settings.get("do_center_crop") and "shortest_edge" in size:
        crop = settings["crop_size"]
        sides = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"])
        # A little less, so that the side divided by it is no less than the shortest edge.
        crop_pct, crop_mode = nextafter(sides[0] / size["shortest_edge"], 0), "center_floor"
    elif side := size.get("shortest_edge"):
        sides = side, side
        if side < 384:
            crop_pct, crop_mode = settings.get("crop_pct") or 224 / 256, "center_floor"
    does = [settings.get(f"do_{step}", bool(settings)) for step in ("resize", "rescale")]
    is_known = all(does) and resampling in _RESAMPLING and None not in sides
    is_known = is_known and (crop_mode == "squash" or sides[0] == sides[1])
    mean, std = (0.0,) * channels, (1.0,) * channels
    if settings.get("do_normalize", is_known):
        mean, std = tuple(settings["image_mean"]), tuple(settings["image_std"])
    return {
        "input_size": sides if None not in sides else (224, 224),
        "crop_pct": crop_pct,
        "interpolation": _RESAMPLING.get(resampling, ""),
        "crop_mode": crop_mode,
        "mean": mean,
        "std": std if is_known else (),
    }


# open_clip --------------------------------------------------------------------------------------

# openai/CLIP clip/clip.py; open_clip src/open_clip/constants.py.
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_RESIZE_MODES = {"shortest": "center", "squash": "squash"}


def _of_open_clip(repository: str, config: Settings, _: Files) -> PublishedWeights:
    """Of its push_to_hf_hub.py; src/open_clip/model.py and transform.py."""
    network, preparing = config["model_cfg"], config.get("preprocess_cfg", {})
    vision = network["vision_cfg"]
    layers = vision["layers"]
    if not isinstance(layers, list):
        raise _without_equal(repository, f"layers={layers!r}, a vision transformer's", OPEN_CLIP)
    mode = preparing.get("resize_mode", "shortest")
    if mode not in _RESIZE_MODES:
        raise _without_equal(repository, f"resize_mode={mode!r}", OPEN_CLIP)
    fields = {
        "repetitions": tuple(layers),
        "filters": vision.get("width", 64),
        "classes": network["embed_dim"],
        "embedding": True,
    }
    config_of = PRESETS["resnet50_clip"].replace(**fields)
    side = preparing.get("size", vision.get("image_size", 224))
    sides = (side, side) if isinstance(side, int) else tuple(side)
    size: Settings = {"input_shape": (*sides, 3)}
    equal = (
        name for name, of in PRESETS.items() if of.replace(**size) == config_of.replace(**size)
    )
    return PublishedWeights(
        library="open_clip",
        preset=next(equal, "resnet50_clip"),
        tag="",
        kind="CLIP",
        source=repository,
        classes=network["embed_dim"],
        input_size=sides,
        crop_pct=1.0,
        interpolation=preparing.get("interpolation", "bicubic"),
        crop_mode=_RESIZE_MODES[mode],
        mean=tuple(preparing.get("mean", _CLIP_MEAN)),
        std=tuple(preparing.get("std", _CLIP_STD)),
        changes=fields,
    )


# Of this package ---------------------------------------------------------------------------------

# The key of the arguments that build the network, as ResnetBuilder.to_json writes them.
OWN = "resnet_builder"
_OPTIONS = ("pooling", "dropout_rate", "output_stride")


def _of_own(repository: str, config: Settings, _: Files) -> PublishedWeights:
    """Of `save_pretrained`."""
    network, data = config[OWN], config["pretrained_cfg"]
    fields = {name: of for name, of in network["preset"].items() if name != "input_shape"}
    channels, rows, columns = data["input_size"]
    name = str(network["name"])
    base = name.partition(".")[0]
    preset = config.get("architecture") or (base if base in PRESETS else "resnet50")
    return PublishedWeights(
        library=config.get("images_as_in", OWN),
        preset=preset,
        tag=name.removeprefix(preset).removeprefix("."),
        source=repository,
        classes=config["num_classes"],
        labels=tuple(config["label_names"]),
        input_size=(rows, columns),
        crop_pct=data.get("crop_pct"),
        interpolation=data.get("interpolation", ""),
        crop_mode=data.get("crop_mode", "center"),
        channels=config["channels"],
        mean=tuple(data.get("mean", [0.0] * channels)),
        std=tuple(data.get("std", ())),
        licence=data["license"],
        changes=fields | {name: network[name] for name in _OPTIONS},
    )


# By "timm", "open_clip" or "resnet_builder", or the model_type of transformers.
READERS: Mapping[str, Callable[[str, Settings, Files], PublishedWeights]] = {
    OWN: _of_own,
    "timm": _of_timm,
    "open_clip": _of_open_clip,
    "resnet": _of_transformers,
    "regnet": _of_transformers,
}
