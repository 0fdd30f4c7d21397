"""profile: parameters, multiply-adds and Table 1 of a network. No Keras until given a model."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..common.shapes import Shape, image_shape
from ..config import ResnetConfig
from ..plan.layers import Classifier, Conv, GlobalPool, Part, Plan, Pool, SqueezeExcite
from ..plan.network import make_plan
from ..presets import find_config
from .report import Profile, StageProfile, known_sum

if TYPE_CHECKING:
    import keras


def profile(
    source: "str | ResnetConfig | keras.Model",
    input_shape: Any = None,
    classes: int | None = None,
) -> Profile:
    """Count a network's parameters and multiply-adds, stage by stage.

    Names and configs are counted from their plan, without Keras. Of any functional or sequential
    Keras model, convolutions of every kind, dense and einsum-dense layers and multi-head attention
    are counted; what is not is named in `uncounted`.

    Args:
        source: a preset's name, a `ResnetConfig`, or a Keras model.
        input_shape: (rows, columns, channels), or a model's own order. Default: the source's own.
        classes: of a preset or config. Default: its own.

    Raises:
        TypeError: a source of another kind; `classes` with a model.
        ValueError: an unknown name; a model without a graph.

    Example:
        >>> counts = profile("resnet50")
        >>> counts.parameters, counts.macs
        (25557032, 4089184256)
        >>> print(profile("resnet20_cifar"))
        resnet20_cifar, 32x32x3
        stage    output    layers              parameters    multiply-adds
        -------  --------  ----------------  ------------  ---------------
        stem     32x32     3x3, 16                    464          442,368
        stage1   32x32     ⎡3x3, 16⎤ x 3           14,016       14,155,776
                           ⎣3x3, 16⎦
        stage2   16x16     ⎡3x3, 32⎤ x 3           51,072       12,976,128
                           ⎣3x3, 32⎦
        stage3   8x8       ⎡3x3, 64⎤ x 3          203,520       12,976,128
                           ⎣3x3, 64⎦
        head     1x1       average pool               650              640
                           10-d fc, softmax
        total                                     269,722       40,551,040
        271,098 parameters in all; 1,376 are not trained
    """
    if not isinstance(source, str | ResnetConfig):
        from .models import profile_model

        return profile_model(source, input_shape, classes)
    config = configured(source, input_shape, classes)
    if callable(config.block):
        from ..builder import ResnetBuilder
        from .models import profile_model

        return profile_model(ResnetBuilder.from_config(config))
    return profile_plan(make_plan(config), source if isinstance(source, str) else "resnet")


def configured(
    source: str | ResnetConfig, input_shape: Any = None, classes: int | None = None
) -> ResnetConfig:
    """A preset's config, or the one that is given, at that input shape and number of classes."""
    config = find_config(source)
    if input_shape is not None:
        shape = image_shape(input_shape, corrected_call=lambda right: f"input_shape={right}")
        config = config.replace(input_shape=shape)
    return config if classes is None else config.replace(classes=classes)


def profile_plan(plan: Plan, name: str) -> Profile:
    """The counts of a plan, under a name."""
    stages = [_row("stem", plan.stem, map(_words, plan.stem))]
    for stage in plan.stages:
        block = stage.blocks[-1]
        stages.append(_row(stage.name, stage.parts, map(_words, block.residual), len(stage.blocks)))
    stages.append(_row("head", plan.head, map(_words, plan.head)))
    parameters = sum(row.parameters for row in stages)
    return Profile(
        name=name,
        input_shape=plan.config.input_shape,
        parameters=parameters,
        total_parameters=parameters + sum(part.statistics for part in plan.parts),
        macs=known_sum(row.macs for row in stages),
        stages=tuple(stages),
    )


def _row(name: str, parts: Iterable[Part], words: Iterable[str], repeats: int = 1) -> StageProfile:
    parts = list(parts)
    shape: Shape = parts[-1].output_shape if parts else (None, None, 0)
    return StageProfile(
        name=name,
        output_size=shape[:2],
        block=tuple(word for word in words if word),
        repeats=repeats,
        parameters=sum(part.parameters for part in parts),
        macs=known_sum(part.macs for part in parts),
    )


# The words of Table 1 ---------------------------------------------------------------------------


def _words(part: Part) -> str:
    match part:
        case Conv():
            words = [f"{part.kernel_size}x{part.kernel_size}", str(part.filters)]
            if part.groups > 1:
                words.append(f"{part.groups} groups")
            if part.dilation > 1:
                words.append(f"dilation {part.dilation}")
            return ", ".join(words + _stride_words(part))
        case Pool():
            size = f"{part.pool_size}x{part.pool_size} {part.kind} pool"
            return ", ".join([size, *_stride_words(part)])
        case SqueezeExcite():
            return f"SE, {part.reduced}"
        case GlobalPool():
            return {"avg": "average pool", "max": "max pool"}[part.kind]
        case Classifier():
            return ", ".join(filter(None, [f"{part.classes}-d fc", part.activation]))
        case _:
            return ""


def _stride_words(part: Part) -> list[str]:
    return [f"stride {part.strides[0]}"] if part.strides[0] > 1 else []
