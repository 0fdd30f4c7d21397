"""The classes and input channels of a checkpoint. Does not import Keras."""

from dataclasses import dataclass

from ..plan.network import Plan
from .by_order import BY_CONNECTIONS
from .checkpoints import Checkpoint
from .expected import expected_weights
from .names import CLASSIFIER, FIRST_CONVS
from .recognising import recognise


@dataclass(frozen=True)
class Contents:
    """The numbers of classes and of input channels of a checkpoint; None if it does not show."""

    classes: int | None
    channels: int | None


def contents(checkpoint: Checkpoint, plan: Plan) -> Contents:
    """Read the numbers from the shapes of the classifier and of the first convolution.

    Args:
        plan: the network that the checkpoint is of, with any classes and channels.

    Raises:
        ValueError: the checkpoint is not recognised, as in `load_weights`.
    """
    found = recognise(checkpoint, expected_weights(plan))
    shapes, origin = found.checkpoint.shapes, found.origin
    if origin is BY_CONNECTIONS:  # whose first convolution and last dense layer are the network's
        dense, convs = ([s for s in shapes.values() if len(s) == rank] for rank in (2, 4))
        return Contents(dense[-1][1] if dense else None, convs[0][2] if convs else None)
    kernels = {
        layer: origin.layout.keras_shape(kernel, shapes[tensor])
        for layer in (*FIRST_CONVS, CLASSIFIER)
        if (tensor := origin.tensor(kernel := (layer, "kernel"))) in shapes
    }
    channels = (kernels[stem][2] for stem in FIRST_CONVS if stem in kernels)
    return Contents(
        kernels[CLASSIFIER][-1] if CLASSIFIER in kernels else None, next(channels, None)
    )
