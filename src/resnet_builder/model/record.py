"""What a model is built from: the options, config_of and their JSON.

Keras has no place for it in a model of core layers, so it is kept beside the model, in this
process. A model that is loaded from a file, copied, or changed by `keras.Model` or
`fold_batch_norm` is another model, and has none.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ..common.checks import shortened
from ..common.files import parsed_json
from ..config import ResnetConfig, config_of_fields, fields_of
from ..plan.names import is_of_task
from ..plan.network import Dilation, Head, Plan, make_plan
from ..presets.checkpoints import PublishedWeights

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class BuildRecord:
    """What a model was built from.

    Attributes:
        config: config of the network, with the input shape and number of classes as built.
        options: the other arguments of `ResnetBuilder.from_preset`, but for the weights, as `json`
            writes them.
        checkpoint: the published or described checkpoint that was loaded.
    """

    config: ResnetConfig
    options: Mapping[str, Any]
    checkpoint: PublishedWeights | None = None

    def plan(self) -> Plan:
        """The plan of the model, and of what else is made of its layers."""
        head = Head(**{field.name: self.options[field.name] for field in fields(Head)})
        return make_plan(self.config, head, *(self.options[name] for name in Dilation._fields))


# By the models that ResnetBuilder returned, and by their layers, which other models may have too.
RECORDS: WeakKeyDictionary["keras.Layer", BuildRecord] = WeakKeyDictionary()


def recorded(model: "keras.Model", built_from: BuildRecord) -> "keras.Model":
    """Remember what a model and its layers were built from, as long as they live."""
    RECORDS.update(dict.fromkeys([model, *model.layers], built_from))
    return model


def build_record_of(model: "keras.Model") -> BuildRecord:
    """What a model was built from; errors as in `config_of`."""
    from .locate import check_model, holder_of

    check_model(model)
    if found := RECORDS.get(model) or RECORDS.get(holder_of(model)):
        return found
    if any(is_of_task(layer.name) for layer in model.layers):
        raise ValueError(
            f"{model.name!r} has a decoder, which no config describes: model.save keeps the whole "
            "model, write_weights(model, file, names='smp') its weights under the names of "
            "segmentation_models.pytorch, and unet, fpn or deeplab with the same arguments builds "
            "it again"
        )
    raise ValueError(
        f"the config of {model.name!r} is unknown: only the model that ResnetBuilder returned in "
        "this process has one, and no copy of it, nor what is loaded from a file. Write "
        "ResnetBuilder.to_json(model) to a file beside it, and build it by ResnetBuilder.from_json."
        " Or build the same network by from_preset, new = ResnetBuilder.from_preset(...), and "
        "load_weights(new, model), which compares the layers"
    )


def config_of(model: "keras.Model") -> ResnetConfig:
    """Return the config that a model was built from, with its input shape and number of classes.

    The config is kept beside the model, in this process. A file has no room for it, as a saved
    model consists of core Keras layers only: keep `ResnetBuilder.to_json(model)` beside the file.

    Args:
        model: a model that `ResnetBuilder` returned, trained or not, or one that has it as a layer.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model with several of them, or any other one: one that is loaded, a copy
            (`keras.models.clone_model`, `without_blocks`, `fold_batch_norm`), or `keras.Model` of
            its layers.

    Example:
        >>> from resnet_builder import ResnetBuilder, compare, config_of
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 1), 10, se_ratio=0.25)
        >>> config = config_of(model)
        >>> config.input_shape, config.classes, config.se_ratio
        ((64, 64, 1), 10, 0.25)
        >>> [difference.field for difference in compare("resnet18", config).differences]
        ['se_ratio', 'input_shape', 'classes']
    """
    return build_record_of(model).config


def json_of(model: "keras.Model") -> str:
    """The arguments of `ResnetBuilder.from_preset` that build a model, as JSON."""
    record = build_record_of(model)
    return json.dumps({"preset": fields_of(record.config), **record.options})


def arguments_in(text: str) -> dict[str, Any]:
    """The arguments of `ResnetBuilder.from_preset` in JSON."""
    arguments = parsed_json(text)
    if not isinstance(arguments, dict) or "preset" not in arguments:
        raise ValueError(
            "the JSON of a network is an object of the arguments of ResnetBuilder.from_preset, "
            f'with a "preset"; got {shortened(text)!r}'
        )
    if isinstance(arguments["preset"], dict):
        arguments["preset"] = config_of_fields(arguments["preset"])
    return arguments
