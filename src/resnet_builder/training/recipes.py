"""The published recipes; `compile_recipe`, which applies one to a model, and `prepare`."""

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

import keras

from ..common import checks
from ..common.tables import Table, TableCell, Tabular
from ..model.locate import check_model
from .fields import Augment, augment, check_fields, not_negative, one_of, setting, share
from .losses import Labels, Loss, fitting_losses, label_shape, with_accuracies
from .optimizers import Optimizer, Options, make_optimizer, optimizer_options, scaled_rate
from .rates import Rates, layer_rates
from .trainable import decay

if TYPE_CHECKING:
    from ..options import CompileOptions

Schedule = Literal["recipe", "constant"]

# Steps are counted in 32 bits by some backends.
MOST_STEPS = 2**31 - 1


def _times(values: object, what: str) -> tuple[float, ...]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{what} must be times such as (0.5, 0.75), got {values!r}")
    times = tuple(checks.fraction(value, f"each of {what}") for value in values)
    if any(later <= time for time, later in pairwise((0.0, *times))):
        raise ValueError(f"{what} must be ascending times between 0 and 1, got {values!r}")
    return times


def _names(values: object, what: str) -> tuple[str, ...]:
    names = tuple(values) if isinstance(values, Iterable) else (None,)
    if isinstance(values, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f'{what} must be names such as ("kernel",), got {values!r}')
    return names


def _size(value: object, what: str) -> int:
    return 0 if value == 0 and not isinstance(value, bool) else checks.positive_int(value, what)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training recipe. Times are fractions of the whole training.

    `compile_recipe` applies the optimizer, the schedule, the decay and the loss; `augmentation`
    varies images and labels; `MovingAverage` averages the weights. The rates of dropout and the
    sizes of images are for whoever builds the network, as examples/train.py does.

    Attributes:
        source: paper and section, or file of the original.
        optimizer: `"sgd"`, `"lamb"` (arXiv:1904.00962) or `"adamw"` (arXiv:1711.05101).
        learning_rate: highest learning rate for batches of `batch_size`. For others it is
            proportional (arXiv:1706.02677, 2.1), and for LAMB and AdamW proportional to the square
            root (arXiv:1904.00962, 4).
        batch_size: images per step.
        drops: times at which the learning rate is multiplied by `drop`; empty for a cosine decay.
        drop: factor of each drop.
        warm_up: duration of the warm-up: a tenth of the learning rate before `drops`, or a ramp
            from zero before a cosine.
        momentum: momentum of stochastic gradient descent, or beta 1 of LAMB and AdamW.
        nesterov: whether to use Nesterov momentum.
        weight_decay: factor of a weight in its own gradient, before momentum; for LAMB and AdamW,
            in its own update.
        decays: names of the variables that decay; empty for all.
        clip_norm: largest norm of the gradient of all variables together; 0 for no limit.
        loss: `"crossentropy"`, or `"binary_crossentropy"` for a probability of each class by
            itself, in networks that end in logits or sigmoids.
        label_smoothing: probability that all classes share.
        target_threshold: with `"binary_crossentropy"`, classes with a greater share of a mixed
            label are right, and the others wrong; 0 to keep the shares.
        average: time in which a weight fades to 1/e in the moving average; 0 for no average.
        drop_path_rate: stochastic depth of the network, as an option of `from_preset`.
        dropout_rate: dropout before the last layer, as an option of `from_preset`.
        train_size: side of the training images; 0 for the network's own.
        test_size: side of the test images; 0 for the network's own.
        test_crop: side of the test images as a share of the shorter side before cropping.
        augment: how training images are varied and mixed.

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
    optimizer: Optimizer = setting("sgd", one_of(Optimizer))
    learning_rate: float = setting(0.1, checks.positive_number)
    batch_size: int = setting(256, checks.positive_int)
    drops: tuple[float, ...] = setting((), _times)
    drop: float = setting(0.1, checks.positive_number)
    warm_up: float = setting(0.0, checks.fraction)
    momentum: float = setting(0.9, checks.fraction)
    nesterov: bool = setting(False, checks.boolean)
    weight_decay: float = setting(1e-4, not_negative)
    decays: tuple[str, ...] = setting((), _names)
    clip_norm: float = setting(0.0, not_negative)
    loss: Loss = setting("crossentropy", one_of(Loss))
    label_smoothing: float = setting(0.0, checks.fraction)
    target_threshold: float = setting(0.0, checks.fraction)
    average: float = setting(0.0, checks.fraction)
    drop_path_rate: float = setting(0.0, checks.fraction)
    dropout_rate: float = setting(0.0, checks.fraction)
    train_size: int = setting(0, _size)
    test_size: int = setting(0, _size)
    test_crop: float = setting(0.875, share)
    augment: Augment = setting(Augment(), augment)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.drops and self.warm_up > self.drops[0]:
            raise ValueError(
                f"warm_up must end before the first of drops, got {self.warm_up} and {self.drops}"
            )
        if self.target_threshold and self.loss != "binary_crossentropy":
            raise ValueError(
                'target_threshold is for loss="binary_crossentropy": with a crossentropy, labels '
                "are the classes' shares"
            )


