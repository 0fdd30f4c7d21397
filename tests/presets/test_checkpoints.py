"""The table of published checkpoints, and list_weights."""

from collections import Counter
from dataclasses import fields
from typing import get_args

import pytest

from resnet_builder import PRESETS, list_weights, profile
from resnet_builder.presets.checkpoints import (
    READERS,
    Kind,
    PublishedWeights,
    in_table,
    published,
    recommended,
)
from resnet_builder.presets.resolve import find_published

ROWS = published()


def test_every_checkpoint_is_in_the_table() -> None:
    # timm 1.0.31: resnet.py 150 and one whose entry point is lost, resnetv2.py 24, senet.py and
    # res2net.py 9 each, resnest.py 8, sknet.py 3, regnet.py 63 without RegNetZ, byobnet.py 12
    # and 16 of CLIP. torchvision: resnet.py 17, regnet.py 34. keras.applications: six networks, and
    # tf.keras: 24 and eleven ResNet-RS, each with and without its top.
    libraries = {"timm": 295, "torchvision": 51, "transformers": 24 + 6, "keras.applications": 12}
    libraries |= {"tf.keras": 70, "keras-hub": 16}
    # tools/projects.csv. Robust: 4 networks with 10 L2 norms and 1 with 2, 3 with 5 Linf norms.
    libraries |= {"dino": 1, "barlowtwins": 1, "vicreg": 3, "swav": 15, "moco": 3, "moco-v3": 3}
    libraries |= {"robust-models-transfer": 4 * 10 + 2 + 3 * 5, "places365": 2}
    libraries |= {"big_transfer": 20, "torchgeo": 47}
    assert Counter(row.library for row in ROWS) == libraries
    assert libraries["timm"] == 150 + 1 + 24 + 9 + 9 + 8 + 3 + 63 + 12 + 16
    assert in_table("resnext101_32x48d.fb_wsl_ig1b_ft_in1k")


def test_names_and_sources_are_unique() -> None:
    for row in ROWS:
        assert in_table(row.name) is in_table(row.source) is row


def test_the_preset_is_the_published_network() -> None:
    stated = [row for row in ROWS if row.parameters]
    assert len(stated) > 100
    for row in stated:
        count = profile(row.preset, classes=row.classes or 1000).parameters
        assert row.parameters in (f"{count / 1e6:,.2f} M", f"{count:,}"), row.name


def test_cells() -> None:
    columns = [field.name for field in fields(PublishedWeights)]
    assert set(READERS) < set(columns)
    for row in ROWS:
        classes = (0, 365, 1000, 11821, 21843)
        assert row.classes in classes or PRESETS[row.preset].embedding
        assert row.kind in get_args(Kind)
        assert row.good_for in ("", "features", "features int8")
        assert row.crop_mode == ("" if row.library == "torchgeo" else "center")
        assert row.input_size[0] == row.input_size[1]
        assert row.interpolation in ("bilinear", "bicubic", "")
        assert len(row.mean) == len(row.std)
        assert len(row.mean) == 3 or row.library == "torchgeo"
        assert row.top1 is None or 41 < row.top1 < 89
        assert bool(row.top1_source) == (row.top1 is not None or row.test_top1 is not None)
        assert row.test_input_size is None or row.test_input_size > row.input_size
        assert (row.test_input_size is None) == (row.test_crop_pct is None)
        assert row.classes == 1000 or row.top1 is None or row.kind == "self-supervised"
        is_repository = row.source.startswith(("timm/", "keras/", "facebook/", "microsoft/"))
        assert is_repository or row.source.startswith(("https://", "http://places2.csail.mit.edu"))
        assert row.training_data


def test_facts() -> None:
    # timm models/resnet.py and results/results-imagenet.csv
    a1 = in_table("resnet50.a1_in1k")
    assert a1
    assert (a1.source, a1.classes, a1.licence) == ("timm/resnet50.a1_in1k", 1000, "apache-2.0")
    assert (a1.input_size, a1.crop_pct, a1.top1) == ((224, 224), 0.95, 80.382)
    assert (a1.test_input_size, a1.test_crop_pct, a1.test_top1) == ((288, 288), 1.0, 81.24)
    assert a1.parameters == "25.56 M"
    words = {
        "seresnextaa101d_32x8d.sw_in12k_ft_in1k": "ImageNet-12k, fine-tuned on ImageNet-1k",
        "resnet18.fb_ssl_yfcc100m_ft_in1k": "YFCC100M, fine-tuned on ImageNet-1k",
        "resnetv2_50x1_bit.goog_in21k": "ImageNet-21k",
        "resnetv2_50x1_bit.goog_distilled_in1k": "ImageNet-1k, with knowledge distillation",
        "resnet50_clip.openai": "400M image-text pairs of OpenAI",
        "regnety_320.swag_lc_in1k": "Instagram 3.6B, with a classifier for ImageNet-1k",
    }
    for name, training_data in words.items():
        row = in_table(name)
        assert row
        assert row.training_data == training_data
    # torchvision models/resnet.py: resize_size=232, crop_size=224
    v2 = in_table("resnet50.IMAGENET1K_V2")
    assert v2
    assert (int(224 / (v2.crop_pct or 1)), v2.top1, v2.checksum) == (232, 80.858, "sha256:11ad3fa6")


