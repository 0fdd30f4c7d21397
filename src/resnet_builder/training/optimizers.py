"""The optimizers of the recipes: one row for each, and LAMB as its paper has it."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import keras

from ..model.keras_layers import Tensor

if TYPE_CHECKING:
    from .recipes import Recipe

Optimizer = Literal["sgd", "lamb", "adamw"]
Options = dict[str, Any]
RateOverTime: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule

# timm/optim/lamb.py, and imagenet_mobilenetv4_conv_small_tpu.yaml of tensorflow/models.
EPSILON = 1e-6


@keras.saving.register_keras_serializable("resnet_builder")
class Lamb(keras.optimizers.Lamb):  # type: ignore[misc]
    """LAMB: Adam's step and the weight decay, as long as the weights times the rate.

    With r = m / (sqrt(v) + epsilon) and u = r + decay * w, both moments without bias, a step is
    w -= rate * |w| / |u| * u, for each variable (arXiv:1904.00962, algorithm 2). In Keras's `Lamb`
    the decay is outside of u, with a factor that does not depend on |w| / |u|.

    Variables that do not decay take Adam's step, as with the paper's own code and in timm.

    Args:
        learning_rate: a number, or a schedule.
        decays: names of the variables that decay; empty for all.
        **options: arguments of `keras.optimizers.Lamb`.
    """

    def __init__(
        self, learning_rate: RateOverTime = 1e-3, *, decays: tuple[str, ...] = (), **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        self.decays = tuple(decays)

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the moments, and note which variables decay."""
        # TensorFlow's own variables, which `update_step` gets, have other names.
        self.is_decaying = [not self.decays or v.name in self.decays for v in variables]
        super().build(variables)

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        """Nothing: the decay is a part of the update."""

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Update a variable and its moments."""
        ops, dtype = keras.ops, variable.dtype
        gradient = ops.cast(gradient, dtype)
        place = self._get_variable_index(variable)
        means = []
        for kept, new, beta in (
            (self._momentums[place], gradient, self.beta_1),
            (self._velocities[place], ops.square(gradient), self.beta_2),
        ):
            self.assign_add(kept, (new - kept) * (1 - beta))
            step = ops.cast(self.iterations + 1, dtype)
            means.append(kept / (1 - ops.power(ops.cast(beta, dtype), step)))
        update = means[0] / (ops.sqrt(means[1]) + self.epsilon)
        if self.weight_decay and self.is_decaying[place]:
            update = update + self.weight_decay * variable
            update = update * _ratio(_norm(variable), _norm(update))
        self.assign_sub(variable, ops.cast(learning_rate, dtype) * update)

    def get_config(self) -> Options:
        """The arguments that make this optimizer again."""
        return {**super().get_config(), "decays": self.decays}


def _norm(value: Tensor) -> Tensor:
    """The root of the sum of the squares; `keras.ops.norm` takes no tensors of rank 4."""
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(value)))


def _ratio(weights: Tensor, update: Tensor) -> Tensor:
    """The trust ratio of two norms; 1 where one of them is 0."""
    is_zero = keras.ops.logical_or(weights == 0, update == 0)
    return keras.ops.where(is_zero, 1.0, weights / keras.ops.where(is_zero, 1.0, update))


@dataclass(frozen=True)
class Kind:
    """An optimizer of recipes.

    Attributes:
        make: class of the optimizer.
        of_keras: class of Keras with its arguments.
        power: power of the batch size that the learning rate is proportional to.
    """

    make: Callable[..., keras.optimizers.Optimizer]
    of_keras: Callable[..., keras.optimizers.Optimizer]
    power: float


OPTIMIZERS: dict[Optimizer, Kind] = {
    "sgd": Kind(keras.optimizers.SGD, keras.optimizers.SGD, 1.0),
    "lamb": Kind(Lamb, keras.optimizers.Lamb, 0.5),
    "adamw": Kind(keras.optimizers.AdamW, keras.optimizers.AdamW, 0.5),
}

# Argument of an optimizer that a recipe sets -> what to do instead.
OF_THE_RECIPE = {
    "weight_decay": "Keras's own is decoupled from the momentum and ten times weaker than a "
    "recipe's L2 penalty: give dataclasses.replace(RECIPES[name], weight_decay=...) as recipe",
    "momentum": "give dataclasses.replace(RECIPES[name], momentum=...) as recipe",
    "beta_1": "give dataclasses.replace(RECIPES[name], momentum=...) as recipe",
    "nesterov": "give dataclasses.replace(RECIPES[name], nesterov=...) as recipe",
    "optimizer": "for another one, call model.compile and prepare",
}


def optimizer_options(recipe: "Recipe", options: Options) -> Options:
    """Take the arguments of the recipe's optimizer out of `options`."""
    for name, instead in OF_THE_RECIPE.items():
        if name in options:
            raise ValueError(f"{name} is set by the recipe, not by an argument: {instead}")
    names = signature(OPTIMIZERS[recipe.optimizer].of_keras).parameters
    return {name: options.pop(name) for name in list(options) if name in names}


def make_optimizer(
    recipe: "Recipe", model: keras.Model, over_time: RateOverTime, options: Options
) -> keras.optimizers.Optimizer:
    """The optimizer of a recipe for a model, with some options of Keras."""
    if recipe.clip_norm and not {"clipnorm", "clipvalue"} & options.keys():
        options = {"global_clipnorm": recipe.clip_norm, **options}
    make = OPTIMIZERS[recipe.optimizer].make
    if recipe.optimizer == "sgd":
        return make(over_time, recipe.momentum, nesterov=recipe.nesterov, **options)
    options = {
        "beta_1": recipe.momentum,
        "epsilon": EPSILON,
        "weight_decay": recipe.weight_decay,
        **options,
    }
    if recipe.optimizer == "lamb":
        return make(over_time, decays=recipe.decays, **options)
    optimizer = make(over_time, **options)
    names = recipe.decays
    optimizer.exclude_from_weight_decay(
        [v for v in model.trainable_variables if names and v.name not in names]
    )
    return optimizer


def scaled_rate(recipe: "Recipe", images: int) -> float:
    """The learning rate for the images of an update."""
    share = images / recipe.batch_size
    return recipe.learning_rate * float(share ** OPTIMIZERS[recipe.optimizer].power)