class Recipes(checks.Catalogue[Recipe], Tabular):
    """The published training recipes by name: a read-only mapping, which prints as a table.

    `compile_recipe` compiles a model by one of them: `he2015` and `he2015_cifar` (the ResNet
    paper, for ImageNet and CIFAR), `wrn2016` (wide networks on CIFAR), `bag_of_tricks` (warm-up,
    cosine decay, smoothed labels), `fine_tune` (a small rate without decay, from a checkpoint),
    `rsb_a1`, `rsb_a2` and `rsb_a3` ("ResNet strikes back": 600, 300 and 100 epochs),
    `torchvision_v2` (600 epochs, of torchvision's second weights), `ra4_like` (the settings that
    timm's `ra4` started from; for thousands of epochs).

    Example:
        >>> from resnet_builder import RECIPES
        >>> for name, recipe in RECIPES.items():
        ...     print(name, recipe.learning_rate, recipe.batch_size, recipe.source)
        he2015 0.1 256 arXiv:1512.03385, 3.4
        he2015_cifar 0.1 128 arXiv:1512.03385, 4.2
        wrn2016 0.1 128 arXiv:1605.07146, 3
        bag_of_tricks 0.1 256 arXiv:1812.01187, 2.1, 3.1, 5.1 and 5.2
        fine_tune 0.003 512 arXiv:1912.11370 (BiT-HyperRule), 3.3
        rsb_a1 0.005 2048 arXiv:2110.00476, table 2
        rsb_a2 0.005 2048 arXiv:2110.00476, table 2
        rsb_a3 0.008 2048 arXiv:2110.00476, table 2
        torchvision_v2 0.5 1024 pytorch/vision issue 3995, "New recipe (with FixRes)"
        ra4_like 0.002 4096 tensorflow/models, imagenet_mobilenetv4_conv_small_tpu.yaml
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


def _augment_in_words(recipe: Recipe) -> str:
    of = recipe.augment
    words = {
        f"{of.crop} crop": of.crop != "none",
        "flip": of.flip,
        f"jitter {of.jitter:g}": of.jitter,
        f"{of.policy}{f' {of.magnitude:g}' * bool(of.magnitude)}": of.policy != "none",
        f"erase {of.erase:g}": of.erase,
        f"mixup {of.mixup:g}": of.mixup,
        f"cutmix {of.cutmix:g}": of.cutmix,
        f"repeats {of.repeats}": of.repeats > 1,
    }
    return ", ".join(word for word, is_used in words.items() if is_used)


# Column of the table of recipes, after the name -> its cell.
COLUMNS: dict[str, Callable[[Recipe], TableCell]] = {
    "optimizer": lambda recipe: f"{recipe.optimizer}{' (Nesterov)' * recipe.nesterov}",
    "learning rate": lambda recipe: recipe.learning_rate,
    "batch size": lambda recipe: recipe.batch_size,
    "schedule": _schedule_in_words,
    "momentum": lambda recipe: recipe.momentum,
    "weight decay": _decay_in_words,
    "loss": lambda recipe: recipe.loss,
    "label smoothing": lambda recipe: recipe.label_smoothing,
    "augmentation": _augment_in_words,
    "source": lambda recipe: recipe.source,
}


_ROWS = resources.files(__package__).joinpath("recipes.toml").read_text(encoding="utf-8")

RECIPES = Recipes({name: Recipe(**row) for name, row in tomllib.loads(_ROWS).items()})
"""The published training recipes: name -> recipe. The mapping is read-only."""


def recipe_of(given: str | Recipe) -> Recipe:
    """The recipe of a name, or the given one."""
    return given if isinstance(given, Recipe) else checks.look_up(RECIPES, given, "recipe")


def compile_recipe(
    model: keras.Model,
    recipe: str | Recipe = "he2015",
    *,
    epochs: int,
    steps_per_epoch: int,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    schedule: Schedule = "recipe",
    rates: Rates | None = None,
    labels: Labels | None = None,
    loss: Any = None,
    metrics: Any = ("accuracy",),
    weighted_metrics: Any = None,
    jit_compile: bool | Literal["auto"] = "auto",
    **options: Unpack["CompileOptions"],
) -> keras.Model:
    """Compile a classifier with the optimizer, schedule, weight decay and loss of a recipe.

    The optimizer and the metrics are built immediately, so that TensorFlow traces the first
    training step once instead of twice.

    With LAMB and AdamW, the weight decay is a part of the optimizer's update, as in their papers.
    With SGD, it is an L2 penalty with a gradient that goes through the momentum, as in the papers;
    the decay of Keras's `SGD(weight_decay=)` does not, and is ten times weaker. The penalty
    replaces the regularizers of the layers, belongs to the variables, and is saved with the model
    for all variables whose layers have an argument such as `kernel_regularizer`. A saved network of
    pure float64, float16 or bfloat16 that is loaded again trains with TensorFlow after another
    `compile_recipe`. Freeze layers before this call.

    LAMB is a class of this package, since Keras's own decays weights outside of the trust ratio. On
    a machine without this package, load a network that was trained by it with
    `keras.saving.load_model(path, compile=False)`.

    Args:
        model: a network with one output, of probabilities (softmax or sigmoid) or logits (no
            activation): a vector, or a map such as a mask, with the classes on the last axis.
        recipe: a name in `RECIPES`, or a `Recipe` of your own.
        epochs: epochs of the whole training, which the schedule is scaled to.
        steps_per_epoch: batches per epoch.
        batch_size: images per batch; the learning rate is proportional to it, and to
            `gradient_accumulation_steps`, or to their square root (`Recipe.learning_rate`).
            Default: as many as an update has in the recipe.
        learning_rate: highest learning rate. Default: the recipe's for that batch size.
        schedule: `"recipe"`, or `"constant"` for a learning rate that callbacks may set, such as
            `ReduceLROnPlateau`.
        rates: factors of the learning rate by part, such as `{"stem": 0, "head": 10}`, or the decay
            of a stage, as for `layer_rates`.
        labels: `"integer"` (batch,) or `"one_hot"` (batch, classes). Default: one-hot for a recipe
            with label smoothing, which Keras supports only for these, or with mixed labels,
            otherwise integer. For a map, the labels of each pixel: (batch, rows, columns), with the
            classes last if one-hot. Sigmoids and one logit have neither: their labels are of the
            output's shape.
        loss: loss, as in `compile`. Default, and for `"crossentropy"`: crossentropy, which is
            binary for sigmoids and for one logit, with the recipe's label smoothing. For a recipe
            with `"binary_crossentropy"`, the mean over images and classes; there `augmentation`
            smooths the labels, as in timm.
        metrics: metrics, as in `compile`. `"accuracy"` is the one that fits the loss: for a
            binary loss, the share of sigmoids or logits that are right, and for a recipe with
            `"binary_crossentropy"` the share of images whose class is right.
        weighted_metrics: metrics that are weighted by `sample_weight`.
        jit_compile: whether to compile with XLA, as in `compile`.
        **options: other arguments of the optimizer, such as `clipnorm`, `global_clipnorm` or
            `gradient_accumulation_steps`, and of `compile`. (`use_ema` averages no statistics of
            batch norm: see `MovingAverage`.)

    Returns:
        The model.

    Raises:
        TypeError: not a Keras model, numbers of another type, or unknown options.
        ValueError: an unknown recipe, a model without variables yet, numbers that are not positive
            or not finite, rates of unknown parts, integer labels with label smoothing, labels with
            a loss or a sigmoid, a softmax for a recipe with binary crossentropy, options that the
            recipe sets, or, without a loss, a model with several outputs or with one that is
            neither probabilities nor logits, or has its classes on another axis.

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
    found = recipe_of(recipe)
    steps = _steps(epochs, steps_per_epoch)
    for_optimizer = optimizer_options(found, others := {**options})
    rate = _highest_rate(found, learning_rate, batch_size, for_optimizer)
    loss, scored = fitting_losses(loss, model, found, labels)
    checks.choice(schedule, get_args(Schedule), "schedule")
    over_time = rate if schedule == "constant" else decreasing(found, rate, steps)
    optimizer = make_optimizer(found, model, over_time, for_optimizer)
    model.compile(
        _for_compile(optimizer, model, rates, others),
        loss,
        metrics=with_accuracies(metrics, scored),
        weighted_metrics=with_accuracies(weighted_metrics, scored),
        jit_compile=jit_compile,
        **others,
    )
    decay(model, found.weight_decay if found.optimizer == "sgd" else 0.0, found.decays)
    if shape := label_shape(model, loss):
        prepare(model, keras.ops.zeros((1, *shape[1:])))
    return model


