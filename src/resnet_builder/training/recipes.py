"""The published recipes, as one table, and `compile_recipe`, which applies one to a model."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import keras

from ..common.catalogue import Catalogue
from ..common.checks import choice, look_up, positive_int
from ..model.graph import model_graph
from ..model.network import check_model, model_inside
from .decay import decay
from .momentum import fuse_updates
from .preparing import prepare

Labels = Literal["integer", "one_hot"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training recipe. Times are fractions of the whole training.

    Attributes:
        source: paper and section.
        learning_rate: highest learning rate for batches of `batch_size`; proportional for others
            (arXiv:1706.02677, 2.1).
        batch_size: images per step.
        drops: times at which the learning rate is multiplied by `drop`; empty for a cosine decay.
        drop: factor of each drop.
        warm_up: duration of the warm-up: a tenth of the learning rate before `drops`, or a ramp
            from zero before a cosine.
        momentum: momentum of stochastic gradient descent.
        nesterov: whether to use Nesterov momentum.
        weight_decay: factor of a weight in its own gradient, before momentum.
        decays: names of the variables that decay; empty for all.
        label_smoothing: probability that the wrong classes share.

    Example:
        >>> from resnet_builder import RECIPES
        >>> recipe = RECIPES["wrn2016"]
        >>> recipe.drops, recipe.drop, recipe.nesterov
        ((0.3, 0.6, 0.8), 0.2, True)
    """

    source: str
    learning_rate: float = 0.1
    batch_size: int = 256
    drops: tuple[float, ...] = ()
    drop: float = 0.1
    warm_up: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    decays: tuple[str, ...] = ()
    label_smoothing: float = 0.0


class Recipes(Catalogue[Recipe]):
    """The published training recipes by name: a read-only mapping.

    `compile_recipe` compiles a model by one of them: `he2015` and `he2015_cifar` (the ResNet
    paper, for ImageNet and CIFAR), `wrn2016` (wide networks on CIFAR), `bag_of_tricks` (warm-up,
    cosine decay, smoothed labels), `fine_tune` (a small rate without decay, from a checkpoint).

    Example:
        >>> from resnet_builder import RECIPES
        >>> for name, recipe in RECIPES.items():
        ...     print(name, recipe.learning_rate, recipe.batch_size, recipe.source)
        he2015 0.1 256 arXiv:1512.03385, 3.4
        he2015_cifar 0.1 128 arXiv:1512.03385, 4.2
        wrn2016 0.1 128 arXiv:1605.07146, 3
        bag_of_tricks 0.1 256 arXiv:1812.01187, 2.1, 3.1, 5.1 and 5.2
        fine_tune 0.003 512 arXiv:1912.11370 (BiT-HyperRule), 3.3
    """


RECIPES = Recipes(
    {
        # The paper drops the rate "when the error plateaus"; the epochs are those of its authors'
        # successor, facebook/fb.resnet.torch (train.lua), as is the decay of all variables.
        "he2015": Recipe(source="arXiv:1512.03385, 3.4", drops=(30 / 90, 60 / 90)),
        # 400, 32,000 and 48,000 of 64,000 iterations. The paper warms up only the network of 110
        # layers.
        "he2015_cifar": Recipe(
            source="arXiv:1512.03385, 4.2", batch_size=128, warm_up=400 / 64_000, drops=(0.5, 0.75)
        ),
        "wrn2016": Recipe(
            source="arXiv:1605.07146, 3",
            batch_size=128,
            drops=(60 / 200, 120 / 200, 160 / 200),
            drop=0.2,
            nesterov=True,
            weight_decay=5e-4,
        ),
        "bag_of_tricks": Recipe(
            source="arXiv:1812.01187, 2.1, 3.1, 5.1 and 5.2",
            warm_up=5 / 120,
            nesterov=True,
            decays=("kernel",),
            label_smoothing=0.1,
        ),
        "fine_tune": Recipe(
            source="arXiv:1912.11370 (BiT-HyperRule), 3.3",
            learning_rate=0.003,
            batch_size=512,
            drops=(0.3, 0.6, 0.9),
            weight_decay=0.0,
        ),
    }
)
"""The published training recipes: name -> recipe. The mapping is read-only."""