def test_licences() -> None:
    not_free = {row.name for row in ROWS if row.licence and not row.is_free}
    parts = (".fb_", "swag", "SWAG", ".seer", ".swav", ".deepclusterv2", ".selav2", ".mocov3")
    assert not_free == {row.name for row in ROWS if any(part in row.name for part in parts)}
    assert len(not_free) == 16 + 12 + 7 + 15 + 3
    bamboo = in_table("resnet50.bamboo")
    assert bamboo
    assert not bamboo.is_free  # unknown


def test_at_a_size() -> None:
    a1h = in_table("resnet50.a1h_in1k")
    assert a1h
    assert a1h.at((176, 176)) is a1h
    larger = a1h.at((224, 224))
    assert larger
    assert (larger.input_size, larger.crop_pct, larger.top1) == ((224, 224), 1.0, 80.654)
    assert larger.at((224, 224)) is larger
    assert larger.test_input_size is None
    assert larger.test_top1 is None
    assert a1h.at((256, 256)) is None


def test_names_repositories_and_other_names() -> None:
    found = find_published("resnet18.tv_in1k")
    assert found
    assert found is find_published("timm/resnet18.tv_in1k")
    revised = find_published("timm/resnet18.tv_in1k@v1.0")
    assert revised
    assert (revised.source, revised.name) == ("timm/resnet18.tv_in1k@v1.0", found.name)
    for name in ("resnet18", "wrn34_5.x", ""):
        assert find_published(name) is None
    for name in ("./resnet18", "folder/model.safetensors"):
        with pytest.raises(ValueError, match="there is no such file or folder"):
            find_published(name)
    with pytest.raises(ValueError, match=r"'resnet18.tv_in2k': did you mean 'resnet18.tv_in1k'"):
        find_published("resnet18.tv_in2k")
    with pytest.raises(ValueError, match=r'list_weights\("resnet18"\) lists them all'):
        find_published("resnet18.x")


def test_list_weights() -> None:
    assert list_weights().rows == ROWS
    by_preset = list_weights("resnet50").rows
    assert by_preset == list_weights("resnet50.*").rows
    # timm, torchvision, keras-hub, transformers, self-supervised, robust, Places365, torchgeo.
    assert len(by_preset) == 19 + 2 + 1 + 1 + 25 + 15 + 1 + 30
    assert {row.kind for row in list_weights("resnet50", kind="robust").rows} == {"robust"}
    assert len(list_weights(kind="robust").rows) == 57 - 5  # five are the plain ones beside them
    with pytest.raises(ValueError, match=r"unknown kind 'strong': choose from .*'robust'"):
        list_weights(kind="strong")  # type: ignore[arg-type]
    assert [row.name for row in list_weights("*.fb_wsl*").rows] == [
        f"resnext101_32x{width}d.fb_wsl_ig1b_ft_in1k" for width in (8, 16, 32, 48)
    ]


def test_what_a_row_is_recommended_for() -> None:
    rows = {row.name: row for row in list_weights("resnet50").rows}
    assert rows["resnet50.tv2_in1k"].recommended_for == ("imagenet",)
    assert rows["resnet50.dino"].recommended_for == ("features",)
    assert rows["resnet50.a1_in1k"].recommended_for == ()
    assert [name for name, row in rows.items() if "int8" in row.good_for] == ["resnet50.tv_in1k"]


def test_the_order_of_a_list() -> None:
    found = [row.top1 for row in list_weights("resnet34*", sort="top1").rows]
    known = [top1 for top1 in found if top1 is not None]
    assert known == sorted(known, reverse=True)
    assert None not in found[: len(known)]
    with pytest.raises(ValueError, match="unknown sort 'top5'"):
        list_weights(sort="top5")  # type: ignore[arg-type]


def test_the_table_of_a_preset() -> None:
    weights = list_weights("resnet18.[aftI]*")
    text = str(weights)
    assert "resnet18.a1_in1k *" in text
    assert "71.504 at 224, 73.164 at 288" in text
    assert "cc-by-nc-4.0 !" in text
    assert "resnet18.tv_in1k +" in text
    assert text.splitlines()[-5:] == [
        '* the one for weights="imagenet"',
        '+ the one for weights="features": frozen features, similarity, retrieval',
        "! not for commercial use",
        "top-1 by timm: results/results-imagenet.csv, commit aa4b5850",
        "top-1 by torchvision: models/resnet.py, weights metadata",
    ]
    assert "| resnet18.a1_in1k * " in weights.to_markdown()
    assert ">resnet18.a1_in1k *" in weights._repr_html_()
    assert "(11,821 classes)" in str(list_weights("resnetaa50d"))
    assert "ImageNet-1k (self-supervised, no classifier)" in str(list_weights("resnet50.dino"))
    assert "(no classifier)" in str(list_weights("resnet50.bamboo"))
    assert str(list_weights("vgg*")).endswith("no checkpoint matches")


def test_weights_that_are_not_recommended_are_given_by_name() -> None:
    with pytest.raises(ValueError, match=r"such as 'res2net50_26w_4s\.in1k'$"):
        recommended("res2net50_26w_4s")
