"""The checkpoints of projects in the table: their names and shapes fit the network of their row.

The names and shapes are those of torchvision/models/resnet.py, for the arguments that the project
builds it with, and around them what its file has besides.
"""

from collections.abc import Mapping

import numpy as np
import pytest

from resnet_builder.files.checkpoint import Checkpoint
from resnet_builder.plan.network import Head, make_plan
from resnet_builder.presets.checkpoints import PublishedWeights, published
from resnet_builder.presets.resolve import resolve
from resnet_builder.weights.expected import expected_weights
from resnet_builder.weights.match import match
from resnet_builder.weights.recognise import recognise

Shapes = dict[str, tuple[int, ...]]

DEPTHS = {
    "resnet18": (2, 2, 2, 2),
    "resnet50": (3, 4, 6, 3),
    "wide_resnet50_2": (3, 4, 6, 3),
    "resnext50_32x4d": (3, 4, 6, 3),
    "resnet152": (3, 8, 36, 3),
    "resnet200": (3, 24, 36, 3),
}
# `widen` of VICReg's resnet.py and SwAV's src/resnet50.py; `groups` and `width_per_group` of
# torchvision and MadryLab/robustness, imagenet_models/resnet.py.
ARGUMENTS: Mapping[str, Mapping[str, int]] = {
    "resnet50.vicreg_x2": {"widen": 2},
    "resnet200.vicreg_x2": {"widen": 2},
    **{f"resnet50.swav_w{widen}_400ep": {"widen": widen} for widen in (2, 4, 5)},
    "wide_resnet50_2": {"width_per_group": 128},
    "wide_resnet50_2.x4": {"width_per_group": 256},
    "resnext50_32x4d": {"groups": 32, "width_per_group": 4},
}


def _norm(name: str, filters: int) -> Shapes:
    return {
        f"{name}.{weight}": (filters,)
        for weight in ("weight", "bias", "running_mean", "running_var")
    }


def torchvision_shapes(
    depths: tuple[int, ...],
    channels: int,
    *,
    basic: bool,
    widen: int = 1,
    groups: int = 1,
    width_per_group: int = 64,
) -> Shapes:
    """The state dict of torchvision's ResNet without `fc`."""
    filters = given = 64 * widen
    shapes = {"conv1.weight": (filters, channels, 7, 7), **_norm("bn1", filters)}
    for stage, depth in enumerate(depths):
        planes = filters * 2**stage
        width = planes if basic else planes * width_per_group // 64 * groups
        out = planes if basic else 4 * planes
        for number in range(depth):
            block = f"layer{stage + 1}.{number}"
            kernels = (
                [(width, given, 3, 3), (out, width, 3, 3)]
                if basic
                else [(width, given, 1, 1), (width, width // groups, 3, 3), (out, width, 1, 1)]
            )
            for place, shape in enumerate(kernels, start=1):
                shapes |= {f"{block}.conv{place}.weight": shape}
                shapes |= _norm(f"{block}.bn{place}", shape[0])
            if number == 0 and (stage > 0 or given != out):
                shapes |= {f"{block}.downsample.0.weight": (out, given, 1, 1)}
                shapes |= _norm(f"{block}.downsample.1", out)
            given = out
    return shapes


def their_shapes(row: PublishedWeights) -> Shapes:
    """The state dict of the project's network."""
    key = "wide_resnet50_2.x4" if ".x4_" in row.name else row.name
    arguments = ARGUMENTS.get(key, ARGUMENTS.get(row.preset, {}))
    basic = row.preset == "resnet18"
    body = torchvision_shapes(DEPTHS[row.preset], len(row.mean), basic=basic, **arguments)
    features = 512 if basic else 2048
    head = {"fc.weight": (row.classes, features), "fc.bias": (row.classes,)}
    return body | (head if row.classes else {})


def _under(prefix: str, shapes: Shapes) -> Shapes:
    return {prefix + name: shape for name, shape in shapes.items()}


def their_file(row: PublishedWeights) -> Shapes:
    """What the project's file has: its network, and what else."""
    network = their_shapes(row)
    match row.library:
        case "swav":  # main_swav.py
            rest: Shapes = {"module.projection_head.0.weight": (2048, 2048 * 4)}
            return _under("module.", network) | rest | {"module.prototypes.weight": (3000, 128)}
        case "moco":  # moco/builder.py
            head: Shapes = {"fc.0.weight": (2048, 2048), "fc.0.bias": (2048,)}
            head |= {"fc.2.weight": (128, 2048), "fc.2.bias": (128,)}
            both = _under("module.encoder_q.", network | head)
            return (
                both | _under("module.encoder_k.", network | head) | {"module.queue": (128, 65536)}
            )
        case "moco-v3":  # moco/builder.py
            both = _under("module.base_encoder.", network)
            both |= _under("module.momentum_encoder.", network)
            return both | {"module.predictor.0.weight": (4096, 256)}
        case "robust-models-transfer":  # robustness/attacker.py
            both = _under("module.model.", network) | _under("module.attacker.model.", network)
            return both | {"module.normalizer.new_mean": (3, 1, 1)}
        case "places365":
            return _under("module.", network)
    return network


PROJECTS = ("dino", "barlowtwins", "vicreg", "swav", "moco", "moco-v3")
PROJECTS += ("robust-models-transfer", "places365", "torchgeo")
# One row for each network and form of a file.
ROWS = {
    (row.library, row.preset, str(row.changes), row.classes, len(row.mean)): row
    for row in published()
    if row.library in PROJECTS
}


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: f"{row.library}-{row.name}")
def test_the_file_fits_the_network_of_its_row(row: PublishedWeights) -> None:
    shapes = their_file(row)
    file = Checkpoint(row.name, shapes, lambda name: np.broadcast_to(np.float32(0), shapes[name]))
    config = resolve(row.name).config
    expected = expected_weights(make_plan(config, Head(include_top=bool(row.classes))))
    assert not match(recognise(file, expected), expected, adapt=False).problems


def test_every_project_has_a_row() -> None:
    assert {row.library for row in ROWS.values()} == set(PROJECTS)
