"""ResnetBuilder: Keras models from a preset, a config or the article's arguments."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Unpack

import keras

from .common.checks import choice, positive_int, unknown
from .common.shapes import AXIS_ORDERS, image_shape, in_order
from .config import FIELDS, ORIGINAL, BlockFunction, ResnetConfig, obeyed, repetition_list
from .files.opening import opened
from .model.assemble import assemble
from .model.keras_layers import Style
from .model.keras_limits import without_tensorflow
from .model.record import BuildRecord, arguments_in, json_of, recorded
from .plan.names import CLASSIFIER
from .plan.network import Dilation, Head, Plan, Pooling, make_plan
from .presets.checkpoints import PublishedWeights
from .presets.resolve import Named, check_published, resolve
from .training.remat import rematerialize
from .weights.expected import expected_weights
from .weights.load import load_blank, load_weights
from .weights.match import Recognised
from .weights.recognise import recognise

if TYPE_CHECKING:
    from .config import ActivationName
    from .options import BuildOptions, ConfigChanges, JsonOptions, PresetOptions


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
        classifier_activation: "ActivationName | None" = "softmax",
        weights: Any = None,
        adapt_weights: bool = False,
        dropout_rate: float = 0.0,
        data_format: str | None = None,
        dtype: Any = None,
        name: str | None = None,
        layer_prefix: str = "",
        features: list[str] | tuple[str, ...] | None = None,
        output_stride: int | None = None,
        dilate_first: bool = False,
        remat: bool | list[str] | tuple[str, ...] = False,
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
                `"resnet50.a1_in1k"`, by its repository of the Hugging Face Hub (timm's, or a ResNet
                of transformers such as `"microsoft/resnet-50"`), or by a local folder with the
                repository's files, with its input size and number of classes.
            input_shape: (rows, columns, channels), or (channels, rows, columns) for
                `data_format="channels_first"`; rows and columns may differ and may be None. A
                shape that looks as if in the other order, such as (64, 64, 3), is refused there.
                Default: the preset's own, or the checkpoint's.
            classes: units of the classifier. Default: as in the checkpoint if there is one, else
                as in the preset.
            include_top: whether to include the classifier. Without it the output is the last
                feature map, pooled if `pooling` is given.
            pooling: `"avg"`, `"max"`, or `"attention"` (CLIP's, which needs an input of known
                size). Default: with a classifier, `head_pool` of the config, else none.
            classifier_activation: name of a Keras activation; None gives logits. It is ignored if
                there is no classifier, as `classes` is with `include_top=False`, and if the network
                ends in an embedding (CLIP without `classes`).
            weights: a checkpoint, as in `load_weights`, or a word for one of the preset's that are
                free to use. `"imagenet"`: with the highest top-1 at its input size. `"features"`:
                for frozen features and similarity, where a high top-1 is a poor guide; many have no
                classifier and need `include_top=False`. Its name is printed, unless by
                `keras.config.disable_interactive_logging()`. Weights that the network does not
                need, such as the classifier's without `include_top`, are skipped.
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
            dilate_first: whether the first block that would have halved the size is dilated as
                those after it (segmentation_models.pytorch), and not as those before it
                (torchvision, timm). It needs an `output_stride`.
            remat: whether to train in less memory, by `rematerialize`; or the parts to apply it to,
                such as `("stem", "stage1")`.
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
        style = Style(_axis_order(data_format), dtype, _checked_prefix(layer_prefix))
        network = _resolved(preset, input_shape, classes, weights, style, changes)
        own = network.options if include_top and _has_classifier(features) else {}
        rate = dropout_rate or own.get("dropout_rate", 0.0)
        head = Head(include_top, pooling or own.get("pooling"), classifier_activation, rate)
        dilation = Dilation(output_stride or network.output_stride, dilate_first)
        plan = make_plan(network.config, head, *dilation)
        outputs = None if features is None else _checked_features(features, plan, head, classes)
        # TensorFlow takes no name of a model that begins with "_" or "-".
        name = name or f"{layer_prefix}{network.name}".lstrip("_-")
        with _recognised(network, plan, adapt_weights, outputs) as found:
            if found and not network.classes and found.classes not in (None, plan.config.classes):
                plan = make_plan(plan.config.replace(classes=found.classes), head, *dilation)
            model = rematerialize(assemble(plan, style, name, outputs, blank=bool(found)), remat)
            if found:
                load_blank(model, plan, layer_prefix, found, adapt=adapt_weights)
        return recorded(model, _record(network, plan, head, style, name, outputs, dilation))

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
    def from_json(text: str, **options: Unpack["JsonOptions"]) -> keras.Model:
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
        return ResnetBuilder.from_preset(**{**arguments_in(text), **options})

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


def _article_preset(
    depth: int, input_shape: Sequence[int | None], num_outputs: int, options: "PresetOptions"
) -> keras.Model:
    call = f"build_resnet_{depth}({{}}, {{}})"
    return _article_network(f"keras_resnet{depth}", input_shape, num_outputs, options, call)


def _article_network(
    preset: str | ResnetConfig,
    input_shape: Sequence[int | None],
    num_outputs: int,
    options: "BuildOptions",
    call: str,
) -> keras.Model:
    """Build a network of the article's arguments; `call` is the call of them, for messages."""
    if "classes" in options:
        raise TypeError("classes is given twice: as num_outputs and as an option")
    num_outputs = positive_int(num_outputs, "num_outputs")
    shape = image_shape(
        input_shape,
        "channels_first",
        lambda corrected: f"ResnetBuilder.{call.format(corrected, num_outputs)}",
    )
    order = _axis_order(options.get("data_format"))
    # Resolved here, because the shape has been checked, and num_outputs cannot be left out.
    network: Any = resolve(
        preset, in_order(shape, order), num_outputs, data_format=order, corrected_call=None
    )
    return ResnetBuilder.from_preset(network, **options)


