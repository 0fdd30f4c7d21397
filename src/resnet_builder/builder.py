"""ResnetBuilder: Keras models from a preset, a config or the article's arguments."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Unpack

import keras

from .common.checks import look_up, positive_int, unknown
from .common.shapes import AXIS_ORDERS, image_shape, in_order
from .config import ORIGINAL, UNSEEN, BlockFunction, ResnetConfig, obeyed, repetition_list
from .files.checkpoint import Checkpoint
from .files.opening import opened
from .model.assemble import assemble
from .model.initializers import DrawnKernels, blank, restore_initializers
from .model.keras_layers import Style
from .model.record import BuildRecord, arguments_in, json_of, record
from .plan.names import CLASSIFIER
from .plan.network import Head, Plan, Pooling, make_plan
from .presets.checkpoints import in_table, recommended
from .presets.networks import PRESETS
from .presets.resolve import resolve
from .weights.load import load_checkpoint
from .weights.recognise import contents

if TYPE_CHECKING:
    from .options import BuildOptions, ConfigChanges, PresetOptions


class ResnetBuilder:
    """Residual networks as plain Keras functional models, made of core Keras layers only.

    `from_preset` builds any network of `list_presets()`; `build` and `build_resnet_18` to
    `build_resnet_152` are the article's interface and build the article's networks.

    Example:
        >>> ResnetBuilder.from_preset("resnet18", classes=10).output_shape
        (None, 10)
        >>> ResnetBuilder.build_resnet_18((3, 224, 224), 10).output_shape
        (None, 10)
    """

    @staticmethod
    def from_preset(
        preset: str | ResnetConfig,
        input_shape: Sequence[int | None] | None = None,
        classes: int | None = None,
        *,
        include_top: bool = True,
        pooling: Pooling | None = None,
        classifier_activation: str | None = "softmax",
        weights: Any = None,
        adapt_weights: bool = False,
        dropout_rate: float = 0.0,
        data_format: str | None = None,
        dtype: Any = None,
        name: str | None = None,
        layer_prefix: str = "",
        features: Sequence[str] | None = None,
        output_stride: int | None = None,
        **changes: Unpack["ConfigChanges"],
    ) -> keras.Model:
        """Build a published network by its name.

        Every layer divides a size by its stride and rounds up, so every size from 1x1 works: a
        side no longer than the network's total stride (32 for ImageNet's networks) becomes 1. Only
        a stem's pool without incomplete windows (`anti_aliasing="avg"`, `stem_pool="max_ceil"`)
        needs an image of 3x3.

        To load a saved network of more than about three hundred blocks, such as
        `resnet1202_cifar`, call `sys.setrecursionlimit(5000)` first: Keras finds its layers by
        recursion.

        Args:
            preset: one of `list_presets()`; or a checkpoint, by a name of `list_weights()` such as
                `"resnet50.a1_in1k"`, by its repository of the Hugging Face Hub, or by a local
                folder with the repository's files, with its input size and number of classes.
            input_shape: (rows, columns, channels), or (channels, rows, columns) for
                `data_format="channels_first"`; rows and columns may differ and may be None. A
                shape that looks as if in the other order, such as (64, 64, 3), is refused there.
                Default: the preset's own, or the checkpoint's.
            classes: units of the classifier. Default: those of the checkpoint if there is one, else
                the preset's own.
            include_top: whether to include the classifier. Without it the output is the last
                feature map, pooled if `pooling` is given.
            pooling: `"avg"` (the default of a network with a classifier), `"max"`, or None.
            classifier_activation: name of a Keras activation; None gives logits. It is ignored if
                there is no classifier, as `classes` is with `include_top=False`.
            weights: a checkpoint, as in `load_weights`, or `"imagenet"`: the preset's checkpoint
                with the highest top-1 at its input size among those that are free to use. Its name
                is printed, unless by `keras.config.disable_interactive_logging()`. Weights that the
                network does not need, such as the classifier's without `include_top`, are skipped.
                Default: the checkpoint that `preset` names, or random weights if it names none.
            adapt_weights: whether the checkpoint may differ in the number of classes (the
                classifier is then random) and of input channels (the stem's kernel is summed, or
                repeated and rescaled): `adapt` of `load_weights`.
            dropout_rate: fraction of the pooled features dropped before the classifier during
                training.
            data_format: `"channels_last"` or `"channels_first"`. Default:
                `keras.config.image_data_format()`.
            dtype: dtype or dtype policy of every layer, such as `"mixed_bfloat16"`. Default: the
                global policy. Under a mixed policy the classifier's output is in full precision.
                To train with weight decay in a pure dtype such as `"float64"`, set
                `keras.config.set_floatx` to it: Keras adds loss and penalty without a cast.
            name: name of the model. Default: `layer_prefix` and the preset's or checkpoint's name.
            layer_prefix: prefix of every layer's name.
            features: stages to return the outputs of, such as `("stage2", "stage4")`, or `"stem"`
                for the map before the stem's pool; `"predictions"` for the classifier's output.
                The model's output is then a dict of them. Without `"predictions"` there is no
                head, and its options, such as `classes`, are refused. The maps of a pre-activated
                network are not activated. `feature_info` gives their strides and channels.
            output_stride: 8, 16 or 32 (any stride that the network reaches): later stages keep
                their size and dilate their convolutions instead (arXiv:1606.00915).
            **changes: fields of `ResnetConfig` to change: see `help(ResnetConfig)`.

        Returns:
            A functional model from (batch, *input_shape) to (batch, classes), or to the outputs
            that `include_top`, `pooling` and `features` select.

        Raises:
            TypeError: an unknown option or a value of the wrong type.
            ValueError: an unknown name or an invalid value; the message lists the valid ones.
            OSError, ImportError: the checkpoint cannot be loaded, as in `load_weights`.

        Example:
            >>> model = ResnetBuilder.from_preset("resnet18", (None, None, 3), classes=10)
            >>> model.output_shape
            (None, 10)
            >>> maps = ResnetBuilder.from_preset("resnet18", features=("stage2", "stage4"))
            >>> {stage: tensor.shape for stage, tensor in maps.output.items()}
            {'stage2': (None, 28, 28, 128), 'stage4': (None, 7, 7, 512)}
            >>> both = ResnetBuilder.from_preset("resnet18", features=("stage4", "predictions"))
            >>> {name: tensor.shape for name, tensor in both.output.items()}
            {'stage4': (None, 7, 7, 512), 'predictions': (None, 1000)}
        """
        order = _data_format(data_format)
        best = recommended(preset) if _is_imagenet(weights) else None
        if best and input_shape is None:
            input_shape = in_order(best.input_shape, order)
        named = resolve(
            preset,
            input_shape,
            classes,
            data_format=order,
            corrected_call=_order_explained(input_shape, order),
            **_config_fields(changes),
        )
        output_stride = output_stride or named.output_stride
        has_features = isinstance(features, Sequence) and CLASSIFIER not in features
        if include_top and not has_features:
            pooling = pooling or named.options.get("pooling")
            dropout_rate = dropout_rate or named.options.get("dropout_rate", 0.0)
        if checkpoint := best or (named.checkpoint if weights is None else None):
            weights = checkpoint.source
        _check_own_block(named.config, order, dtype, weights)
        head = Head(
            include_top=include_top,
            pooling=pooling,
            classifier_activation=classifier_activation,
            dropout_rate=dropout_rate,
        )
        plan = make_plan(named.config, head, output_stride)
        outputs = None
        if features is not None:
            # The article's num_outputs cannot be left out.
            given = None if isinstance(input_shape, _CheckedShape) else classes
            outputs = _checked_features(features, plan, head, given)
        style = Style(order, dtype, _checked_prefix(layer_prefix), kernels=blank)
        # TensorFlow takes no name of a model that begins with "_" or "-".
        name = name or f"{layer_prefix}{named.name}".lstrip("_-")
        options = asdict(head) | {
            "data_format": order,
            "dtype": _dtype_as_data(dtype),
            "name": name,
            "layer_prefix": layer_prefix,
            "features": outputs,
            "output_stride": output_stride,
        }
        if weights is None:
            if adapt_weights:
                raise ValueError("adapt_weights has no meaning without weights")
            with DrawnKernels(plan.layers, style.full_precision) as kernels:
                model = assemble(plan, replace(style, kernels=kernels), name, outputs)
            record(model, BuildRecord(plan.config, options))
            restore_initializers(model, plan.layers, layer_prefix)
        else:
            _check_published(weights, preset, named.config)
            if best:
                _say(f'weights="imagenet": {best}')
            with opened(weights) as tensors:
                if classes is None and (found := contents(tensors, plan).classes):
                    plan = make_plan(named.config.replace(classes=found), head, output_stride)
                model = assemble(plan, style, name, outputs)
                record(model, BuildRecord(plan.config, options))
                _load_blank(model, plan, layer_prefix, tensors, adapt=adapt_weights)
        return model

    @staticmethod
    def from_config(
        config: ResnetConfig,
        input_shape: Sequence[int | None] | None = None,
        classes: int | None = None,
        **options: Unpack["PresetOptions"],
    ) -> keras.Model:
        """Build the network of a `ResnetConfig`; arguments and errors as in `from_preset`.

        Example:
            >>> from resnet_builder import ResnetConfig
            >>> config = ResnetConfig(block="basic_block", repetitions=(1, 1), filters=16)
            >>> ResnetBuilder.from_config(config, (28, 28, 1), classes=10).output_shape
            (None, 10)
        """
        if not isinstance(config, ResnetConfig):
            raise TypeError(f"from_config takes a ResnetConfig, got {config!r}")
        return ResnetBuilder.from_preset(config, input_shape, classes, **options)

    @staticmethod
    def to_json(model: keras.Model) -> str:
        """Return what a model was built from as JSON text, to build it again on another machine.

        The text is an object of the arguments of `from_preset`, with all fields of the config as
        its `"preset"`. It holds everything but the weights, and nothing that depends on Keras's
        global settings. Keep it beside the files of an experiment, from its beginning.

        Args:
            model: a model that `ResnetBuilder` returned, or one that has it as a layer: the text is
                of the network alone.

        Raises:
            TypeError: not a Keras model, or one with a custom block function.
            ValueError: a model without a config, as in `config_of`.

        Example:
            >>> import json
            >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 1), 10, output_stride=8)
            >>> experiment = json.dumps({"model": json.loads(ResnetBuilder.to_json(model))})
            >>> text = json.dumps(json.loads(experiment)["model"])
            >>> same = ResnetBuilder.from_json(text)
            >>> same.get_config() == model.get_config()
            True
        """
        return json_of(model)

    @staticmethod
    def from_json(text: str, **options: Any) -> keras.Model:
        """Build a network from the JSON of `to_json`, or of arguments of `from_preset`.

        Args:
            text: JSON object of arguments of `from_preset`; its `"preset"` is a name, or an object
                of the fields of a `ResnetConfig`.
            **options: arguments of `from_preset` that take precedence, such as `weights`.

        Raises:
            ValueError: no JSON, or not such an object.
            TypeError, ValueError: as in `from_preset`.

        Example:
            >>> text = '{"preset": "resnet18", "classes": 10, "stem": "cifar"}'
            >>> ResnetBuilder.from_json(text, input_shape=(32, 32, 3)).count_params()
            11183562
        """
        return ResnetBuilder.from_preset(**arguments_in(text) | options)

    @staticmethod
    def build(
        input_shape: Sequence[int | None],
        num_outputs: int,
        block_fn: str | BlockFunction,
        repetitions: Sequence[int],
        **options: Unpack["BuildOptions"],
    ) -> keras.Model:
        """Build a network as the article does; without options, exactly the article's.

        Args:
            input_shape: (channels, rows, columns), regardless of the model's own order of axes;
                rows and columns may be None.
            num_outputs: units of the classifier.
            block_fn: `"basic_block"`, `"bottleneck"`, or a custom function that is called as
                `block_fn(filters=, init_strides=, is_first_block_of_first_layer=)` and returns a
                function from tensor to tensor. A custom block names its own layers and follows
                Keras's global settings for the order of axes and the dtype.
            repetitions: blocks per stage, for at least one stage; at every stage after the first
                the filters double and the size halves.
            **options: the keyword arguments of `from_preset`.

        Returns:
            A functional model that ends in a softmax.

        Raises:
            TypeError, ValueError: as in `from_preset`; also for an `input_shape` that looks like
                (rows, columns, channels), with the corrected call in the message.

        Example:
            >>> model = ResnetBuilder.build((3, 32, 32), 10, "basic_block", [1, 1])
            >>> model.count_params()
            316170
        """
        if "block" in options:
            raise TypeError("block is given twice: as block_fn and as an option")
        block: Any = block_fn
        config = ResnetConfig(block=block, repetitions=repetition_list(repetitions), **ORIGINAL)
        return _article_network(
            obeyed(config), input_shape, num_outputs, options, "build({}, {}, ...)"
        )

    @staticmethod
    def build_resnet_18(
        input_shape: Sequence[int | None], num_outputs: int, **options: Unpack["PresetOptions"]
    ) -> keras.Model:
        """Build the article's ResNet-18; arguments and errors as in `build`.

        Example:
            >>> ResnetBuilder.build_resnet_18((3, 32, 32), 10).count_params()
            11192458
        """
        return _article_preset(18, input_shape, num_outputs, options)

    @staticmethod
    def build_resnet_34(
        input_shape: Sequence[int | None], num_outputs: int, **options: Unpack["PresetOptions"]
    ) -> keras.Model:
        """Build the article's ResNet-34; arguments and errors as in `build`.

        Example:
            >>> ResnetBuilder.build_resnet_34((3, 32, 32), 10).count_params()
            21311754
        """
        return _article_preset(34, input_shape, num_outputs, options)

    @staticmethod
    def build_resnet_50(
        input_shape: Sequence[int | None], num_outputs: int, **options: Unpack["PresetOptions"]
    ) -> keras.Model:
        """Build the article's ResNet-50; arguments and errors as in `build`.

        Example:
            >>> ResnetBuilder.build_resnet_50((3, 32, 32), 10).count_params()
            23592842
        """
        return _article_preset(50, input_shape, num_outputs, options)

    @staticmethod
    def build_resnet_101(
        input_shape: Sequence[int | None], num_outputs: int, **options: Unpack["PresetOptions"]
    ) -> keras.Model:
        """Build the article's ResNet-101; arguments and errors as in `build`.

        Example:
            >>> ResnetBuilder.build_resnet_101((3, 32, 32), 10).count_params()
            42663306
        """
        return _article_preset(101, input_shape, num_outputs, options)

    @staticmethod
    def build_resnet_152(
        input_shape: Sequence[int | None], num_outputs: int, **options: Unpack["PresetOptions"]
    ) -> keras.Model:
        """Build the article's ResNet-152; arguments and errors as in `build`.

        Example:
            >>> ResnetBuilder.build_resnet_152((3, 32, 32), 10).count_params()
            58376074
        """
        return _article_preset(152, input_shape, num_outputs, options)


# The article's arguments ------------------------------------------------------------------------


def _article_preset(depth: int, input_shape: Any, num_outputs: Any, options: Any) -> keras.Model:
    call = f"build_resnet_{depth}({{}}, {{}})"
    return _article_network(f"keras_resnet{depth}", input_shape, num_outputs, options, call)


def _article_network(
    preset: str | ResnetConfig,
    input_shape: Any,
    num_outputs: Any,
    options: Any,
    call: str,
) -> keras.Model:
    if "classes" in options:
        raise TypeError("classes is given twice: as num_outputs and as an option")
    num_outputs = positive_int(num_outputs, "num_outputs")
    shape = image_shape(
        input_shape,
        "channels_first",
        lambda corrected: f"ResnetBuilder.{call.format(corrected, num_outputs)}",
    )
    order = _data_format(options.get("data_format"))
    options = options | {"data_format": order}
    checked = _CheckedShape(in_order(shape, order))
    return ResnetBuilder.from_preset(preset, checked, num_outputs, **options)


class _CheckedShape(tuple[int | None, ...]):
    """The article's input shape, in the model's order of axes, whatever it looks like."""


# Weights ----------------------------------------------------------------------------------------


def _is_imagenet(weights: Any) -> bool:
    return isinstance(weights, str) and weights == "imagenet"


def _load_blank(
    model: keras.Model, plan: Plan, prefix: str, tensors: Checkpoint, *, adapt: bool
) -> None:
    """Load a checkpoint into a blank model, and give its layers their initialisers."""
    _, left_random = load_checkpoint(
        model, tensors, adapt=adapt, adapt_argument="adapt_weights", restore=False
    )
    restore_initializers(model, plan.layers, prefix, {layer for layer, _ in left_random})


def _check_published(weights: Any, preset: str | ResnetConfig, config: ResnetConfig) -> None:
    """Refuse a checkpoint of another preset in the table, which its shapes may not show."""
    row = in_table(weights) if isinstance(weights, str) else None
    if not row or not isinstance(preset, str) or preset == row.preset:
        return
    published = PRESETS[row.preset]
    if any(getattr(config, field) != getattr(published, field) for field in UNSEEN):
        raise ValueError(
            f"{weights!r} is a checkpoint of {row.preset!r}, not of {preset!r}: give "
            f"{row.preset!r} as the preset"
        )


def _say(text: str) -> None:
    if keras.config.is_interactive_logging_enabled():
        print(text)


# Checks -----------------------------------------------------------------------------------------


OPTIONS = tuple(signature(ResnetBuilder.from_preset).parameters)[1:-1]


def _config_fields(changes: Any) -> Any:
    """Return `changes` if all are fields of a config."""
    known = (*OPTIONS, *(field.name for field in fields(ResnetConfig)))
    for name in changes:
        if name not in known:
            raise TypeError(unknown("option", name, known))
    return changes


def _data_format(given: Any) -> str:
    if given is None:
        return str(keras.config.image_data_format())
    look_up(AXIS_ORDERS, given, "data_format")
    return str(given)


def _dtype_as_data(dtype: Any) -> Any:
    """A dtype policy by name if that says all; None is the global one."""
    policy = keras.dtype_policies.get(dtype)
    return (
        policy.name if type(policy) is keras.DTypePolicy else keras.dtype_policies.serialize(policy)
    )


def _order_explained(
    input_shape: Any, order: str
) -> Callable[[tuple[int | None, ...]], str] | None:
    """What `image_shape` writes for a shape in the other order; None to accept it."""
    if isinstance(input_shape, _CheckedShape):
        return None
    [other] = AXIS_ORDERS.keys() - {order}
    return lambda corrected: f"input_shape={corrected}, or data_format={other!r}"


def _checked_prefix(prefix: Any) -> str:
    if not isinstance(prefix, str):
        raise TypeError(f"layer_prefix must be a string, got {prefix!r}")
    if not re.fullmatch(r"[A-Za-z0-9_.-]*", prefix):
        raise ValueError(
            "layer_prefix must be made of letters and digits of ASCII, '_', '.' and '-', "
            f"got {prefix!r}"
        )
    return prefix


def _check_own_block(config: ResnetConfig, order: str, dtype: Any, weights: Any) -> None:
    if not config.has_custom_block:
        return
    if weights is not None:
        raise ValueError(
            "the layers of a custom block function have their own names: build without weights, "
            "and load a file that the same network wrote with model.load_weights(file)"
        )
    if order != keras.config.image_data_format():
        raise ValueError(
            f"a custom block function uses Keras's global order of axes: call "
            f"keras.config.set_image_data_format({order!r}) instead of giving data_format"
        )
    if dtype is not None:
        raise ValueError(
            "a custom block function uses Keras's global dtype policy: call "
            "keras.config.set_dtype_policy instead of giving dtype"
        )


def _checked_features(features: Any, plan: Plan, head: Head, classes: Any) -> tuple[str, ...]:
    known = list(plan.outputs)
    try:
        wanted = () if isinstance(features, str) else tuple(features)
    except TypeError:
        wanted = ()
    if not wanted:
        raise TypeError(
            f"features must be one or more of {', '.join(map(repr, known))} in a tuple or list, "
            f"got {features!r}"
        )
    for feature in wanted:
        if feature == CLASSIFIER and not head.include_top:
            raise ValueError(f"{CLASSIFIER!r} among the features needs include_top=True")
        if feature not in known:
            raise ValueError(unknown("feature", feature, known))
    if CLASSIFIER in wanted:
        return wanted
    of_head = {"pooling": head.pooling, "dropout_rate": head.dropout_rate, "classes": classes}
    for option, value in of_head.items():
        if value:
            raise ValueError(
                f"features without {CLASSIFIER!r} leave out the head: {option}={value!r} has no "
                f"meaning; leave it out, or add {CLASSIFIER!r} to the features"
            )
    return wanted