def prepare(model: keras.Model, labels: Any) -> keras.Model:
    """Create the optimizer's and the metrics' variables of a compiled model.

    Keras creates them in the first training step, which TensorFlow therefore traces twice, and for
    a network of many layers a trace takes seconds. After `prepare`, it is traced once. With JAX
    only the optimizer's variables are created. `compile_recipe` does this itself.

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
    model.optimizer.build(model.trainable_variables)  # or a saved model has no state to load
    if keras.backend.backend() == "jax":
        return model  # it would compile an operation for every shape: seconds
    labels = keras.tree.map_structure(keras.ops.convert_to_tensor, labels)
    count = keras.tree.flatten(labels)[0].shape[0]
    predictions = keras.tree.map_shape_structure(
        lambda shape: keras.ops.zeros((count, *[size or 1 for size in shape[1:]])),
        model.output_shape,
    )
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
    recipe: Recipe,
    learning_rate: float | None,
    batch_size: int | None,
    for_optimizer: dict[str, int],
) -> float:
    """The given rate, or the recipe's in proportion to the images of an update of some batches."""
    if learning_rate is None:
        images = recipe.batch_size
        if batch_size is not None:
            batches = for_optimizer.get("gradient_accumulation_steps") or 1
            images = checks.positive_int(batch_size, "batch_size") * batches
        learning_rate = scaled_rate(recipe, images)
    return checks.positive_number(learning_rate, "learning_rate")


def _for_compile(
    optimizer: keras.optimizers.Optimizer,
    model: keras.Model,
    rates: Rates | None,
    options: Options,
) -> keras.optimizers.Optimizer:
    """The optimizer for `compile`, with the arguments of `compile` in `options` that go with it."""
    if rates is not None:
        optimizer = layer_rates(model, optimizer, rates)
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
