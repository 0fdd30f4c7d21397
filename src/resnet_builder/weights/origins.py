"""What each origin calls the weights that are called `stage1_block1_conv1/kernel` here. No Keras.

To add an origin, add a row to `ORIGINS`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WeightName = tuple[str, str]  # layer and variable, as here

TORCH_VARIABLES = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The names of one origin.

    Attributes:
        name: for messages.
        mark: a name that only its checkpoints have.
        block: what stands for `stage1_block1_`; `stage` and `block` count from 1, `stage0` and
            `block0` from 0, and `stage2` from 2.
        layers: what other layers' names are, or how they end in a block; those that are not here
            stay as they are.
        ignored: names of tensors that mean nothing here.
        is_torch: whether names are `layer.weight` and kernels (out, in, rows, columns), as in
            PyTorch; otherwise `layer/kernel` and (rows, columns, in, out), as in Keras.
        epsilon: of its batch norm, where it differs from what its networks have here.
    """

    name: str
    mark: str
    block: str
    layers: Mapping[str, str]
    ignored: str = ""
    is_torch: bool = False
    epsilon: float | None = None

    def layer(self, name: str) -> str:
        """What a layer of ours is called there."""
        found = re.fullmatch(r"stage(\d+)_block(\d+)_(.+)", name)
        if not found:
            return self.layers.get(name, name)
        stage, block = int(found[1]), int(found[2])
        before = self.block.format(
            stage0=stage - 1, stage=stage, stage2=stage + 1, block0=block - 1, block=block
        )
        return before + self.layers.get(found[3], found[3])

    def tensor(self, name: WeightName) -> str:
        """What a weight of ours is called there."""
        layer, variable = name
        if self.is_torch:
            return f"{self.layer(layer)}.{TORCH_VARIABLES.get(variable, variable)}"
        return f"{self.layer(layer)}/{variable}"


_TORCH = {
    "stem_conv": "conv1",
    "stem_bn": "bn1",
    "shortcut_conv": "downsample.0",
    "shortcut_bn": "downsample.1",
    "se_reduce": "se.fc1",
    "se_expand": "se.fc2",
    "predictions": "fc",
}
_NUMBERED = {f"{kind}{n}": f"{n}_{kind}" for kind in ("conv", "bn") for n in (1, 2, 3)}
_KERAS = {
    "stem_conv": "conv1_conv",
    "stem_bn": "conv1_bn",
    "shortcut_conv": "0_conv",
    "shortcut_bn": "0_bn",
}

# The first whose mark is in a checkpoint is its origin.
ORIGINS = (
    # timm models/resnet.py, deep_stem and downsample_avg.
    Origin(
        name="timm's ResNet-D",
        mark="conv1.0.weight",
        ignored=r".*\.num_batches_tracked",
        is_torch=True,
        block="layer{stage}.{block0}.",
        layers=_TORCH
        | {
            "stem_conv1": "conv1.0",
            "stem_bn1": "conv1.1",
            "stem_conv2": "conv1.3",
            "stem_bn2": "conv1.4",
            "stem_conv3": "conv1.6",
            "stem_bn3": "bn1",
            # The average pool, or what stands in its place, is downsample.0.
            "shortcut_conv": "downsample.1",
            "shortcut_bn": "downsample.2",
        },
    ),
    # torchvision models/resnet.py; timm models/resnet.py.
    Origin(
        name="torchvision's or timm's ResNet",
        mark="layer1.0.conv1.weight",
        ignored=r".*\.num_batches_tracked",
        is_torch=True,
        block="layer{stage}.{block0}.",
        layers=_TORCH,
    ),
    # timm models/resnetv2.py.
    Origin(
        name="timm's ResNetV2",
        mark="stages.0.blocks.0.norm1.weight",
        ignored=r".*\.num_batches_tracked",
        is_torch=True,
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
        mark="conv2_block1_1_conv/kernel",
        block="conv{stage2}_block{block}_",
        layers=_KERAS | _NUMBERED,
        epsilon=1.001e-5,
    ),
    # keras-hub: keras_hub/src/models/resnet/resnet_backbone.py, as its own converter of timm's
    # checkpoints names them (keras_hub/src/utils/timm/convert_resnet.py).
    Origin(
        name="keras-hub's ResNetV2",
        mark="stack0_block0_pre_activation_bn/gamma",
        block="stack{stage0}_block{block0}_",
        layers=_KERAS
        | _NUMBERED
        | {"bn1": "pre_activation_bn", "bn2": "1_bn", "bn3": "2_bn", "head_bn": "post_bn"},
        ignored="normalization/.*",
    ),
    Origin(
        name="keras-hub's ResNet",
        mark="stack0_block0_1_conv/kernel",
        block="stack{stage0}_block{block0}_",
        layers=_KERAS | _NUMBERED,
        ignored="normalization/.*",
    ),
    Origin(
        name="resnet_builder",
        mark="stage1_block1_conv1/kernel",
        block="stage{stage}_block{block}_",
        layers={},
    ),
)


def find_origin(names: Iterable[str]) -> Origin | None:
    """The origin of a checkpoint with tensors of those names."""
    names = set(names)
    return next((origin for origin in ORIGINS if origin.mark in names), None)
