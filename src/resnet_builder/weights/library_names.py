"""The names that other libraries give to weights such as `stage1_block1_conv1/kernel`. No Keras.

To add an origin, add a row to `ORIGINS`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import NamedTuple

from ..plan.names import STEM, LayerName
from .layouts import KERAS, TORCH, Layout
from .names import WeightName, known_weights

# Fields of `Origin.block`: stage or block, and the offset from a count that starts at 1.
_COUNTS = {
    "stage0": ("stage", -1),
    "stage": ("stage", 0),
    "stage2": ("stage", 1),
    "block0": ("block", -1),
    "block": ("block", 0),
}

# First parts of the names of stems and stages, in networks that are not built here as well.
_OF_ANY_STEM = re.compile(r"(stem|conv|bn|maxpool|layer)\d*")


class TensorPlace(NamedTuple):
    """The place of a tensor in a network: the prefix of its name, and whether it is in a block."""

    prefix: str
    in_block: bool


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The names of one origin.

    Attributes:
        name: name for messages.
        layout: names of variables and order of axes.
        block: its form of `stage1_block1_`; `stage` and `block` count from 1, `stage0` and
            `block0` from 0, and `stage2` from 2.
        layers: its names of other layers, or the ends of the names in a block; layers that are not
            listed have the same name.
        ignored: pattern of tensor names that are not weights here.
        unsupported: reason why its checkpoints cannot be loaded; empty if they can.
        epsilon: epsilon of its batch norm; None if it is the network's.
        folds_biases: whether its convolutions have biases to be folded into the batch norms.
        stride_in_3x3: whether its bottlenecks halve the size in their 3x3 convolution; None if it
            is as in the network.
    """

    name: str
    layout: Layout
    block: str
    layers: Mapping[str, str]
    ignored: str = ""
    unsupported: str = ""
    epsilon: float | None = 1e-5
    folds_biases: bool = False
    stride_in_3x3: bool | None = True

    def layer(self, name: str) -> str:
        """The origin's name for a layer."""
        read = LayerName.parse(name)
        if not read or not read.place.block:
            return self.layers.get(name, name)
        numbers = {"stage": read.place.stage, "block": read.place.block}
        before = self.block.format(
            **{count: numbers[of] + offset for count, (of, offset) in _COUNTS.items()}
        )
        return before + self.layers.get(read.role, read.role)

    def tensor(self, weight: WeightName) -> str:
        """The origin's name for a weight."""
        layer, variable = weight
        return self.layout.tensor(self.layer(layer), variable)

    def place(self, tensor: str) -> TensorPlace | None:
        """The place of a tensor; None if its name, without a prefix, is not this origin's."""
        found = self._tensors.fullmatch(tensor)
        return found and TensorPlace(found["prefix"], found["in_block"] is not None)

    def is_ignored(self, tensor: str) -> bool:
        """Return whether a tensor of that name is ignored."""
        return re.fullmatch(self.ignored, tensor) is not None

    def is_inside(self, tensor: str, stage: int) -> bool:
        """Return whether a tensor's name is of the stem, or of a stage up to that number.

        Names that no network has, such as a bias in a block, are inside too.
        """
        if found := re.match(self._any_block, tensor):
            counts = found.groupdict().items()
            return all(
                int(number) - _COUNTS[count][1] <= stage
                for count, number in counts
                if _COUNTS[count][0] == "stage"
            )
        first = tensor.partition(self.layout.separator)[0]
        return first in self._stem or _OF_ANY_STEM.fullmatch(first) is not None

    @cached_property
    def _stem(self) -> frozenset[str]:
        """The first parts of this origin's names of stems."""
        _, others = known_weights()
        names = {weight: LayerName.parse(weight[0]) for weight in others}
        return frozenset(
            self.tensor(weight).partition(self.layout.separator)[0]
            for weight, name in names.items()
            if name and name.place == STEM
        )

    @cached_property
    def _any_block(self) -> str:
        return "".join(
            re.escape(text) + (rf"(?P<{count}>\d+)" if count else "")
            for text, count, _, _ in Formatter().parse(self.block)
        )

    @cached_property
    def _tensors(self) -> re.Pattern[str]:
        """Pattern of all tensor names, with the shortest possible prefix."""
        in_block, others = (
            "|".join(
                re.escape(self.layout.tensor(self.layers.get(layer, layer), variable))
                for layer, variable in weights
            )
            for weights in map(sorted, known_weights())
        )
        own_name = rf"(?P<in_block>{self._any_block}(?:{in_block}))|{others}"
        return re.compile(rf"(?P<prefix>.*?)(?:{own_name})", re.DOTALL)


