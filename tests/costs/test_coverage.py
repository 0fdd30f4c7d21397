"""The table of published networks, and the presets."""

import json
from pathlib import Path

import pytest

from resnet_builder.cli.main import main
from resnet_builder.costs.published import coverage
from resnet_builder.presets.checkpoints import published, read_table

PROJECTS = Path(__file__).parents[2] / "tools" / "projects.csv"


def test_every_checkpoint_is_counted_once_and_every_network_is_a_preset() -> None:
    # timm: models/resnet.py 150 and resnext101_32x48d.fb_wsl_ig1b_ft_in1k, which has no network
    # there, resnetv2.py 24, senet.py 9, res2net.py 9, resnest.py 8, sknet.py 3. torchvision:
    # models/resnet.py and regnet.py. keras.applications and tf.keras: with and without the
    # classifier. timm has 65 checkpoints of models/regnet.py, of which two are RegNetZ.
    assert coverage().totals == {
        "timm resnet": (151, 151),
        "timm resnetv2": (24, 24),
        "timm senet": (9, 9),
        "timm res2net": (9, 9),
        "timm resnest": (8, 8),
        "timm sknet": (3, 3),
        "timm regnet": (63, 65),
        "timm byobnet": (28, 37),
        "torchvision": (51, 51),
        "transformers": (24 + 6, 24 + 6),
        "keras.applications": (12, 12),
        "tf.keras": (70, 70),
        "keras-hub": (16, 16),
        "dino": (1, 1),
        "barlowtwins": (1, 1),
        "vicreg": (3, 3),
        "swav": (15, 15),
        "moco": (3, 3),
        "moco-v3": (3, 3),
        "robust-models-transfer": (57, 57),
        "places365": (2, 3),
        "big_transfer": (20, 20),
        "torchgeo": (47, 47),
    }
    assert sum(built for built, _ in coverage().totals.values()) == len(published())


def test_the_columns_of_the_table() -> None:
    assert coverage().table().header == (
        *("library", "architecture", "checkpoints", "preset", "parameters"),
        *("logits", "written back"),
    )


def test_what_is_not_built_has_a_reason() -> None:
    others = [row for row in coverage().rows if not row.is_preset]
    assert {"resnet61q", "bat_resnext26ts", "regnetz_040"} < {row.architecture for row in others}
    assert all(row.reason for row in others)


def test_published_counts_of_parameters_are_equal() -> None:
    counted = [row for row in coverage().rows if row.parameters is not None]
    assert len(counted) >= 100
    assert all(row.parameters for row in counted)


def test_every_network_was_compared_side_by_side() -> None:
    # The projects' networks are torchvision's and Google's, whose copies in timm were compared:
    # tests/weights/test_projects.py compares the names and shapes.
    projects = {row.library for row in read_table(PROJECTS)} - {"transformers"}
    rows = [row for row in coverage().rows if row.is_preset and row.library not in projects]
    # The first has no network in timm. The others take more memory than most machines have: 645 M
    # parameters and more, twice, and the checkpoint.
    unmeasured = ["resnext101_32x48d", "resnetv2_152x4_bit"]
    unmeasured += ["regnety_1280", "regnety_2560", "regnety_1280"]
    # With random weights too sensitive for float32, in which tf_keras computes: timm's is 7.4e-5
    # from its own logits in float64.
    unmeasured += ["resnetrs420"]
    assert [row.architecture for row in rows if row.relative_error is None] == unmeasured
    for row in rows:
        if row.relative_error is not None and row.relative_error > 1e-5:
            assert row.in_float64 is not None, row
            assert row.in_float64 < 1e-8, row


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].strip() == "torchgeo 47/47"
    assert main(["coverage", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(coverage().rows)


def test_what_is_written_was_read_by_the_libraries() -> None:
    # keras-hub's and tf.keras' names are not written.
    libraries = {"timm", "torchvision", "transformers", "keras.applications"}
    rows = [row for row in coverage().rows if row.relative_error is not None]
    written = [row for row in rows if row.library.split()[0] in libraries]
    assert {row.library.split()[0] for row in written} == libraries
    for row in written:
        assert row.written is not None, row
        # Random weights make some networks too sensitive for float32.
        assert row.written <= 1e-5 or (row.in_float64 is not None and row.in_float64 < 1e-8), row
