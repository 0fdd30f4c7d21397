"""The names that other libraries give to weights such as `stage1_block1_conv1/kernel`. No Keras.

To add an origin, add a row to `ORIGINS`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Any, NamedTuple

from ..plan.names import STEM, LayerName, Place, plain
from .naming import KERAS, MOST_SPLITS, TORCH, Layout, WeightName, known_weights

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


# Parts of the names of what training keeps beside a network, and last parts of the names of
# counters, in any checkpoint: they never are weights.
_OF_TRAINING = re.compile(
    r"optimizers?(_state|_states|_state_dict|_dict)?|optim|opt|opt_state"
    r"|(lr_)?schedulers?(_state_dict)?|((grad|loss)_)?scaler(_state_dict)?|loss_scale"
    r"|criterions?|loss|losses|loss_(fn|func|function)|(cuda_)?rng_states?"
    r"|((train|val|valid|test)_)?metrics"
)
# The statistics of keras.layers.Normalization, which prepares images.
_OF_INPUT = re.compile(r"(^|/)normalization(_\d+)?/(mean|variance|count)$")
_COUNTERS = frozenset(
    (
        # thop; torch.optim.swa_utils; ema_pytorch; torchmetrics
        *("total_ops", "total_params", "n_averaged", "num_updates", "initted", "step", "steps"),
        *("tp", "fp", "tn", "fn", "correct", "total", "confmat", "mean_value", "sum_value"),
    )
)


def is_never_weight(tensor: str) -> bool:
    """Return whether a tensor of that name is not a network's weight, in any library's file."""
    parts = re.split("[./]", tensor)
    is_of_input = _OF_INPUT.search(tensor) is not None
    return is_of_input or parts[-1] in _COUNTERS or any(map(_OF_TRAINING.fullmatch, parts))


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
        bare: layers whose only weight has no name of a variable after the layer's.
        ignored: pattern of tensor names that are not weights here, and not worth a word.
        is_own: whether it is this package: its names tell kinds of norms and convolutions apart,
            and its kernels are already standardised.
        epsilon: epsilon of its batch norm; None if it is the network's.
        stride_in_3x3: whether its bottlenecks halve the size in their 3x3 convolution; None if it
            is as in the network.
        pads_stem_pool: whether zeros are padded before the stem's pool in all its networks.
    """

    name: str
    layout: Layout
    block: str
    layers: Mapping[str, str]
    bare: frozenset[str] = frozenset()
    ignored: str = ""
    is_own: bool = False
    epsilon: float | None = 1e-5
    stride_in_3x3: bool | None = True
    pads_stem_pool: bool = False

    def layer(self, name: str) -> str:
        """The origin's name for a layer."""
        read = LayerName.parse(name)
        if not read or not read.place.block:
            return self._named(name)
        numbers = {"stage": read.place.stage, "block": read.place.block}
        before = self.block.format(
            **{count: numbers[of] + offset for count, (of, offset) in _COUNTS.items()}
        )
        return before + self._named(read.role)

    def tensor(self, weight: WeightName) -> str:
        """The origin's name for a weight."""
        layer, variable = weight
        read = LayerName.parse(layer)
        role = read.role if read and read.place.block else layer
        return self._tensor(self.layer(layer), role, variable)

    def _named(self, role: str) -> str:
        """The name of a layer at an end of the network, or the end of a name in a block."""
        if not self.is_own:
            role = plain(role)
        return self.layers.get(role, role)

    def _tensor(self, name: str, role: str, variable: str) -> str:
        return name if role in self.bare else self.layout.tensor(name, variable)

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
        if stage == 0 and first in self._stem_pool:  # the map of a stem is the one before its pool
            return False
        return first in self._stem or _OF_ANY_STEM.fullmatch(first) is not None

    def blocks(self, tensors: Iterable[str]) -> tuple[int, ...]:
        """The number of blocks of each stage of the network that tensors are of."""
        last: dict[int, int] = {}
        for found in filter(None, (re.match(self._any_block, tensor) for tensor in tensors)):
            numbers = {
                of: int(number) - offset
                for (of, offset), number in ((_COUNTS[k], n) for k, n in found.groupdict().items())
            }
            last[numbers["stage"]] = max(last.get(numbers["stage"], 0), numbers["block"])
        return tuple(last[stage] for stage in sorted(last))

    @cached_property
    def _stem(self) -> frozenset[str]:
        """The first parts of this origin's names of stems."""
        return self._first_parts(STEM, "")

    @cached_property
    def _stem_pool(self) -> frozenset[str]:
        return self._first_parts(STEM, "pool")

    def _first_parts(self, place: Place, role: str) -> frozenset[str]:
        _, others = known_weights()
        names = {weight: LayerName.parse(weight[0]) for weight in others}
        return frozenset(
            self.tensor(weight).partition(self.layout.separator)[0]
            for weight, name in names.items()
            if name and name.place == place and name.role.startswith(role)
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
                re.escape(tensor)
                for tensor in sorted({self._tensor(self._named(r), r, v) for r, v in weights})
            )
            for weights in known_weights()
        )
        own_name = rf"(?P<in_block>{self._any_block}(?:{in_block}))|{others}"
        return re.compile(rf"(?P<prefix>.*?)(?:{own_name})", re.DOTALL)


