"""The published recipes; `compile_recipe`, which applies one to a model, and `prepare`."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import partial
from importlib import resources
from inspect import signature
from itertools import pairwise
from math import inf
from typing import Any, Literal, get_args

import keras

from ..common import checks
from ..common.tables import Table, TableCell, Tabular
from ..model.locate import check_model
from .losses import Labels, fitting_loss, label_shape, with_accuracies
from .trainable import decay

Schedule = Literal["recipe", "constant"]

# Steps are counted in 32 bits by some backends.
MOST_STEPS = 2**31 - 1


def _times(values: object, what: str) -> tuple[float, ...]:
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise TypeError(f"{what} must be times such as (0.5, 0.75), got {values!r}")
    times = tuple(checks.fraction(value, f"each of {what}") for value in values)
    if any(later <= time for time, later in pairwise((0.0, *times))):
        raise ValueError(f"{what} must be ascending times between 0 and 1, got {values!r}")
    return times


def _names(values: Iterable[str], what: str) -> tuple[str, ...]:
    if isinstance(values, str) or not all(isinstance(name, str) for name in values):
        raise TypeError(f'{what} must be names such as ("kernel",), got {values!r}')
    return tuple(values)


def _setting(default: object, check: Callable[[Any, str], object]) -> Any:
    """A field of a recipe; `check` takes its value and name, and returns the value to keep."""
    return field(default=default, metadata={"check": check})


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

    Raises:
        TypeError: a field of another type.
        ValueError: a number out of its range, or times that do not ascend.

    Example:
        >>> from dataclasses import replace
        >>> from resnet_builder import RECIPES, Recipe
        >>> recipe = RECIPES["wrn2016"]
        >>> recipe.drops, recipe.drop, recipe.nesterov
        ((0.3, 0.6, 0.8), 0.2, True)
        >>> replace(recipe, weight_decay=1e-3).weight_decay
        0.001
    """

    source: str = ""
    learning_rate: float = _setting(0.1, checks.positive_number)
    batch_size: int = _setting(256, checks.positive_int)
    drops: tuple[float, ...] = _setting((), _times)
    drop: float = _setting(0.1, checks.positive_number)
    warm_up: float = _setting(0.0, checks.fraction)
    momentum: float = _setting(0.9, checks.fraction)
    nesterov: bool = _setting(False, checks.boolean)
    weight_decay: float = _setting(1e-4, partial(checks.fraction, limit=inf))
    decays: tuple[str, ...] = _setting((), _names)
    label_smoothing: float = _setting(0.0, checks.fraction)

    def __post_init__(self) -> None:
        for of in fields(self):
            if check := of.metadata.get("check"):
                object.__setattr__(self, of.name, check(getattr(self, of.name), of.name))
        if self.drops and self.warm_up > self.drops[0]:
            raise ValueError(
                f"warm_up must end before the first of drops, got {self.warm_up} and {self.drops}"
            )