_TORCH = {
    "stem_conv": "conv1",
    "stem_bn": "bn1",
    "shortcut_conv": "downsample.0",
    "shortcut_bn": "downsample.1",
    "se_reduce": "se.fc1",
    "se_expand": "se.fc2",
    "eca_conv": "se.conv",
    "predictions": "fc",
}
_KERAS = {
    "stem_conv": "conv1_conv",
    **{f"stem_{kind}{n}": f"conv{n}_{kind}" for kind in ("conv", "bn") for n in (1, 2, 3)},
    **{f"conv{n}": f"{n}_conv" for n in (1, 2, 3)},
    "shortcut_conv": "0_conv",
}
_KERAS_V1 = _KERAS | {
    "stem_bn": "conv1_bn",
    **{f"bn{n}": f"{n}_bn" for n in (1, 2, 3)},
    "shortcut_bn": "0_bn",
}
_KERAS_V2 = _KERAS | {"bn2": "1_bn", "bn3": "2_bn", "head_bn": "post_bn"}

# A checkpoint's origin is the one that explains most of its names, the first if several do.
ORIGINS = (
    # torchvision models/resnet.py; timm models/resnet.py.
    Origin(
        name="torchvision's or timm's ResNet",
        layout=TORCH,
        ignored=r".*\.num_batches_tracked",
        block="layer{stage}.{block0}.",
        layers=_TORCH,
    ),
    # timm models/resnet.py, deep_stem and downsample_avg.
    Origin(
        name="timm's ResNet-D",
        layout=TORCH,
        ignored=r".*\.num_batches_tracked",
        block="layer{stage}.{block0}.",
        layers=_TORCH
        | {
            "stem_conv1": "conv1.0",
            "stem_bn1": "conv1.1",
            "stem_conv2": "conv1.3",
            "stem_bn2": "conv1.4",
            "stem_conv3": "conv1.6",
            "stem_bn3": "bn1",
            # The average pool, or the identity in its place, is downsample.0.
            "shortcut_conv": "downsample.1",
            "shortcut_bn": "downsample.2",
        },
    ),
    # timm models/resnetv2.py.
    Origin(
        name="timm's ResNetV2",
        layout=TORCH,
        ignored=r".*\.num_batches_tracked",
        block="stages.{stage0}.blocks.{block0}.",
        layers={
            **{f"bn{n}": f"norm{n}" for n in (1, 2, 3)},
            **{f"stem_conv{n}": f"stem.conv{n}" for n in (1, 2, 3)},
            **{f"stem_bn{n}": f"stem.norm{n}" for n in (1, 2)},
            "stem_conv": "stem.conv",
            "shortcut_conv": "downsample.conv",
            "head_bn": "norm",
            "predictions": "head.fc",
        },
    ),
    # keras.applications: keras/src/applications/resnet.py.
    Origin(
        name="keras.applications' ResNet",
        layout=KERAS,
        block="conv{stage2}_block{block}_",
        layers=_KERAS_V1,
        epsilon=1.001e-5,
        folds_biases=True,
        stride_in_3x3=False,
    ),
    # The same file; in its stack_residual_blocks_v2 the last block of a stage strides.
    Origin(
        name="keras.applications' ResNetV2",
        layout=KERAS,
        block="conv{stage2}_block{block}_",
        layers=_KERAS_V2 | {"bn1": "preact_bn"},
        unsupported="it halves the size in the last block of a stage, unlike any network here",
    ),
    # keras-hub 0.32: keras_hub/src/models/resnet/resnet_backbone.py.
    Origin(
        name="keras-hub's ResNet",
        layout=KERAS,
        block="stack{stage0}_block{block0}_",
        layers=_KERAS_V1,
        ignored="normalization/.*",
    ),
    Origin(
        name="keras-hub's ResNetV2",
        layout=KERAS,
        block="stack{stage0}_block{block0}_",
        layers=_KERAS_V2 | {"bn1": "pre_activation_bn"},
        ignored="normalization/.*",
    ),
    Origin(
        name="resnet_builder",
        layout=KERAS,
        block="stage{stage}_block{block}_",
        layers={},
        epsilon=None,
        stride_in_3x3=None,
    ),
)
