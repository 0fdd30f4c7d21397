"""save_pretrained: a trained network as a folder to share, which from_preset and timm read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from .common.checks import described
from .common.files import whole_file
from .common.words import by
from .config import BESIDE, FIELDS, ResnetConfig
from .costs.profile import profile
from .files.checkpoint import Json
from .inference.images import LIBRARIES_OF_KERAS, image_settings, names_in
from .model.record import BuildRecord, build_record_of, config_of, json_of
from .pictures.plot import plot
from .plan.names import CLASSIFIER
from .presets.checkpoints import CLASSES, PublishedWeights, published
from .presets.networks import PRESETS, family_of
from .presets.repositories import CONFIG, OWN
from .weights.expected import Target
from .weights.load import target_of
from .weights.write import origin_for, write_weights

WEIGHTS, CARD, PICTURE = "model.safetensors", "README.md", "architecture.png"
LISTED = 20  # names of classes in a model card
DEFAULT_SIZE = (224, 224)  # of an input whose size is not fixed


def save_pretrained(
    model: keras.Model,
    folder: str | Path,
    *,
    labels: Sequence[str] | None = None,
    preprocessing: str | Json | None = None,
    license: str | None = None,
) -> Path:
    """Write a network with its weights, class names and preprocessing as a folder to share.

    `ResnetBuilder.from_preset(folder)` builds the network and loads it, `preprocessing(folder)` and
    `decode(predictions, folder)` prepare its images and name its classes. If timm has the network,
    the weights have timm's names, and `timm.create_model("local-dir:FOLDER", pretrained=True)`
    builds it too. Pushed to the Hugging Face Hub, the repository is read in the same ways.

    Args:
        model: a model that `ResnetBuilder` returned, trained or not.
        folder: the folder, which is made if it does not exist. Its `model.safetensors`,
            `config.json`, `README.md` (the model card) and `architecture.png` are replaced.
        labels: names of the classes in their order. Default: those of the checkpoint that the
            model was built from, if it has as many classes.
        preprocessing: how images are prepared: a checkpoint's name, as in `preprocessing`, or the
            settings that `preprocessing` takes, such as `{"size": 64, "mean": 0.5, "std": 0.5}`.
            Default: that of the checkpoint that the model was built from.
        license: identifier of the licence, such as `"apache-2.0"`.

    Returns:
        The folder.

    Raises:
        TypeError, ValueError: a model without a known config, as in `config_of`; another number of
            labels than of classes; invalid preprocessing.
        OSError: the folder cannot be written.
        ImportError: the package safetensors is not installed.

    Example:
        >>> from tempfile import mkdtemp
        >>> from resnet_builder import ResnetBuilder, decode, save_pretrained
        >>> model = ResnetBuilder.from_preset("resnet18", (32, 32, 3), 2)
        >>> settings, pets = {"size": 32, "mean": 0.5, "std": 0.25}, mkdtemp()
        >>> folder = save_pretrained(model, pets, labels=["cat", "dog"], preprocessing=settings)
        >>> sorted(path.name for path in folder.iterdir())
        ['README.md', 'architecture.png', 'config.json', 'model.safetensors']
        >>> ResnetBuilder.from_preset(pets).output_shape
        (None, 2)
        >>> decode([0.25, 0.75], pets)[0][0].name
        'dog'
    """
    record, target = build_record_of(model), target_of(model)
    classes = record.config.classes if target.expected.classifier else 0
    of_timm = _of_timm(target, record.config)
    license = license or (record.checkpoint.licence if record.checkpoint else "")
    settings = _settings(record, preprocessing)
    library = settings.library if settings else ""
    data = _data(settings, record.config) | {"license": license}
    config = of_timm | {
        "num_classes": classes,
        "label_names": _labels(record, labels, classes),
        "pretrained_cfg": of_timm.get("pretrained_cfg", {}) | data,
        "channels": settings.channels if settings else "RGB",
        "images_as_in": library if library in LIBRARIES_OF_KERAS else OWN,
        OWN: json.loads(json_of(model)),
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(model, folder / WEIGHTS, names="timm" if of_timm else "keras")
    plot(model, folder / PICTURE)
    card = "\n".join(_card(folder.name, model, config))
    for name, text in ((CONFIG, json.dumps(config, indent=2)), (CARD, card)):
        with whole_file(folder / name) as unfinished:
            unfinished.write_text(f"{text}\n", encoding="utf-8")
    return folder


# What is known of the model --------------------------------------------------------------------


def _settings(record: BuildRecord, given: object) -> PublishedWeights | None:
    """How images are prepared, if it is known."""
    if given is None:
        return record.checkpoint if record.checkpoint and record.checkpoint.std else None
    if isinstance(given, str | Mapping):
        return image_settings(given)
    raise TypeError(
        "preprocessing is the name of a checkpoint or a dict of the settings of preprocessing(), "
        f"got {described(given)}"
    )


def _labels(record: BuildRecord, given: object, classes: int) -> list[str]:
    """The names of the classes; none if they are not known."""
    if given is None:
        of_checkpoint = record.checkpoint.labels if record.checkpoint else ()
        return list(of_checkpoint) if len(of_checkpoint) == classes else []
    labels = names_in(given, "labels are")
    if len(labels) != classes:
        raise ValueError(f"the network has {classes} classes, and labels has {len(labels)} names")
    return labels


def preset_of(config: ResnetConfig) -> str | None:
    """The preset that computes what a config's network does, whatever its size and classes."""
    defaults: Any = {name: FIELDS[name].default for name in BESIDE}
    network = config.replace(**defaults)
    presets = PRESETS.items()
    return next((name for name, of in presets if of.replace(**defaults) == network), None)


