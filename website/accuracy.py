"""The accuracy of a preset in the overview and the chart: the accuracy of its best checkpoint."""

from dataclasses import dataclass

from resnet_builder import list_weights, profile
from resnet_builder.presets.checkpoints import CLASSES, find_recommended


@dataclass(frozen=True)
class Accuracy:
    """A preset's top-1 on ImageNet, and what it costs.

    Attributes:
        top1: in percent.
        checkpoint: name of the checkpoint.
        rows: input rows that it was measured with.
        macs: multiply-adds for an image of that size.
        is_free: whether the checkpoint is free to use.
    """

    top1: float
    checkpoint: str
    rows: int
    macs: int
    is_free: bool


def accuracy(name: str) -> Accuracy | None:
    """That of the checkpoint for `weights="imagenet"`; if none is free to use, of the best one.

    None if there is no checkpoint with ImageNet's classes and a published top-1.
    """
    rows = [row for row in list_weights(name).rows if row.preset == name]
    known = [row for row in rows if row.top1 is not None and row.classes == CLASSES]
    best = find_recommended(name) or max(known, key=lambda row: row.top1 or 0, default=None)
    if best is None or best.top1 is None:
        return None
    macs = profile(name, best.input_shape).macs
    assert macs is not None, best
    return Accuracy(best.top1, best.name, best.input_size[0], macs, best.is_free)