class Recipes(checks.Catalogue[Recipe], Tabular):
    """The published training recipes by name: a read-only mapping, which prints as a table.

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

    def table(self) -> Table:
        """A row for every recipe."""
        rows = (
            (name, *(cell(recipe) for cell in COLUMNS.values())) for name, recipe in self.items()
        )
        return Table(header=("recipe", *COLUMNS), rows=tuple(rows))


def _schedule_in_words(recipe: Recipe) -> str:
    after = f"after a warm-up of {recipe.warm_up:.1%}" if recipe.warm_up else ""
    times = ", ".join(f"{time:.0%}" for time in recipe.drops)
    main = f"x {recipe.drop:g} at {times}" if times else "cosine"
    return f"{main} {after}".rstrip()


def _decay_in_words(recipe: Recipe) -> str:
    names = f" ({', '.join(recipe.decays)})" if recipe.decays else ""
    return f"{recipe.weight_decay:g}{names}"


# Column of the table of recipes, after the name -> its cell.
COLUMNS: dict[str, Callable[[Recipe], TableCell]] = {
    "learning rate": lambda recipe: recipe.learning_rate,
    "batch size": lambda recipe: recipe.batch_size,
    "schedule": _schedule_in_words,
    "momentum": lambda recipe: f"{recipe.momentum}{' (Nesterov)' * recipe.nesterov}",
    "weight decay": _decay_in_words,
    "label smoothing": lambda recipe: recipe.label_smoothing,
    "source": lambda recipe: recipe.source,
}


_ROWS = resources.files(__package__).joinpath("recipes.toml").read_text(encoding="utf-8")

RECIPES = Recipes({name: Recipe(**row) for name, row in tomllib.loads(_ROWS).items()})
"""The published training recipes: name -> recipe. The mapping is read-only."""


def compile_recipe(
    model: keras.Model,
    recipe: str | Recipe = "he2015",
    *,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    schedule: Schedule = "recipe",
    labels: Labels | None = None,
    loss: Any = None,
    metrics: Any = ("accuracy",),
    weighted_metrics: Any = None,
    jit_compile: bool | Literal["auto"] = "auto",
    **options: Any,
) -> keras.Model:
    """Compile a classifier with the optimizer, schedule, weight decay and loss of a recipe.

    The optimizer and the metrics are built immediately, so that TensorFlow traces the first
    training step once instead of twice.

    Weight decay is an L2 penalty with a gradient that goes through the momentum, as in the papers;
    the decay of Keras's `SGD(weight_decay=)` does not, and is ten times weaker. It replaces the
    regularizers of the layers, belongs to the variables, and is saved with the model for all
    variables whose layers have an argument such as `kernel_regularizer`. A saved network of pure
    float64, float16 or bfloat16 that is loaded again trains with TensorFlow after another
    `compile_recipe`. Freeze layers before this call.

    Args:
        model: a network with one output, of probabilities (softmax or sigmoid) or logits (no
            activation): a vector, or a map such as a mask, with the classes on the last axis.
        recipe: a name in `RECIPES`, or a `Recipe` of your own.
        epochs: epochs of the whole training, which the schedule is scaled to.
        steps_per_epoch: batches per epoch.
        batch_size: images per batch; the learning rate is proportional to it, and to
            `gradient_accumulation_steps`. Default: as many as an update has in the recipe.
        learning_rate: highest learning rate. Default: the recipe's for that batch size.
        schedule: `"recipe"`, or `"constant"` for a learning rate that callbacks may set, such as
            `ReduceLROnPlateau`.
        labels: `"integer"` (batch,) or `"one_hot"` (batch, classes). Default: one-hot for a recipe
            with label smoothing, which Keras supports only for these, otherwise integer. For a map,
            the labels of each pixel: (batch, rows, columns), with the classes last if one-hot.
            Sigmoids and one logit have neither: their labels are of the output's shape.
        loss: loss, as in `compile`. Default, and for `"crossentropy"`: crossentropy, which is
            binary for sigmoids and for one logit, with the recipe's label smoothing.
        metrics: metrics, as in `compile`. `"accuracy"` is the one that fits the loss: for a
            binary loss, the share of sigmoids or logits that are right.
        weighted_metrics: metrics that are weighted by `sample_weight`.
        jit_compile: whether to compile with XLA, as in `compile`.
        **options: other arguments of `keras.optimizers.SGD`, such as `clipnorm`,
            `global_clipnorm`, `use_ema` or `gradient_accumulation_steps`, and of `compile`.

    Returns:
        The model.

    Raises:
        TypeError: not a Keras model, numbers of another type, or unknown options.
        ValueError: an unknown recipe, a model without variables yet, numbers that are not positive
            or not finite, integer labels with label smoothing, labels with a loss or a sigmoid,
            options that the recipe sets, or, without a loss, a model with several outputs or with
            one that is neither probabilities nor logits, or has its classes on another axis.

    Example:
        >>> from resnet_builder import ResnetBuilder, compile_recipe
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> model = compile_recipe(model, "he2015_cifar", epochs=164, steps_per_epoch=391)
        >>> print(f"{float(model.optimizer.learning_rate):.2f} at first, while it warms up")
        0.01 at first, while it warms up
    """
    check_model(model)
    if not model.built:
        raise ValueError(f"{model.name!r} has no variables yet: give it an Input, or call it once")
    found = recipe if isinstance(recipe, Recipe) else checks.look_up(RECIPES, recipe, "recipe")
    steps = _steps(epochs, steps_per_epoch)
    for_optimizer = _optimizer_options(options)
    batches = for_optimizer.get("gradient_accumulation_steps") or 1
    rate = _highest_rate(found, learning_rate, batch_size, batches)
    loss = fitting_loss(loss, model, found.label_smoothing, labels)
    checks.choice(schedule, get_args(Schedule), "schedule")
    rates = rate if schedule == "constant" else decreasing(found, rate, steps)
    sgd = keras.optimizers.SGD(rates, found.momentum, nesterov=found.nesterov, **for_optimizer)
    model.compile(
        _with_loss_scale(sgd, model, options),
        loss,
        metrics=with_accuracies(metrics, loss),
        weighted_metrics=with_accuracies(weighted_metrics, loss),
        jit_compile=jit_compile,
        **options,
    )
    decay(model, found.weight_decay, found.decays)
    if shape := label_shape(model, loss):
        prepare(model, keras.ops.zeros((1, *shape[1:])))
    return model


def prepare(model: keras.Model, labels: Any) -> keras.Model:
    """Create the optimizer's and the metrics' variables of a compiled model.

    Keras creates them in the first training step, which TensorFlow therefore traces twice, and for
    a network of many layers a trace takes seconds. After `prepare`, it is traced once. With JAX
    and PyTorch there is nothing to save, and the model is returned as it is. `compile_recipe` does
    this itself.

    Args:
        model: any compiled Keras model.
        labels: labels of one image or more, as for `fit`; only their structure, shapes and dtypes
            matter. For several outputs, as many as `fit` takes.

    Returns:
        The model, with the same weights, and with metrics that have seen nothing.

    Raises:
        TypeError: not a Keras model.
        ValueError: a model that is not compiled, or labels that its loss cannot take.

    Example:
        >>> import keras, numpy as np
        >>> from resnet_builder import ResnetBuilder, prepare
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> prepare(model, labels=np.zeros(1)) is model
        True
    """
    check_model(model)
    if not model.compiled:
        raise ValueError(f"{model.name!r} is not compiled: call model.compile before prepare")
    if keras.backend.backend() != "tensorflow":
        return model  # JAX would compile an operation for every shape: seconds
    labels = keras.tree.map_structure(keras.ops.convert_to_tensor, labels)
    count = keras.tree.flatten(labels)[0].shape[0]
    predictions = keras.tree.map_shape_structure(
        lambda shape: keras.ops.zeros((count, *[size or 1 for size in shape[1:]])),
        model.output_shape,
    )
    model.optimizer.build(model.trainable_variables)
    model.compute_loss(None, labels, predictions)
    model.compute_metrics(None, labels, predictions)
    model.reset_metrics()
    return model


def _steps(epochs: int, steps_per_epoch: int) -> int:
    checks.positive_int(epochs, "epochs")
    steps = epochs * checks.positive_int(steps_per_epoch, "steps_per_epoch")
    if steps > MOST_STEPS:
        raise ValueError(f"epochs * steps_per_epoch must be at most {MOST_STEPS}, got {steps}")
    return steps


def _highest_rate(
    recipe: Recipe, learning_rate: float | None, batch_size: int | None, batches: int
) -> float:
    """The given rate, or the recipe's in proportion to the images of an update of some batches."""
    if learning_rate is None:
        images = recipe.batch_size
        if batch_size is not None:
            images = checks.positive_int(batch_size, "batch_size") * batches
        learning_rate = recipe.learning_rate * images / recipe.batch_size
    return checks.positive_number(learning_rate, "learning_rate")


