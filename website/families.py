"""The families of presets, in the gallery's order: a row each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Presets that belong together.

    Attributes:
        title: its name in the gallery.
        group: its colour in the chart.
        in_short: what its networks have in common, as a sentence of Markdown.
        presets: names of its presets.
        papers: their arXiv numbers.
        libraries: where else its networks are found.
    """

    title: str
    group: str
    in_short: str
    presets: tuple[str, ...]
    papers: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def sources(self) -> str:
        """Papers and libraries, as links in Markdown."""
        links = [f"[arXiv:{paper}](https://arxiv.org/abs/{paper})" for paper in self.papers]
        return ", ".join([*links, *self.libraries])


def _family(
    title: str, group: str, in_short: str, presets: str, papers: str = "", libraries: str = ""
) -> Family:
    lists = (tuple(text.split()) for text in (presets, papers, libraries))
    return Family(title, group, in_short, *lists)


FAMILIES = (
    _family(
        "ResNet",
        "ResNet",
        'The networks of the paper, with the stride in the 3x3 convolution ("v1.5").',
        "resnet18 resnet26 resnet34 resnet50 resnet101 resnet152 resnet200",
        "1512.03385",
        "torchvision timm",
    ),
    _family(
        "ResNet, stride in the first 1x1",
        "ResNet",
        "The networks of the paper to the letter: the stride is in the first 1x1 convolution.",
        "resnet50_v1 resnet101_v1 resnet152_v1",
        "1512.03385",
        "keras.applications",
    ),
    _family(
        "The article's networks",
        "ResNet",
        "The networks of `ResnetBuilder.build_resnet_18` to `build_resnet_152`.",
        "keras_resnet18 keras_resnet34 keras_resnet50 keras_resnet101 keras_resnet152",
        "",
        "raghakot/keras-resnet",
    ),
    _family(
        "Pre-activation",
        "Pre-activation",
        "Norm and activation before every convolution.",
        "resnetv2_18 resnetv2_34 resnetv2_50 resnetv2_101 resnetv2_152",
        "1603.05027",
        "timm",
    ),
    _family(
        "Pre-activation, stride last",
        "Pre-activation",
        "Norm and activation before every convolution; the last block of a stage strides.",
        "resnet50_v2 resnet101_v2 resnet152_v2",
        "",
        "keras.applications",
    ),
    _family(
        "ResNet-C and -S",
        "ResNet-C, -D, -T",
        "A deep stem of three 3x3 convolutions; in S it is wider.",
        "resnet50c resnet101c resnet152c resnet50s resnet101s resnet152s",
        "1812.01187",
        "timm",
    ),
    _family(
        "ResNet-D",
        "ResNet-C, -D, -T",
        "A deep stem, and projections that average-pool before they convolve.",
        "resnet18d resnet26d resnet34d resnet50d resnet101d resnet152d resnet200d "
        "resnetv2_18d resnetv2_34d resnetv2_50d resnetv2_101d resnetv2_152d",
        "1812.01187",
        "timm",
    ),
    _family(
        "ResNet-T",
        "ResNet-C, -D, -T",
        "ResNet-D with a deep stem of rising widths.",
        "resnet10t resnet14t resnet26t resnet50t resnetv2_50t",
        "",
        "timm",
    ),
    _family(
        "ResNet-vd",
        "ResNet-C, -D, -T",
        "ResNet-D with a projection in every stage, the first too.",
        "resnet18_vd resnet34_vd resnet200_vd",
        "",
        "PaddleClas keras-hub",
    ),
    _family(
        "SE-ResNet",
        "Attention",
        "Squeeze-and-excitation at the end of every residual branch.",
        "seresnet18 seresnet34 seresnet50 seresnet101 seresnet152 seresnet152d seresnet200d "
        "seresnet269d seresnet50t seresnext26d_32x4d seresnext26t_32x4d seresnext50_32x4d "
        "seresnext101_32x4d seresnext101_32x8d seresnext101_64x4d seresnext101d_32x8d "
        "senet154",
        "1709.01507",
        "timm",
    ),
    _family(
        "SE-ResNet, the originals",
        "Attention",
        "Squeeze-and-excitation as its authors released it.",
        "legacy_seresnet18 legacy_seresnet34 legacy_seresnet50 legacy_seresnet101 "
        "legacy_seresnet152 legacy_seresnext26_32x4d legacy_seresnext50_32x4d "
        "legacy_seresnext101_32x4d legacy_senet154",
        "1709.01507",
        "timm",
    ),
    _family(
        "ECA-ResNet",
        "Attention",
        "Efficient channel attention at the end of every residual branch.",
        "ecaresnetlight ecaresnet26t ecaresnet50t ecaresnet50d ecaresnet101d ecaresnet200d "
        "ecaresnet269d ecaresnet50d_pruned ecaresnet101d_pruned ecaresnext26t_32x4d "
        "ecaresnext50t_32x4d",
        "1910.03151",
        "timm",
    ),
    _family(
        "ResNeXt",
        "ResNeXt",
        "Grouped 3x3 convolutions.",
        "resnext50_32x4d resnext101_32x4d resnext101_32x8d resnext101_32x16d "
        "resnext101_32x32d resnext101_32x48d resnext101_64x4d resnext50d_32x4d",
        "1611.05431",
        "torchvision timm",
    ),
    _family(
        "ResNet-RS",
        "ResNet-RS",
        "ResNet-D with squeeze-and-excitation, scaled in depth and image size.",
        "resnetrs50 resnetrs101 resnetrs152 resnetrs200 resnetrs270 resnetrs350 resnetrs420",
        "2103.07579",
        "timm",
    ),
    _family(
        "Group norm, EvoNorm",
        "Norms",
        "Norms that do not depend on the batch.",
        "resnet50_gn resnetv2_50d_gn resnetv2_50d_evos",
        "1803.08494 2004.02967",
        "timm",
    ),
    _family(
        "BiT",
        "Norms",
        "Group norm and standardised kernels, wide, before fine-tuning.",
        "resnetv2_50x1_bit resnetv2_50x3_bit resnetv2_101x1_bit resnetv2_101x3_bit "
        "resnetv2_152x2_bit resnetv2_152x4_bit",
        "1912.11370",
        "timm",
    ),
    _family(
        "Anti-aliasing, average pools",
        "Anti-aliasing",
        "Average pools stride in place of convolutions.",
        "resnetaa50 resnetaa34d resnetaa50d resnetaa101d seresnetaa50d seresnextaa101d_32x8d "
        "seresnextaa201d_32x8d",
        "",
        "timm",
    ),
    _family(
        "Anti-aliasing, blurs",
        "Anti-aliasing",
        "Blurs stride in place of convolutions.",
        "resnetblur18 resnetblur50 resnetblur50d resnetblur101d",
        "1904.11486",
        "timm",
    ),
    _family(
        "Res2Net",
        "Several paths",
        "A chain of smaller 3x3 convolutions within the block.",
        "res2net50_26w_4s res2net50_26w_6s res2net50_26w_8s res2net50_48w_2s res2net50_14w_8s "
        "res2net101_26w_4s res2next50 res2net50d res2net101d",
        "1904.01169",
        "timm",
    ),
    _family(
        "SK-ResNet",
        "Several paths",
        "Attention over convolutions of two dilations.",
        "skresnet18 skresnet34 skresnet50 skresnet50d skresnext50_32x4d",
        "1903.06586",
        "timm",
    ),
    _family(
        "ResNeSt",
        "Several paths",
        "Attention over parts of the block's channels.",
        "resnest14d resnest26d resnest50d resnest101e resnest200e resnest269e "
        "resnest50d_4s2x40d resnest50d_1s4x24d",
        "2004.08955",
        "timm",
    ),
    _family(
        "Mixed blocks",
        "Tests",
        "Basic blocks and bottlenecks in one network, for tests.",
        "test_resnet",
        "",
        "timm",
    ),
    _family(
        "Wide ResNet",
        "Wide",
        "Bottlenecks with a 3x3 convolution of twice the width.",
        "wide_resnet50_2 wide_resnet101_2",
        "1605.07146",
        "torchvision",
    ),
    _family(
        "Wide ResNet, CIFAR",
        "CIFAR",
        "Shallow and wide pre-activation networks for 32x32 images. "
        "Any `wrnD_K` with D = 6n+4 can be built.",
        "wrn16_4 wrn16_8 wrn22_8 wrn28_2 wrn28_10 wrn40_1 wrn40_2 wrn40_4 wrn40_8",
        "1605.07146",
    ),
    _family(
        "ResNet, CIFAR",
        "CIFAR",
        "The paper's networks for 32x32 images. Any `resnetD_cifar` with D = 6n+2 can be built.",
        "resnet20_cifar resnet32_cifar resnet44_cifar resnet56_cifar resnet110_cifar "
        "resnet1202_cifar",
        "1512.03385",
    ),
    _family(
        "Pre-activation, CIFAR",
        "CIFAR",
        "Pre-activation networks for 32x32 images.",
        "resnetv2_110_cifar resnetv2_164_cifar resnetv2_1001_cifar",
        "1603.05027",
    ),
    _family(
        "Plain",
        "Plain",
        "The same layers without shortcuts, for comparison. "
        "Any `plainD_cifar` with D = 6n+2 can be built.",
        "plain18 plain34 plain20_cifar plain32_cifar plain44_cifar plain56_cifar",
        "1512.03385",
    ),
)

FAMILY_OF = {name: family for family in FAMILIES for name in family.presets}
# Not for use, and so not in the chart.
FOR_TESTS = FAMILY_OF["test_resnet"]