# Weights ----------------------------------------------------------------------------------------


@contextmanager
def _recognised(
    network: Named, plan: Plan, adapt: bool, features: Sequence[str] | None
) -> Iterator[Recognised | None]:
    """The checkpoint of a network; None if its weights are random."""
    if network.weights is None:
        if adapt:
            raise ValueError("adapt_weights applies only together with weights")
        yield None
        return
    check_published(network)
    if network.purpose and keras.config.is_interactive_logging_enabled():
        print(f'weights="{network.purpose}": {network.checkpoint}')
    expected, row = expected_weights(plan), network.weights
    needs_head = expected.classifier and _has_classifier(features) and not adapt
    if needs_head and isinstance(row, PublishedWeights) and not row.classes:
        raise ValueError(  # before the download
            f"{row.name!r} has no classifier: give include_top=False, or adapt_weights=True for a "
            "random one"
        )
    with opened(row) as checkpoint:
        yield recognise(checkpoint, expected)


# Options ----------------------------------------------------------------------------------------


def _resolved(
    preset: str | ResnetConfig,
    input_shape: Sequence[int | None] | None,
    classes: int | None,
    weights: object,
    style: Style,
    changes: "ConfigChanges",
) -> Named:
    """The network of the arguments of `from_preset`."""
    options = ResnetBuilder.from_preset.__kwdefaults__ or {}
    known = ("input_shape", "classes", *options, *FIELDS)
    for name in changes:
        if name in (load_weights.__kwdefaults__ or {}) and name not in known:
            raise TypeError(_of_load_weights(name))
        if name not in known:
            raise TypeError(unknown("option", name, known))
    [other] = AXIS_ORDERS.keys() - {style.data_format}
    network = resolve(
        preset,
        input_shape,
        classes,
        weights=weights,
        data_format=style.data_format,
        corrected_call=lambda shape: f"input_shape={shape}, or data_format={other!r}",
        **changes,
    )
    if network.config.has_custom_block:
        _check_own_block(style, network.weights)
    return network


def _of_load_weights(option: str) -> str:
    if option == "adapt":
        return "adapt is an option of load_weights: it is adapt_weights in from_preset"
    return (
        f"{option} is an option of load_weights: build the model without weights, and "
        f"load_weights(model, weights, {option}=...)"
    )


def _check_own_block(style: Style, weights: object) -> None:
    if weights is not None:
        raise ValueError(
            "the layers of a custom block function have their own names: build without weights, "
            "and load a file that the same network wrote with model.load_weights(file)"
        )
    if style.data_format != keras.config.image_data_format():
        raise ValueError(
            f"a custom block function uses Keras's global order of axes: call "
            f"keras.config.set_image_data_format({style.data_format!r}) instead of giving "
            "data_format"
        )
    if style.dtype is not None:
        raise ValueError(
            "a custom block function uses Keras's global dtype policy: call "
            "keras.config.set_dtype_policy instead of giving dtype"
        )


def _axis_order(given: object) -> str:
    if given is None:
        return str(keras.config.image_data_format())
    return choice(given, AXIS_ORDERS, "data_format")


def _checked_prefix(prefix: object) -> str:
    if not isinstance(prefix, str):
        raise TypeError(f"layer_prefix must be a string, got {prefix!r}")
    if not re.fullmatch(r"[A-Za-z0-9_.-]*", prefix):
        raise ValueError(
            "layer_prefix must be made of letters and digits of ASCII, '_', '.' and '-', "
            f"got {prefix!r}"
        )
    if "." in prefix and keras.backend.backend() == "torch":
        raise ValueError(
            "with Keras on torch a layer_prefix has no '.', because PyTorch's names of parameters "
            f"have none: {prefix.replace('.', '_')!r} instead of {prefix!r}"
        )
    return prefix


def _has_classifier(features: object) -> bool:
    return not isinstance(features, Sequence) or CLASSIFIER in features


def _checked_features(
    features: Sequence[str], plan: Plan, head: Head, classes: int | None
) -> tuple[str, ...]:
    known = list(plan.outputs)
    is_group = isinstance(features, Iterable) and not isinstance(features, str)
    wanted = tuple(features) if is_group else ()
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
    of_head = {"pooling": head.pooling, "dropout_rate": head.dropout_rate, "classes": classes}
    for option, value in of_head.items():
        if value and CLASSIFIER not in wanted:
            raise ValueError(
                f"features without {CLASSIFIER!r} leave out the head, so {option}={value!r} does "
                f"not apply; leave it out, or add {CLASSIFIER!r} to the features"
            )
    return wanted


@without_tensorflow()
def _record(
    network: Named,
    plan: Plan,
    head: Head,
    style: Style,
    name: str,
    features: Sequence[str] | None,
    dilation: Dilation,
) -> BuildRecord:
    """What a model is built from."""
    policy = keras.dtype_policies.get(style.dtype)
    is_plain = type(policy) is keras.DTypePolicy  # of which the name says all
    others = {
        "data_format": style.data_format,
        "dtype": policy.name if is_plain else keras.dtype_policies.serialize(policy),
        "name": name,
        "layer_prefix": style.prefix,
        "features": features,
        **dilation._asdict(),
    }
    checkpoint = network.weights if isinstance(network.weights, PublishedWeights) else None
    return BuildRecord(plan.config, asdict(head) | others, checkpoint)
