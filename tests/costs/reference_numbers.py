"""Published parameters and multiply-adds of residual networks, with their sources.

`trainable` is PyTorch's num_params: convolutions, gamma, beta and classifier. `total` adds batch
norm's moving mean and variance: Keras's count_params(). `macs` are the multiply-adds of
convolutions and dense layers, at the preset's own input size.

Sources: `tv`, torchvision's models/resnet.py (weights metadata); `timm`, its
results/benchmark-infer-amp-nchw-pt113-cu117-rtx3090.csv; `osmr`, osmr/imgclsmob's
chainer_/README.md; `hub`, keras-hub's resnet_presets.py; `akamaster`, pytorch_resnet_cifar10's
resnet.py; `mm`, mmpretrain's ResNet metafile. `by hand` is arithmetic on the network's table; the
sources named with it confirm the digits that they publish.
"""

from typing import Any

Row = tuple[str, dict[str, Any], int, int | None, int | None, str]


def _rows(
    names: str,
    trainable: str,
    total: str = "",
    macs: str = "",
    *,
    source: str,
    **changes: Any,
) -> list[Row]:
    def numbers(text: str) -> list[int | None]:
        given = [int(word.replace(",", "")) for word in text.split()]
        return [*given, *[None] * (len(names.split()) - len(given))]

    columns = zip(names.split(), numbers(trainable), numbers(total), numbers(macs), strict=True)
    return [
        (name, changes, trained, whole, multiplied, source)
        for name, trained, whole, multiplied in columns
        if trained is not None
    ]


_CIFAR_10: dict[str, Any] = {"stem": "cifar", "input_shape": (32, 32, 3), "classes": 10}

