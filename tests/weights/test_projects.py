"""The checkpoints of projects in the table: their names and shapes fit the network of their row.

The names and shapes are those of the networks in the projects' own code, for the arguments that
they are built with, and around them what a file has besides.
"""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from resnet_builder.files.checkpoint import Checkpoint
from resnet_builder.plan.network import Head, make_plan
from resnet_builder.presets.checkpoints import PublishedWeights, published
from resnet_builder.presets.resolve import resolve
from resnet_builder.weights.expected import expected_weights
from resnet_builder.weights.match import match
from resnet_builder.weights.recognise import recognise

from .test_origins import TRANSFORMERS, renamed

Shapes = dict[str, tuple[int, ...]]

# Blocks of the stages: torchvision/models/resnet.py, VICReg's resnet.py, BiT's models.py.
DEPTHS = {
    18: (2, 2, 2, 2),
    26: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
# `widen` of VICReg's resnet.py and SwAV's src/resnet50.py; `groups` and `width_per_group` of
# torchvision and of MadryLab/robustness, imagenet_models/resnet.py. By preset, or beginning.
ARGUMENTS: Mapping[str, Mapping[str, int]] = {
    "resnet50.vicreg_x2": {"widen": 2},
    "resnet200.vicreg_x2": {"widen": 2},
    **{f"resnet50.swav_w{widen}": {"widen": widen} for widen in (2, 4, 5)},
    "wide_resnet50_2.x4": {"width_per_group": 256},
    "wide_resnet50_2": {"width_per_group": 128},
    "resnext50_32x4d": {"groups": 32, "width_per_group": 4},
}


def norm(name: str, filters: int) -> Shapes:
    weights = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{weight}": (filters,) for weight in weights}


def torchvision(
    depth: int,
    channels: int,
    classes: int,
    widen: int = 1,
    groups: int = 1,
    width_per_group: int = 64,
) -> Shapes:
    """The state dict of torchvision/models/resnet.py, without `fc` for no classes."""
    basic = depth in (18, 34)
    given = 64 * widen
    shapes = {"conv1.weight": (given, channels, 7, 7), **norm("bn1", given)}
    for stage, blocks in enumerate(DEPTHS[depth]):
        planes = 64 * widen * 2**stage
        width = planes if basic else planes * width_per_group // 64 * groups
        out = planes if basic else 4 * planes
        for number in range(blocks):
            block = f"layer{stage + 1}.{number}"
            kernels = [(width, given, 1, 1), (width, width // groups, 3, 3), (out, width, 1, 1)]
            if basic:
                kernels = [(width, given, 3, 3), (out, width, 3, 3)]
            for place, shape in enumerate(kernels, start=1):
                shapes |= {f"{block}.conv{place}.weight": shape}
                shapes |= norm(f"{block}.bn{place}", shape[0])
            if number == 0 and (stage > 0 or given != out):
                shapes |= {f"{block}.downsample.0.weight": (out, given, 1, 1)}
                shapes |= norm(f"{block}.downsample.1", out)
            given = out
    return shapes | ({"fc.weight": (classes, given), "fc.bias": (classes,)} if classes else {})


def big_transfer(depth: int, wide: int, classes: int) -> Shapes:
    """The arrays that bit_pytorch/models.py loads."""
    given, conv = 64 * wide, "standardized_conv2d/kernel"
    shapes: Shapes = {f"root_block/{conv}": (7, 7, 3, given)}
    for stage, blocks in enumerate(DEPTHS[depth]):
        width, out = 64 * wide * 2**stage, 256 * wide * 2**stage
        for number in range(blocks):
            unit = f"block{stage + 1}/unit{number + 1:02d}"
            kernels = ((1, 1, given, width), (3, 3, width, width), (1, 1, width, out))
            for part, shape in zip("abc", kernels, strict=True):
                shapes |= {f"{unit}/{part}/{conv}": shape}
                shapes |= {f"{unit}/{part}/group_norm/{of}": shape[2:3] for of in ("gamma", "beta")}
            if number == 0:
                shapes |= {f"{unit}/a/proj/{conv}": (1, 1, given, out)}
            given = out
    shapes |= {f"group_norm/{of}": (given,) for of in ("gamma", "beta")}
    shapes |= {"head/conv2d/kernel": (1, 1, given, classes), "head/conv2d/bias": (classes,)}
    return under("resnet/", shapes)


def network_of(row: PublishedWeights) -> Shapes:
    """The state dict of the project's network."""
    if of_google := re.fullmatch(r"resnetv2_(\d+)x(\d)_bit", row.preset):
        return big_transfer(int(of_google[1]), int(of_google[2]), row.classes)
    [depth] = re.findall(r"res\w+?t(\d+)", row.preset)
    arguments = next((given for key, given in ARGUMENTS.items() if row.name.startswith(key)), {})
    return torchvision(int(depth), len(row.mean), row.classes, **arguments)


def under(prefix: str, *parts: Shapes) -> Shapes:
    return {prefix + name: shape for part in parts for name, shape in part.items()}


# moco/builder.py: the head of v2, whose last layer alone is v1's.
MLP: Shapes = {
    "fc.0.weight": (2048, 2048),
    "fc.0.bias": (2048,),
    "fc.2.weight": (128, 2048),
    "fc.2.bias": (128,),
}
# The file, from its network.
FILES: Mapping[str, Callable[[Shapes], Shapes]] = {
    "transformers": lambda network: {
        renamed(name, TRANSFORMERS, -1): shape for name, shape in network.items()
    },
    "swav": lambda network: {  # src/resnet50.py
        **under("module.", network),
        "module.projection_head.0.weight": (2048, 2048),
        "module.prototypes.weight": (3000, 128),
    },
    "moco": lambda network: {
        **under("module.encoder_q.", network, MLP),
        **under("module.encoder_k.", network, MLP),
        "module.queue": (128, 65536),
    },
    "moco-v3": lambda network: {  # moco/builder.py
        **under("module.base_encoder.", network),
        **under("module.momentum_encoder.", network),
        "module.predictor.0.weight": (4096, 256),
    },
    "robust-models-transfer": lambda network: {  # robustness/attacker.py
        **under("module.model.", network),
        **under("module.attacker.model.", network),
        "module.normalizer.new_mean": (3, 1, 1),
    },
    "places365": lambda network: under("module.", network),
    **dict.fromkeys(("dino", "barlowtwins", "vicreg", "big_transfer", "torchgeo"), dict),
}

# One row for each form of a file.
ROWS = {
    (row.library, row.preset, str(row.changes), row.classes, len(row.mean)): row
    for row in published()
    if row.library in FILES and not row.preset.startswith("regnet")
}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: f"{row.library}-{row.name}")
def test_the_file_fits_the_network_of_its_row(row: PublishedWeights) -> None:
    shapes = FILES[row.library](network_of(row))
    file = Checkpoint(row.name, shapes, lambda name: np.broadcast_to(np.float32(0), shapes[name]))
    head = Head(include_top=bool(row.classes))
    expected = expected_weights(make_plan(resolve(row.name).config, head))
    assert not match(recognise(file, expected), expected, adapt=False).problems


def test_every_project_has_a_row() -> None:
    assert {row.library for row in ROWS.values()} == FILES.keys()