# config.json -----------------------------------------------------------------------------------


def _of_timm(target: Target, config: ResnetConfig) -> Json:
    """What timm.create_model reads of its network; empty if timm does not have it.

    timm models/_hub.py, save_config_for_hf.
    """
    preset = preset_of(config)
    has_weights = any(row.library == "timm" and row.preset == preset for row in published())
    if not has_weights or config.weight_standardization:  # timm would standardise what is trained
        return {}
    origin = origin_for(target, "timm")
    first = next(layer for layer, _ in target.expected.shapes)
    channels = config.input_shape[2]
    return {
        "architecture": preset,
        "model_args": {"in_chans": channels} if channels != 3 else {},
        "pretrained_cfg": {
            "first_conv": origin.layer(first),
            "classifier": origin.layer(CLASSIFIER),
        },
    }


def _data(settings: PublishedWeights | None, config: ResnetConfig) -> Json:
    """The input, and how images are prepared for it."""
    sizes = settings.input_size if settings else config.input_shape[:2]
    known = [size or default for size, default in zip(sizes, DEFAULT_SIZE, strict=True)]
    data: Json = {"input_size": [config.input_shape[2], *known]}
    if settings:
        names = ("mean", "std", "crop_pct", "interpolation", "crop_mode")
        data |= {name: of for name in names if (of := getattr(settings, name))}
    return data


# The model card --------------------------------------------------------------------------------


def _card(name: str, model: keras.Model, config: Json) -> Iterator[str]:
    """The lines of the README.md, which begins as the Hub asks."""
    data, is_of_timm = config["pretrained_cfg"], "architecture" in config
    yield from ("---", *([f"license: {data['license']}"] * bool(data["license"])))
    yield from ("library_name: keras", "pipeline_tag: image-classification", "tags:")
    yield from (f"- {tag}" for tag in ("keras", "resnet_builder", *["timm"] * is_of_timm))
    counted = profile(model)
    what = f"`{config['architecture']}`, a " if is_of_timm else "A "
    yield from ("---", f"# {name}", "")
    yield f"{what}{family_of(config_of(model))} of {counted.parameters:,} parameters."
    yield from ("", f"![The architecture]({PICTURE})", "", counted.to_markdown(), "")
    yield from ("## Images", "", *_of_images(data, config["channels"]), "")
    if labels := config["label_names"]:
        more = f", and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
        yield from (f"## {len(labels)} classes", "", ", ".join(labels[:LISTED]) + more, "")
    yield from ("## Use", "", "```python")
    yield "from resnet_builder import ResnetBuilder, decode, preprocessing"
    yield ""
    yield f'model = ResnetBuilder.from_preset("{name}")'
    if "mean" in data and config["num_classes"]:
        labels = f', "{name}"' if config["label_names"] else ""
        yield f'predictions = model(preprocessing("{name}")(images))'
        if labels or config["num_classes"] == CLASSES:
            yield f"decode(predictions{labels})"
    yield "```"
    if is_of_timm:
        yield from ("", "```python", "import timm", "")
        yield f'model = timm.create_model("local-dir:{name}", pretrained=True)'
        yield "```"


def _of_images(data: Json, order: str) -> Iterator[str]:
    channels, *size = data["input_size"]
    yield f"- size: {by(size)}, {channels} channels" + ", in BGR, unlike in timm" * (order == "BGR")
    if "mean" not in data:
        yield "- The preprocessing is not known."
        return
    yield f"- mean {data['mean']}, standard deviation {data['std']}, for values from 0 to 1"
    if "interpolation" in data:
        yield f"- resized with {data['interpolation']} interpolation"
    if "crop_pct" in data:
        yield f"- crop: {data['crop_pct']} of the resized side, {data['crop_mode']}"