REFERENCE: list[Row] = [
    *_rows(
        "resnet18 resnet34 resnet50 resnet101 resnet152",
        "11,689,512 21,797,672 25,557,032 44,549,160 60,192,808",
        "11,699,112 21,814,696 25,610,152 44,654,504 60,344,232",
        "1,814,073,344 3,663,761,408 4,089,184,256 7,801,405,440 11,513,626,624",
        source="trainable: tv; total and macs: by hand (tv _ops 1.814 ... 11.514)",
    ),
    *_rows(
        "resnet50_v1 resnet101_v1 resnet152_v1",
        "25,557,032 44,549,160 60,192,808",
        "25,610,152 44,654,504 60,344,232",
        "3,857,973,248 7,570,194,432 11,282,415,616",
        source="trainable: osmr ResNet-50, 101, 152; macs: by hand (He et al. 2015: 7.6, 11.3 G)",
    ),
    *_rows(
        "resnet26 resnet200",
        "15,995,176 64,673,832",
        "16,026,024 64,849,832",
        "2,342,256,640 15,007,481,856",
        source="by hand (timm 16.0 and 64.67 M)",
    ),
    *_rows(
        "resnext50_32x4d resnext101_32x4d resnext101_32x8d wide_resnet50_2 wide_resnet101_2",
        "25,028,904 44,177,704 88,791,336 68,883,240 126,886,696",
        "25,097,128 44,315,560 88,994,216 68,951,464 127,024,552",
        "4,230,479,872 7,969,996,800 16,414,015,488 11,398,021,120 22,753,050,624",
        source="trainable: tv, osmr; total and macs: by hand (tv _ops 4.23 ... 22.753)",
    ),
    *_rows(
        "seresnet18 seresnet34",
        "11,779,624 21,960,416",
        "11,789,224 21,977,440",
        source="by hand (timm 11.78 and 21.96 M)",
    ),
    *_rows(
        "seresnet50 seresnext50_32x4d seresnext101_32x4d",
        "28,088,024 27,559,896 48,955,416",
        "28,141,144 27,628,120 49,093,272",
        "4,091,699,200",
        source="trainable: osmr; total and macs: by hand",
    ),
    *_rows(
        "resnet18d resnet34d resnet50d resnet101d resnet152d resnet200d",
        "11,708,744 21,816,904 25,576,264 44,568,392 60,212,040 64,693,064",
        "11,718,472 21,834,056 25,629,512 44,673,864 60,363,592 64,869,192",
        source="total of 50, 101 and 152: hub; the rest: by hand (timm 11.71 and 21.82 M)",
    ),
    *_rows(
        "resnetv2_18 resnetv2_34 resnetv2_50 resnetv2_101 resnetv2_152",
        "11,687,720 21,795,880 25,549,352 44,541,480 60,185,128",
        "11,695,528 21,811,112 25,594,792 44,639,144 60,328,872",
        source="by hand (timm 25.55, 44.54 and 60.19 M)",
    ),
    *_rows(
        "keras_resnet18 keras_resnet34 keras_resnet50 keras_resnet101 keras_resnet152",
        "11,692,520 21,804,392 25,575,912 44,594,152 60,260,840",
        "11,700,328 21,819,624 25,621,352 44,691,816 60,404,584",
        source="the article's code, run under Keras 2",
    ),
    *_rows(
        "keras_resnet18 keras_resnet34 keras_resnet50",
        "11,184,650 21,296,522 23,547,402",
        "11,192,458 21,311,754 23,592,842",
        source="the article's code, run under Keras 2 for (3, 32, 32) and 10 classes",
        input_shape=(32, 32, 3),
        classes=10,
    ),
    *_rows(
        "resnet20_cifar resnet32_cifar resnet44_cifar",
        "269,722 464,154 658,586",
        "271,098 466,426 661,754",
        source="trainable: akamaster; total: by hand",
    ),
    *_rows(
        "resnet56_cifar resnet110_cifar resnet1202_cifar",
        "853,018 1,727,962 19,421,274",
        "857,082 1,736,058 19,510,906",
        source="by hand (He et al. 2015, Table 6: 0.85, 1.7 and 19.4 M)",
    ),
    *_rows(
        "resnet20_cifar resnet32_cifar resnet44_cifar resnet56_cifar resnet110_cifar"
        " resnet1202_cifar",
        "272,474 466,906 661,338 855,770 1,730,714 19,424,026",
        source="osmr, with option B shortcuts (20, 56, 110, 1202); pycls (56, 110)",
        projection="conv",
    ),
    *_rows("resnetv2_110_cifar", "1,730,522", source="osmr PreResNet-110"),
    *_rows(
        "resnet20_cifar resnet56_cifar",
        "272,282 855,578",
        source="osmr PreResNet-20 and 56",
        projection="conv",
        activation_order="pre",
    ),
    *_rows(
        "resnetv2_164_cifar resnetv2_1001_cifar",
        "1,703,258 10,327,706",
        "1,727,482 10,476,922",
        source="trainable: osmr; total: by hand",
    ),
    *_rows("wrn40_8", "35,748,314", source="osmr"),
    *_rows("resnetv2_50d", "25,568,584", source="by hand (timm 25.57 M)"),
    *_rows("wrn28_10", "36,479,194", "36,497,146", source="trainable: osmr; total: by hand"),
    *_rows("wrn28_10", "36,536,884", source="osmr, for 100 classes", classes=100),
    *_rows(
        "wrn40_4 wrn16_4 wrn16_8 wrn28_2 wrn40_2",
        "8,949,210 2,748,890 10,961,370 1,467,610 2,243,546",
        source="by hand (arXiv:1605.07146, Table 4: 8.9, 11.0, 2.2 M)",
    ),
    *_rows(
        "resnet18 resnet34 resnet50 resnet101 resnet152",
        "11,173,962 21,282,122 23,520,842 42,512,970 58,156,618",
        source="mm, to 0.01 M: the small-image networks",
        **_CIFAR_10,
    ),
]

# Millions of multiply-adds, by hand, for networks that are published with fewer digits.
REFERENCE_MEGA_MACS = {
    "resnet20_cifar": "40.55",
    "resnet32_cifar": "68.86",
    "resnet44_cifar": "97.17",
    "resnet56_cifar": "125.49",
    "resnet110_cifar": "252.89",
    "resnet1202_cifar": "2829.24",
    "resnetv2_164_cifar": "244.50",
    "resnetv2_1001_cifar": "1487.85",
    "wrn28_10": "5243.33",
    "wrn40_4": "1298.58",
    "resnet50d": "4328.82",
    "resnet200d": "15247.12",
}

# Parameters without the classifier, from keras-hub's resnet_presets.py and torchvision.
REFERENCE_WITHOUT_TOP = {
    "resnet18": 11_176_512,
    "resnet34": 21_284_672,
    "resnet50_v1": 23_508_032,
    "resnet101_v1": 42_500_160,
    "resnet152_v1": 58_143_808,
}
