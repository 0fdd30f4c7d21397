"""The checkpoint for `weights="imagenet"`. Does not import Keras."""

from ..common.checks import unknown
from ..presets.networks import PRESETS
from ..presets.published_weights import PublishedWeights, published

CLASSES = 1000


def recommended(preset: object) -> PublishedWeights:
    """Return the best checkpoint of a preset for ImageNet's classes that is free to use.

    The best has the highest top-1 at the preset's own input size; if none was tested at it, at the
    size that each was trained at. The result's input size is that size.

    Raises:
        ValueError: there is none for the preset, or a config is given instead of a preset.
    """
    if not isinstance(preset, str):
        raise ValueError('weights="imagenet" needs a preset: give its name, or give a checkpoint')
    if best := find_recommended(preset):
        return best
    if others := [row.name for row in published() if row.preset == preset]:
        raise ValueError(
            f"none of the ImageNet weights of {preset!r} are known to be free to use: see "
            f"list_weights({preset!r}), and give one by its name, such as {others[0]!r}"
        )
    known = " (it is a preset, but none are published for it)" if preset in PRESETS else ""
    presets = dict.fromkeys(row.preset for row in published())
    kind, where = "preset with ImageNet weights", "list_weights() lists them all"
    raise ValueError(unknown(kind, preset, presets, where) + known)


def find_recommended(preset: str) -> PublishedWeights | None:
    """As `recommended`, but None if there is none."""
    if preset not in PRESETS:
        return None
    size = PRESETS[preset].input_shape[:2]
    free = [row for row in published() if row.preset == preset and row.is_free]
    free = [row for row in free if row.classes == CLASSES]
    at_size = [row for weights in free if (row := weights.at(size))]
    return max(at_size or free, key=lambda row: row.top1 or 0, default=None)
