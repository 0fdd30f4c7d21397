"""Learning rates of the parts of a model: one optimizer, whose steps differ by variable."""

from collections.abc import Mapping, Sequence
from functools import cache
from math import inf

import keras

from ..common import checks
from ..model.keras_layers import Tensor
from ..model.locate import NetworkLayers, holder_of, networks_of
from ..plan.names import HEAD
from .optimizers import Lamb

Rates = Mapping[str, float] | float


def layer_rates(
    model: keras.Model, optimizer: str | keras.optimizers.Optimizer, rates: Rates
) -> keras.optimizers.Optimizer:
    """Give the parts of a model their own learning rates, for fine-tuning.

    The steps of a part are those of the optimizer with `rate` times its learning rate, decoupled
    weight decay included. All else is the same for all parts: the schedule, callbacks that set the
    learning rate, `global_clipnorm`, gradient accumulation and moving averages. A part with the
    rate 0 is frozen with its moving statistics, as by `freeze`.

    Freeze other layers before this call. A saved model keeps the rates; import `layer_rates` before
    `keras.models.load_model`, which without this package takes `compile=False`.

    Args:
        model: a model with a network of `ResnetBuilder`, as for `freeze`.
        optimizer: a new optimizer, or its name as in `compile`. It is changed and returned; for
            float16, `compile` wraps it in a `LossScaleOptimizer`.
        rates: rates by part: `"stem"`, `"stage1"`, `"stage2"`, ..., and `"head"`, which stands for
            all other layers, such as the classifier, a decoder or layers of your own; 1 for parts
            without a rate. With a network's `layer_prefix` before it, the part of that network. Or
            the decay of a stage, such as 0.7: the rate is 1 for the head, 0.7 for the last stage,
            and 0.7 ** 2 for the stage before (arXiv:1801.06146, 3.2, for language models).

    Returns:
        The optimizer, for `compile`.

    Raises:
        TypeError: not a Keras model, rates of another type, or an optimizer that wraps others.
        ValueError: an unknown part, a rate below 0 or not finite, a decay that is not positive, a
            model without a network or with several inside it, an unknown optimizer, or one that
            was built for other variables.

    Example:
        >>> from resnet_builder import ResnetBuilder, layer_rates
        >>> model = ResnetBuilder.from_preset("resnet18", (64, 64, 3), classes=10)
        >>> rates = {"stem": 0, "stage1": 0, "stage2": 0.1, "stage3": 0.1, "head": 10}
        >>> optimizer = layer_rates(model, "adam", rates)
        >>> print(optimizer.rates[0], optimizer.rates[-1], len(model.trainable_variables))
        0.1 10.0 47
    """
    optimizer = keras.optimizers.get(optimizer)
    own: type[keras.optimizers.Optimizer] = type(optimizer)
    if own.update_step is keras.optimizers.Optimizer.update_step:
        raise TypeError(
            f"optimizer must be one that updates variables itself, got {own.__name__}, which wraps "
            "others: give the optimizer inside to layer_rates, and wrap what it returns"
        )
    if optimizer.built:
        raise ValueError(f"{optimizer.name!r} has been built: give a new optimizer to layer_rates")
    by_layer = _by_layer(model, rates)
    of_variable = {id(v): rate for layer, rate in by_layer for v in layer.variables}
    frozen = [layer for layer, rate in by_layer if not rate]
    for layer in frozen:
        layer.trainable = False
    if frozen:
        model.compiled = False
    # The object stays: its config lacks the variables that exclude_from_weight_decay names.
    optimizer.__class__ = _with_rates(own)  # type: ignore[arg-type]
    optimizer.rates = tuple(of_variable.get(id(v), 1.0) for v in model.trainable_variables)
    return optimizer