# The names of torchvision models/resnet.py and timm models/resnet.py.
_TORCH = {
    "stem_conv": "conv1",
    "stem_bn": "bn1",
    # timm's deep stem.
    **{f"stem_conv{n}": f"conv1.{3 * n - 3}" for n in (1, 2, 3)},
    **{f"stem_bn{n}": f"conv1.{3 * n - 2}" for n in (1, 2)},
    "stem_bn3": "bn1",
    "stem_pool_conv": "maxpool.0",
    "stem_pool_bn": "maxpool.1",
    "shortcut_conv": "downsample.0",
    "shortcut_bn": "downsample.1",
    "se_reduce": "se.fc1",
    "se_expand": "se.fc2",
    "eca_conv": "se.conv",
    # timm models/res2net.py.
    **{f"conv2_{n}": f"convs.{n - 1}" for n in range(1, MOST_SPLITS)},
    **{f"bn2_{n}": f"bns.{n - 1}" for n in range(1, MOST_SPLITS)},
    # timm models/resnest.py.
    "splat_conv2": "conv2.conv",
    "splat_bn2": "conv2.bn0",
    "splat_reduce2": "conv2.fc1",
    "splat_reduce_bn2": "conv2.bn1",
    "splat_expand2": "conv2.fc2",
    "predictions": "fc",
}
# The average pool, or the identity in its place, is downsample.0.
_TORCH_D = _TORCH | {"shortcut_conv": "downsample.1", "shortcut_bn": "downsample.2"}
_SELECTIVE_KERNELS = {
    f"{role}{n}{of_path}": f"conv{n}.{name}"
    for n in (1, 2, 3)
    for role, of_path, name in (
        ("conv", "", "conv"),
        ("bn", "", "bn"),
        *(("conv", f"_{path}", f"paths.{path - 1}.conv") for path in (1, 2)),
        *(("bn", f"_{path}", f"paths.{path - 1}.bn") for path in (1, 2)),
        ("sk_reduce", "", "attn.fc_reduce"),
        ("sk_reduce_bn", "", "attn.bn"),
        ("sk_expand", "", "attn.fc_select"),
    )
}
_LEGACY_SENET = {
    "stem_conv": "layer0.conv1",
    "stem_bn": "layer0.bn1",
    **{f"stem_{kind}{n}": f"layer0.{kind}{n}" for kind in ("conv", "bn") for n in (1, 2, 3)},
    "se_reduce": "se_module.fc1",
    "se_expand": "se_module.fc2",
    "predictions": "last_linear",
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

_NUM_BATCHES = r".*\.num_batches_tracked"


def _torch(name: str, layers: Mapping[str, str], **differences: Any) -> Origin:
    """An origin with the names of torchvision's blocks."""
    common: dict[str, Any] = {"ignored": _NUM_BATCHES, "block": "layer{stage}.{block0}."}
    return Origin(name=name, layout=TORCH, layers=layers, **common | differences)


OWN = Origin(
    name="resnet_builder",
    layout=KERAS,
    block="stage{stage}_block{block}_",
    layers={},
    is_own=True,
    epsilon=None,
    stride_in_3x3=None,
)

# A checkpoint's origin is the one that explains most of its names, the first if several do.
ORIGINS = (
    # torchvision models/resnet.py; timm models/resnet.py, resnest.py and res2net.py.
    _torch("torchvision's or timm's ResNet", _TORCH),
    # timm models/resnet.py, downsample_avg.
    _torch("timm's ResNet-D", _TORCH_D),
    # timm models/sknet.py.
    _torch("timm's SKNet", _TORCH | _SELECTIVE_KERNELS),
    _torch("timm's SKNet-D", _TORCH_D | _SELECTIVE_KERNELS),
    # timm models/senet.py. Bottlenecks stride in their 3x3 convolution if it has groups.
    _torch(
        "timm's legacy SENet",
        _TORCH | _LEGACY_SENET,
        stride_in_3x3=None,
        pads_stem_pool=True,
    ),
    # timm models/resnetv2.py.
    Origin(
        name="timm's ResNetV2",
        layout=TORCH,
        ignored=_NUM_BATCHES,
        block="stages.{stage0}.blocks.{block0}.",
        layers={
            **{f"bn{n}": f"norm{n}" for n in (1, 2, 3)},
            **{f"bn{n}_v": f"norm{n}.v" for n in (1, 2, 3)},
            **{f"stem_conv{n}": f"stem.conv{n}" for n in (1, 2, 3)},
            **{f"stem_bn{n}": f"stem.norm{n}" for n in (1, 2)},
            **{f"stem_bn{n}_v": f"stem.norm{n}.v" for n in (1, 2)},
            "stem_conv": "stem.conv",
            "shortcut_conv": "downsample.conv",
            "head_bn": "norm",
            "head_bn_v": "norm.v",
            "predictions": "head.fc",
        },
        bare=frozenset(
            (
                *(f"evonorm{n}_v" for n in (1, 2, 3)),
                *(f"stem_evonorm{n}_v" for n in (1, 2)),
                "head_evonorm_v",
            )
        ),
    ),
    # keras.applications: keras/src/applications/resnet.py.
    Origin(
        name="keras.applications' ResNet",
        layout=KERAS,
        block="conv{stage2}_block{block}_",
        layers=_KERAS_V1,
        epsilon=1.001e-5,
        stride_in_3x3=False,
    ),
    # The same file; in its stack_residual_blocks_v2 the last block of a stage strides.
    Origin(
        name="keras.applications' ResNetV2",
        layout=KERAS,
        block="conv{stage2}_block{block}_",
        layers=_KERAS_V2 | {"bn1": "preact_bn"},
        epsilon=1.001e-5,
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
    OWN,
)