def compile_recipe(
    model: keras.Model,
    recipe: str = "he2015",
    *,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    labels: Labels | None = None,
    loss: Any = None,
    metrics: Iterable[Any] = ("accuracy",),
    jit_compile: bool | Literal["auto"] = "auto",
    **options: Any,
) -> keras.Model:
    """Compile a classifier with the optimizer, schedule, weight decay and loss of a recipe.

    The optimizer and the metrics are built immediately, so that the first training step is traced
    once instead of twice.

    Weight decay is an L2 penalty with a gradient that goes through the momentum, as in the papers;
    the decay of Keras's `SGD(weight_decay=)` does not, and is ten times weaker. It replaces the
    regularizers of the layers and is saved with the model. Freeze layers before this call.

    Args:
        model: a network with one output, of probabilities (softmax or sigmoid) or logits (no
            activation): a vector, or a map such as a mask.
        recipe: a name in `RECIPES`.
        epochs: epochs of the whole training, which the schedule is scaled to.
        steps_per_epoch: batches per epoch.
        batch_size: images per batch; the learning rate is proportional to it. Default: the
            recipe's.
        learning_rate: highest learning rate. Default: the recipe's for that batch size.
        labels: `"integer"` (batch,) or `"one_hot"` (batch, classes). Default: one-hot for a recipe
            with label smoothing, which Keras supports only for these, otherwise integer. Sigmoids
            and one logit have neither: their labels are of the output's shape.
        loss: loss, as in `compile`. Default: crossentropy, which is binary for sigmoids and for one
            logit, with the recipe's label smoothing.
        metrics: metrics, as in `compile`.
        jit_compile: whether to compile with XLA, as in `compile`.
        **options: other arguments of `compile`.

    Returns:
        The model.

    Raises:
        TypeError: not a Keras model, or numbers of another type.
        ValueError: an unknown recipe, numbers that are not positive, integer labels with label
            smoothing, labels with a loss or a sigmoid, or, without a loss, a model whose outputs
            are neither probabilities nor logits.

    Example:
        >>> from resnet_builder import ResnetBuilder, compile_recipe
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> model = compile_recipe(model, "he2015_cifar", epochs=164, steps_per_epoch=391)
        >>> print(f"{float(model.optimizer.learning_rate):.2f} at first, while it warms up")
        0.01 at first, while it warms up
    """
    check_model(model)
    found = look_up(RECIPES, recipe, "recipe")
    steps = positive_int(epochs, "epochs") * positive_int(steps_per_epoch, "steps_per_epoch")
    if learning_rate is None:
        images = found.batch_size if batch_size is None else positive_int(batch_size, "batch_size")
        learning_rate = found.learning_rate * images / found.batch_size
    elif not learning_rate > 0:
        raise ValueError(f"learning_rate must be more than 0, got {learning_rate!r}")
    if loss is None:
        loss = _loss(found, recipe, labels, model)
    elif labels is not None:
        raise ValueError("labels is for the recipe's own loss, and a loss is given")
    decay(model, found.weight_decay, found.decays)
    optimizer = keras.optimizers.SGD(
        schedule(found, learning_rate, steps), found.momentum, nesterov=found.nesterov
    )
    fuse_updates(optimizer)
    if model.dtype_policy.name == "mixed_float16":
        # As `compile` does, but so that it is saved with the model.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer,
        loss,
        metrics=list(metrics),
        jit_compile=jit_compile,
        **options,
    )
    if isinstance(loss, keras.losses.Loss):  # of others the shape of the labels is unknown
        shape = model.output_shape[1:]
        if isinstance(loss, keras.losses.SparseCategoricalCrossentropy):
            shape = shape[:-1]
        prepare(model, keras.ops.zeros((1, *(size or 1 for size in shape))))
    return model


def schedule(
    recipe: Recipe, learning_rate: float, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate schedule of a recipe, as an object of Keras."""
    warm_up = round(recipe.warm_up * steps)
    if not recipe.drops:
        return keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=learning_rate, warmup_steps=warm_up
        )
    ends = [round(share * steps) for share in recipe.drops]
    rates = [learning_rate * recipe.drop**number for number in range(len(ends) + 1)]
    if warm_up:
        ends, rates = [warm_up, *ends], [learning_rate / 10, *rates]
    # A boundary is the last step with the rate before it.
    return keras.optimizers.schedules.PiecewiseConstantDecay([end - 1 for end in ends], rates)


# Activation of the output -> its name.
OUTPUT_ACTIVATIONS = {
    keras.activations.softmax: "softmax",
    keras.activations.sigmoid: "sigmoid",
    keras.activations.linear: "linear",
}


def _output_activation(model: keras.Model) -> str:
    outputs = [node.layer for node in model_graph(model) if node.is_output]
    if len(outputs) == 1:
        if inside := model_inside(outputs[0]):
            return _output_activation(inside)
        activation = getattr(outputs[0], "activation", None)
        if isinstance(outputs[0], keras.layers.Softmax) and outputs[0].axis == -1:
            return "softmax"
        if activation in OUTPUT_ACTIVATIONS:
            return OUTPUT_ACTIVATIONS[activation]
    raise ValueError(
        "a recipe is for a model with one output, of a layer with the activation softmax, sigmoid "
        f"or none; {model.name!r} ends in {', '.join(f'{layer.name!r}' for layer in outputs)}: "
        "give a loss for another one"
    )


def _loss(recipe: Recipe, name: str, labels: str | None, model: keras.Model) -> keras.Loss:
    """The crossentropy for the model's output and the kind of labels."""
    activation = _output_activation(model)
    smoothing, from_logits = recipe.label_smoothing, activation == "linear"
    if activation == "sigmoid" or (from_logits and model.output_shape[-1] == 1):
        if labels is not None:
            raise ValueError(
                f"labels={labels!r} is for a softmax; those of sigmoids and of one logit have the "
                "shape of the output"
            )
        return keras.losses.BinaryCrossentropy(from_logits, label_smoothing=smoothing)
    if model.output_shape[-1] == 1:
        raise ValueError(
            "a softmax over one class is always 1: for two classes, give classes=2, or classes=1 "
            'and classifier_activation="sigmoid"'
        )
    labels = labels or ("one_hot" if smoothing else "integer")
    choice(labels, get_args(Labels), "kind of labels")
    if labels == "one_hot":
        return keras.losses.CategoricalCrossentropy(from_logits, label_smoothing=smoothing)
    if smoothing:
        raise ValueError(
            f'{name!r} smooths labels, and Keras smooths only one-hot ones: give labels="one_hot" '
            "and keras.utils.to_categorical(labels)"
        )
    return keras.losses.SparseCategoricalCrossentropy(from_logits)