def _by_layer(model: keras.Model, rates: Rates) -> list[tuple[keras.Layer, float]]:
    """The layers of a model that have no layers inside, with their rates."""
    networks = networks_of(holder_of(model))
    given = _checked(networks, rates) if isinstance(rates, Mapping) else _decaying(networks, rates)
    inside = {
        id(inner): given.get(of.prefix + place.part, given.get(place.part, 1.0))
        for of in networks
        for place, layers in of.places.items()
        for layer in layers.values()
        for inner in layer._flatten_layers()
    }
    others = given.get(HEAD.part, 1.0)
    leaves = [layer for layer in model._flatten_layers() if not layer._layers]
    return [(layer, inside.get(id(layer), others)) for layer in leaves]


def _checked(networks: list[NetworkLayers], rates: Mapping[str, float]) -> dict[str, float]:
    places = [(of.prefix, place.part) for of in networks for place in of.places]
    allowed = [name for prefix, part in places for name in (part, prefix + part)] + [HEAD.part]
    return {
        checks.choice(part, allowed, "part of the network"): checks.fraction(
            rate, f"the rate of {part!r}", inf
        )
        for part, rate in rates.items()
    }


def _decaying(networks: list[NetworkLayers], decay: float) -> dict[str, float]:
    decay = checks.positive_number(decay, "rates that are no mapping from parts")
    return {
        of.prefix + place.part: decay ** (max(at.stage for at in of.places) + 1 - place.stage)
        for of in networks
        for place in of.places
        if place != HEAD
    }


class LayerRates(keras.optimizers.Optimizer):  # type: ignore[misc]
    """What an optimizer with rates adds to an optimizer of Keras: the base of both.

    `keras.optimizers.MultiOptimizer` has an optimizer for every part. Keras has it from 3.15 on,
    and `global_clipnorm` is then of each part's gradients.

    Args:
        rates: the rate of each variable that the optimizer is built for.
        **options: arguments of the optimizer of Keras.
    """

    share = 1.0  # of the learning rate, in the decay of a part

    def __init__(self, *, rates: Sequence[float], **options: object) -> None:
        super().__init__(**options)
        self.rates = tuple(rates)

    def get_config(self) -> dict[str, object]:
        """Return the optimizer's configuration."""
        return {**super().get_config(), "rates": list(self.rates)}

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the optimizer's variables."""
        if len(variables) != len(self.rates):
            raise ValueError(
                f"{self.name!r} has the rates of {len(self.rates)} variables, and the model trains "
                f"{len(variables)}: freeze and unfreeze before layer_rates"
            )
        super().build(variables)

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        """Update a variable, with its rate times the learning rate."""
        super().update_step(gradient, variable, learning_rate * self._rate(variable))

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        """Decay each variable by its rate times the learning rate, as this class of Keras does."""
        if self.weight_decay is None:
            return
        decaying = [variable for variable in variables if self._use_weight_decay(variable)]
        for rate in dict.fromkeys(map(self._rate, decaying)):
            # Not `self` with another share: the replicas of a strategy take turns here.
            part = object.__new__(type(self))
            part.__dict__.update(self.__dict__, share=rate)
            of_rate = [variable for variable in decaying if self._rate(variable) == rate]
            super(LayerRates, part)._apply_weight_decay(of_rate)

    def _get_current_learning_rate(self) -> Tensor:
        whole = super()._get_current_learning_rate()
        return whole if self.share == 1 else whole * self.share

    def _rate(self, variable: keras.Variable) -> float:
        place: int = self._get_variable_index(variable)
        return self.rates[place]


@cache
def _with_rates(own: type) -> type:
    """The class of an optimizer with rates, which Keras finds when it loads a model."""
    if issubclass(own, LayerRates):
        return own
    if own.__module__.startswith("keras."):
        # With PyTorch, Keras's have subclasses that update all variables at once.
        own = getattr(keras.optimizers, own.__name__)
    made = type(f"{own.__name__}WithRates", (LayerRates, own), {"__module__": __name__})
    name = f"{keras.saving.get_registered_name(own)}WithRates"
    keras.saving.register_keras_serializable("resnet_builder", name)(made)
    return made


for _kind in (*vars(keras.optimizers).values(), Lamb):
    if getattr(_kind, "update_step", None) not in (None, keras.optimizers.Optimizer.update_step):
        _with_rates(_kind)
