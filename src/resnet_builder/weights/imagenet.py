"""The checkpoints for `weights="imagenet"`. Does not import Keras."""

from dataclasses import dataclass

from ..common.checks import unknown
from ..presets import PRESETS


@dataclass(frozen=True)
class PublishedWeights:
    """A checkpoint for ImageNet's 1000 classes.

    Attributes:
        repository: repository on the Hugging Face Hub.
        top1: accuracy on ImageNet's validation images, in percent, at that input size.
        input_size: rows and columns.
        licence: licence of the weights.
    """

    repository: str
    top1: float
    input_size: int = 224
    licence: str = "apache-2.0"


def _torchvision(preset: str, top1: float) -> PublishedWeights:
    return PublishedWeights(f"timm/{preset}.tv_in1k", top1, licence="bsd-3-clause")


# Accuracies: timm results/results-imagenet.csv; input sizes and licences: timm models/resnet.py and
# models/resnetv2.py, both as of commit aa4b5850c1543fa488abf260f18390eda46cf85d.
IMAGENET = {
    "resnet18": _torchvision("resnet18", 69.752),
    "resnet26": PublishedWeights("timm/resnet26.bt_in1k", 75.298),
    "resnet34": _torchvision("resnet34", 73.298),
    "resnet50": _torchvision("resnet50", 76.156),
    "resnet101": _torchvision("resnet101", 77.404),
    "resnet152": _torchvision("resnet152", 78.330),
    "resnetv2_18": PublishedWeights("timm/resnetv2_18.ra4_e3600_r224_in1k", 73.572),
    "resnetv2_34": PublishedWeights("timm/resnetv2_34.ra4_e3600_r224_in1k", 77.626),
    "resnetv2_50": PublishedWeights("timm/resnetv2_50.a1h_in1k", 80.410),
    "resnetv2_101": PublishedWeights("timm/resnetv2_101.a1h_in1k", 82.042),
    "resnet18d": PublishedWeights("timm/resnet18d.ra2_in1k", 72.296),
    "resnet34d": PublishedWeights("timm/resnet34d.ra2_in1k", 77.108),
    "resnet50d": PublishedWeights("timm/resnet50d.ra2_in1k", 80.546),
    "resnet101d": PublishedWeights("timm/resnet101d.ra2_in1k", 82.254, 256),
    "resnet152d": PublishedWeights("timm/resnet152d.ra2_in1k", 83.160, 256),
    "resnet200d": PublishedWeights("timm/resnet200d.ra2_in1k", 83.250, 256),
    "seresnet50": PublishedWeights("timm/seresnet50.ra2_in1k", 80.260),
    "seresnext50_32x4d": PublishedWeights("timm/seresnext50_32x4d.racm_in1k", 81.268),
    "seresnext101_32x4d": PublishedWeights("timm/seresnext101_32x4d.gluon_in1k", 80.886),
    "resnext50_32x4d": _torchvision("resnext50_32x4d", 77.632),
    "resnext101_32x4d": PublishedWeights("timm/resnext101_32x4d.gluon_in1k", 80.336),
    "resnext101_32x8d": _torchvision("resnext101_32x8d", 79.308),
    "resnext101_64x4d": _torchvision("resnext101_64x4d", 82.978),
    "wide_resnet50_2": _torchvision("wide_resnet50_2", 78.486),
    "wide_resnet101_2": _torchvision("wide_resnet101_2", 78.862),
}


def recommended(preset: object) -> PublishedWeights:
    """Return the checkpoint of a preset.

    Raises:
        ValueError: there is none for the preset, or a config is given instead of a preset.
    """
    if not isinstance(preset, str):
        raise ValueError('weights="imagenet" needs a preset: give its name, or give a checkpoint')
    if preset not in IMAGENET:
        kind = "preset with ImageNet weights"
        known = " (it is a preset, but none are published for it)" if preset in PRESETS else ""
        raise ValueError(unknown(kind, preset, IMAGENET) + known)
    return IMAGENET[preset]