# Argument of SGD that a recipe sets -> what to do instead.
OF_THE_RECIPE = {
    "weight_decay": "it is decoupled from the momentum and ten times weaker than a recipe's L2 "
    "penalty: give dataclasses.replace(RECIPES[name], weight_decay=...) as recipe",
    "momentum": "give dataclasses.replace(RECIPES[name], momentum=...) as recipe",
    "nesterov": "give dataclasses.replace(RECIPES[name], nesterov=...) as recipe",
    "optimizer": "for another one, call model.compile and prepare",
}


def _optimizer_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take the arguments of the optimizer out of `options`."""
    for name, instead in OF_THE_RECIPE.items():
        if name in options:
            raise ValueError(f"{name} is set by the recipe, not by an argument: {instead}")
    names = signature(keras.optimizers.SGD).parameters
    return {name: options.pop(name) for name in list(options) if name in names}


def _with_loss_scale(
    optimizer: keras.optimizers.Optimizer, model: keras.Model, options: dict[str, Any]
) -> keras.optimizers.Optimizer:
    """The optimizer for `compile`, with the arguments of `compile` in `options` that go with it."""
    if optimizer.loss_scale_factor:
        options["auto_scale_loss"] = False  # or Keras would drop the factor
    policies = {layer.dtype_policy.name for layer in model._flatten_layers()}
    if "mixed_float16" in policies and options.get("auto_scale_loss", True):
        # As `compile` does, but so that it is saved with the model.
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def decreasing(
    recipe: Recipe, learning_rate: float, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate schedule of a recipe, as an object of Keras."""
    warm_up = min(round(recipe.warm_up * steps), steps - 1)
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
