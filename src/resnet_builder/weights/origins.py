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
        epsilon: of its batch norm; None where it is whatever the network has here.
        folds_biases: whether its convolutions have biases that belong into the batch norms.
        stride_in_3x3: where its bottlenecks halve the size; None where it is as here.
    """

    name: str
    mark: str
    block: str
    layers: Mapping[str, str]
    ignored: str = ""
    is_torch: bool = False
    epsilon: float | None = 1e-5
    folds_biases: bool = False
    stride_in_3x3: bool | None = True

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

    def follows(self, tensor: str, stage: int) -> bool:
        """Whether a tensor of theirs belongs behind a stage of ours: to a later one or the head."""
        layer = tensor.rpartition("." if self.is_torch else "/")[0]
        stage_of = self.block.partition("{block")[0]
        later = [
            stage_of.format(stage0=number - 1, stage=number, stage2=number + 1)
            for number in range(stage + 1, 10)
        ]
        heads = (self.layer("head_bn"), self.layer("predictions"))
        return layer in heads or tensor.startswith(tuple(later))


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
    **{f"stem_{kind}{n}": f"conv{n}_{kind}" for kind in ("conv", "bn") for n in (1, 2, 3)},
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
        folds_biases=True,
        stride_in_3x3=False,
    ),
    # keras-hub 0.32: keras_hub/src/models/resnet/resnet_backbone.py.
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
        epsilon=None,
        stride_in_3x3=None,
    ),
)

# What may stand before all names of a checkpoint: `layer_prefix`, or the attribute that a network
# is of a module around it, as "module.".
PREFIX_ENDS = ("", ".", "_", "/")


def find_origin(names: Iterable[str]) -> tuple[Origin, str] | None:
    """The origin of a checkpoint with tensors of those names, and what stands before them.

    Raises:
        ValueError: there are several networks in it.
    """
    names = list(names)
    for origin in ORIGINS:
        before = [name.removesuffix(origin.mark) for name in names if name.endswith(origin.mark)]
        prefixes = [prefix for prefix in before if prefix[-1:] in PREFIX_ENDS]
        if len(prefixes) > 1:
            raise ValueError(
                f"it holds several networks, whose names begin with {', '.join(prefixes)}: load a "
                "dict of one network's arrays"
            )
        if prefixes:
            return origin, prefixes[0]
    return None
