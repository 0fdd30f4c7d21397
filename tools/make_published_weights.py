"""Write src/resnet_builder/presets/checkpoints.csv: every published checkpoint.

It is made of the tables of timm 1.0.31, torchvision 0.29.1, Keras 3.15.1, tf_keras 2.21.0 and
keras-hub 0.32.0, which must be installed, and of timm's accuracies:
https://github.com/huggingface/pytorch-image-models/blob/aa4b5850/results/results-imagenet.csv

python -m tools.make_published_weights results-imagenet.csv
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from importlib import import_module
from math import floor
from pathlib import Path
from typing import Any

from resnet_builder import PRESETS
from resnet_builder.presets.checkpoints import TABLE, PublishedWeights, read_table

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# timm ----------------------------------------------------------------------------------------

TIMM_TOP1 = "timm: results/results-imagenet.csv, commit aa4b5850"
TIMM_MODULES = ("resnet", "resnetv2", "senet", "res2net", "resnest", "sknet", "regnet", "byobnet")
# The modules with networks that are not built: costs/not_built.csv.
TIMM_IN_PART = ("regnet", "byobnet")

# The parts of tags that name images.
DATASETS = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "ig1b": "Instagram 1B",
    "seer": "Instagram 1B",  # arXiv:2103.01988
    "swag": "Instagram 3.6B",  # arXiv:2201.08371
    "yfcc100m": "YFCC100M",
    "bamboo": "Bamboo",  # arXiv:2203.07845
    # Images and their texts: arXiv:2103.00020, arXiv:2102.08981, and a part of YFCC100M.
    "openai": "400M image-text pairs of OpenAI",
    "cc12m": "CC12M",
    "yfcc15m": "YFCC15M",
}


def timm_rows(results: Path) -> Iterator[PublishedWeights]:
    with results.open(encoding="utf-8", newline="") as file:
        measured = {
            (row["model"], (int(row["img_size"]),) * 2): row for row in csv.DictReader(file)
        }
    for module in TIMM_MODULES:
        for preset, tags in import_module(f"timm.models.{module}").default_cfgs.items():
            if module in TIMM_IN_PART and preset not in PRESETS:
                continue
            for tag, weights in tags.cfgs.items():
                if weights.has_weights:
                    yield replace(timm_row(preset, tag, weights, measured), module=module)


def timm_row(
    preset: str, tag: str, weights: Any, measured: Mapping[tuple[str, Any], Mapping[str, str]]
) -> PublishedWeights:
    assert weights.crop_mode == "center"
    assert weights.hf_hub_id in ("timm/", None)
    size, test_size = (
        rows_and_columns(weights.input_size),
        rows_and_columns(weights.test_input_size),
    )
    test_crop = test_size and (weights.test_crop_pct or weights.crop_pct)
    row = measured.get((f"{preset}.{tag}", size), {})
    test_row = measured.get((f"{preset}.{tag}", test_size), {})
    for measurement, crop in ((row, weights.crop_pct), (test_row, test_crop)):
        # The file rounds to three digits.
        assert not measurement or abs(float(measurement["crop_pct"]) - crop) < 1e-3
        assert not measurement or measurement["interpolation"] == weights.interpolation
    licence = weights.license or ""
    return PublishedWeights(
        library="timm",
        preset=preset,
        tag=tag,
        source=f"{weights.hf_hub_id}{preset}.{tag}" if weights.hf_hub_id else weights.url,
        classes=weights.num_classes,
        training_data=training_data(tag),
        input_size=size,
        crop_pct=weights.crop_pct,
        interpolation=weights.interpolation,
        crop_mode=weights.crop_mode,
        mean=weights.mean,
        std=weights.std,
        top1=number(row.get("top1")),
        test_input_size=test_size,
        test_crop_pct=test_crop,
        test_top1=number(test_row.get("top1")),
        top1_source=TIMM_TOP1 if row or test_row else "",
        parameters=f"{row['param_count']} M" if row else "",
        licence="" if licence == "unknown" else licence,
    )


def training_data(tag: str) -> str:
    """The images of a tag in words: sw_in12k_ft_in1k."""
    trained, *tuned = re.split("_(ft|lc)_", tag)
    first, *second = [
        next(DATASETS[word] for word in part.split("_") if word in DATASETS)
        for part in (trained, *tuned[1:])
    ]
    how = {"ft": "fine-tuned on", "lc": "with a classifier for"}.get("".join(tuned[:1]))
    distilled = ", with knowledge distillation" if "distilled" in tag else ""
    return "".join([first, *(f", {how} {images}" for images in second), distilled])


def rows_and_columns(input_size: tuple[int, int, int] | None) -> Any:
    return input_size and input_size[1:]


def number(text: str | None) -> float | None:
    return None if text is None else float(text)


# torchvision ---------------------------------------------------------------------------------

TORCHVISION = "torchvision: models/{}.py, weights metadata"
# timm has other names for torchvision's RegNets: models/regnet.py, where it registers the weights.
TORCHVISION_REGNETS = {
    "regnet_x_400mf": "regnetx_004_tv",
    "regnet_x_800mf": "regnetx_008",
    "regnet_x_1_6gf": "regnetx_016",
    "regnet_x_3_2gf": "regnetx_032",
    "regnet_x_8gf": "regnetx_080",
    "regnet_x_16gf": "regnetx_160",
    "regnet_x_32gf": "regnetx_320",
    "regnet_y_400mf": "regnety_004",
    "regnet_y_800mf": "regnety_008_tv",
    "regnet_y_1_6gf": "regnety_016",
    "regnet_y_3_2gf": "regnety_032",
    "regnet_y_8gf": "regnety_080_tv",
    "regnet_y_16gf": "regnety_160",
    "regnet_y_32gf": "regnety_320",
    "regnet_y_128gf": "regnety_1280",
}
TORCHVISION_TRAINING = {
    "IMAGENET1K_SWAG_E2E_V1": training_data("swag_ft_in1k"),
    "IMAGENET1K_SWAG_LINEAR_V1": training_data("swag_lc_in1k"),
}


def torchvision_rows() -> Iterator[PublishedWeights]:
    yield from torchvision_rows_of("resnet")
    yield from torchvision_rows_of("regnet")


def torchvision_rows_of(module: str) -> Iterator[PublishedWeights]:
    for enum_name, weights_of in vars(import_module(f"torchvision.models.{module}")).items():
        if not enum_name.endswith("_Weights"):
            continue
        network = enum_name.removesuffix("_Weights").lower()
        for tag, weights in weights_of.__members__.items():
            if tag != weights.name:
                continue  # DEFAULT, another name of one of them
            transforms = weights.transforms()
            [size], [scaled] = transforms.crop_size, transforms.resize_size
            crop_pct = floor(1000 * size / scaled) / 1000
            assert int(size / crop_pct) == scaled
            # torch.hub.load_state_dict_from_url: the name holds the beginning of the SHA-256.
            [digest] = re.findall(r"-([0-9a-f]+)\.pth$", weights.url)
            yield PublishedWeights(
                library="torchvision",
                preset=TORCHVISION_REGNETS.get(network, network),
                tag=tag,
                source=weights.url,
                classes=len(weights.meta["categories"]),
                training_data=TORCHVISION_TRAINING.get(tag, "ImageNet-1k"),
                input_size=(size, size),
                crop_pct=crop_pct,
                interpolation=transforms.interpolation.value,
                mean=tuple(transforms.mean),
                std=tuple(transforms.std),
                top1=weights.meta["_metrics"]["ImageNet-1K"]["acc@1"],
                top1_source=TORCHVISION.format(module),
                parameters=f"{weights.meta['num_params']:,}",
                # Of SWAG, whose LICENSE the metadata refers to.
                licence="cc-by-nc-4.0" if "license" in weights.meta else "",
                checksum=f"sha256:{digest}",
            )


# keras.applications --------------------------------------------------------------------------

# Accuracies, and licences of the weights that these were ported from: the documentation of Keras 2,
# docs/templates/applications.md of keras-team/keras.
KERAS_TOP1 = "keras.applications: documentation of Keras 2, applications.md"
KERAS_LICENCES = {"v1": "mit", "v2": "bsd"}
KERAS_NETWORKS = {
    "resnet50": ("resnet50_v1", 74.9),
    "resnet101": ("resnet101_v1", 76.4),
    "resnet152": ("resnet152_v1", 76.6),
    "resnet50v2": ("resnet50_v2", 76.0),
    "resnet101v2": ("resnet101_v2", 77.2),
    "resnet152v2": ("resnet152_v2", 78.0),
}

# The modes "caffe" and "tf" of keras/src/applications/imagenet_utils.py, in RGB and for values
# from 0 to 1: "caffe" subtracts from values up to 255, in BGR, and divides by nothing.
KERAS_COLOURS: dict[str, dict[str, Any]] = {
    "v1": {
        "channels": "BGR",
        "mean": (123.68 / 255, 116.779 / 255, 103.939 / 255),
        "std": (1 / 255,) * 3,
    },
    "v2": {"mean": (0.5,) * 3, "std": (0.5,) * 3},
}


def keras_rows() -> Iterator[PublishedWeights]:
    source = import_module("keras.src.applications.resnet")
    for network, (preset, top1) in KERAS_NETWORKS.items():
        version = preset[-2:]
        whole, without_top = source.WEIGHTS_HASHES[network]
        for tag, ending, digest in (
            ("imagenet", "", whole),
            ("imagenet_notop", "_notop", without_top),
        ):
            file = f"{network}_weights_tf_dim_ordering_tf_kernels{ending}.h5"
            yield PublishedWeights(
                library="keras.applications",
                preset=preset,
                tag=tag,
                source=f"{source.BASE_WEIGHTS_PATH}{file}",
                classes=0 if ending else 1000,
                training_data="ImageNet-1k",
                input_size=(224, 224),
                **KERAS_COLOURS[version],
                top1=None if ending else top1,
                top1_source="" if ending else KERAS_TOP1,
                licence=KERAS_LICENCES[version],
                checksum=f"md5:{digest}",
            )


# tf.keras ------------------------------------------------------------------------------------


def tf_keras_rows() -> Iterator[PublishedWeights]:
    yield from tf_keras_regnets()
    yield from tf_keras_resnet_rs()


def tf_keras_resnet_rs() -> Iterator[PublishedWeights]:
    source = import_module("tf_keras.src.applications.resnet_rs")
    for file, digest in source.WEIGHT_HASHES.items():
        [(depth, size, ending)] = re.findall(r"resnet-rs-(\d+)-i(\d+)(_notop)?\.h5", file)
        yield PublishedWeights(
            library="tf.keras",
            preset=f"resnetrs{depth}",
            tag=f"i{size}{ending}",
            source=f"{source.BASE_WEIGHTS_URL}{file}",
            classes=0 if ending else 1000,
            training_data="ImageNet-1k",
            input_size=(int(size), int(size)),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            checksum=f"md5:{digest}",
        )


def tf_keras_regnets() -> Iterator[PublishedWeights]:
    source = import_module("tf_keras.src.applications.regnet")
    for network, (whole, without_top) in source.WEIGHTS_HASHES.items():
        for tag, ending, digest in (
            ("imagenet", "", whole),
            ("imagenet_notop", "_notop", without_top),
        ):
            yield PublishedWeights(
                library="tf.keras",
                preset=f"regnet{network[0]}_{network[1:]}",
                tag=tag,
                source=f"{source.BASE_WEIGHTS_PATH}regnet{network}{ending}.h5",
                classes=0 if ending else 1000,
                training_data="ImageNet-1k",
                input_size=(224, 224),
                # Its layer in front only divides by 255.
                mean=(0.0, 0.0, 0.0),
                std=(1.0, 1.0, 1.0),
                checksum=f"sha256:{digest}",
                changes={"padding": "same"},
            )


# transformers --------------------------------------------------------------------------------


def transformers_rows(of_timm: Iterable[PublishedWeights]) -> Iterator[PublishedWeights]:
    """The repositories of the networks that transformers converted from timm.

    transformers 4.19: models/regnet/convert_regnet_to_pytorch.py, which also gives their images the
    preprocessing of ConvNeXT at 224: a crop of 0.875, as timm's. The licences were not read.
    """
    for row in of_timm:
        if row.tag == "pycls_in1k":
            yield replace(
                row,
                library="transformers",
                module="",
                tag="transformers_in1k",
                source=f"facebook/{row.preset.replace('regnet', 'regnet-').replace('_', '-')}",
                licence="",
                top1=None,
                top1_source="",
                parameters="",
            )


# keras-hub -----------------------------------------------------------------------------------

# Repositories: tools/admin/mirror_weights_on_hf.py of keras-team/keras-hub.
KERAS_HUB = {
    "resnet_18_imagenet": "resnet18",
    "resnet_50_imagenet": "resnet50",
    "resnet_101_imagenet": "resnet101",
    "resnet_152_imagenet": "resnet152",
    "resnet_v2_50_imagenet": "resnetv2_50",
    "resnet_v2_101_imagenet": "resnetv2_101",
    "resnet_vd_18_imagenet": "resnet18_vd",
    "resnet_vd_34_imagenet": "resnet34_vd",
    "resnet_vd_50_imagenet": "resnet50d",
    "resnet_vd_50_ssld_imagenet": "resnet50d",
    "resnet_vd_50_ssld_v2_imagenet": "resnet50d",
    "resnet_vd_50_ssld_v2_fix_imagenet": "resnet50d",
    "resnet_vd_101_imagenet": "resnet101d",
    "resnet_vd_101_ssld_imagenet": "resnet101d",
    "resnet_vd_152_imagenet": "resnet152d",
    "resnet_vd_200_imagenet": "resnet200_vd",
}

# The model cards on the Hugging Face Hub say apache-2.0; those of these two were not read.
LICENCE_UNKNOWN = ("resnet_vd_34_imagenet", "resnet_vd_50_imagenet")


def keras_hub_rows() -> Iterator[PublishedWeights]:
    presets = import_module("keras_hub.src.models.resnet.resnet_presets").backbone_presets
    assert presets.keys() == KERAS_HUB.keys()
    for tag, preset in KERAS_HUB.items():
        description = presets[tag]["metadata"]["description"]
        [size] = re.findall(r"at a (\d+)x\1 resolution", description)
        distilled = ", with knowledge distillation" if "distillation" in description else ""
        assert "ImageNet 1k" in description
        yield PublishedWeights(
            library="keras-hub",
            preset=preset,
            tag=tag,
            source=f"keras/{tag}",
            classes=1000,
            training_data=f"ImageNet-1k{distilled}",
            input_size=(int(size), int(size)),
            licence="" if tag in LICENCE_UNKNOWN else "apache-2.0",
            **keras_hub_preprocessing(tag, preset),
        )


def keras_hub_preprocessing(tag: str, preset: str) -> dict[str, Any]:
    """The preprocessing of keras-hub's image converter, which resizes without a further crop."""
    if "_vd_" in tag:
        # tools/checkpoint_conversion/convert_resnet_vd_checkpoints.py, ImageConverter's defaults
        interpolation, mean, std = "bilinear", IMAGENET_MEAN, IMAGENET_STD
    else:
        # tools/checkpoint_conversion/convert_resnet_checkpoints.py: converted from timm
        timm_tag = "a1h_in1k" if "_v2_" in tag else "a1_in1k"
        weights = import_module("timm").get_pretrained_cfg(f"{preset}.{timm_tag}")
        interpolation, mean, std = weights.interpolation, weights.mean, weights.std
    return {"crop_pct": 1.0, "interpolation": interpolation, "mean": mean, "std": std}


# Projects without a table ----------------------------------------------------------------------

# One row for each of their checkpoints, with these columns of the table. Read for it:
#
# * transformers: models/resnet/convert_resnet_to_pytorch.py, which converted timm's and gave them
#   the images of ConvNeXT at 224; licences of the repositories on the Hub, of which microsoft/
#   resnet-26 states none.
# * dino (facebookresearch/dino, 7c446df), vicreg (4e12602), swav (06b1b7c), moco-v3 (c349e6e):
#   README.md (moco-v3: CONFIG.md), hubconf.py, LICENSE, and for the images eval_linear.py,
#   evaluate.py or main_lincls.py. barlowtwins (8e8d284): README.md, whose file is newer than
#   hubconf.py's. moco (5670021): README.md; commit 7397dfe relicensed it under MIT.
# * robust-models-transfer (microsoft, cea2c37): README.md. Its links have expired; the Hub's
#   repository madrylab/robust-imagenet-models, README.md of commit 1c68d6e, has the same files
#   and the licence. Images: MadryLab/robustness, datasets.py and data_augmentation.py (148be00).
# * places365 (CSAILVision, 0621862): README.md, run_placesCNN_basic.py.
# * big_transfer (google-research, 140de6e): README.md, bit_pytorch/models.py, LICENSE; images as of
#   timm's copies of these files.
# * torchgeo (65507dc): torchgeo/models/resnet.py and swin.py, licences in docs/api/weights/. A mean
#   and a standard deviation are of the values that its `transforms` take, divided by 255, as
#   `preprocessing` divides.
PROJECTS = Path(__file__).with_name("projects.csv")

# What publications say of frozen features. Label smoothing, mixup and most other losses harm them
# (arXiv:1805.08974, arXiv:2010.16402): timm's tv_in1k are torchvision's first weights, trained with
# softmax cross-entropy (references/classification; but resnext101_64x4d's with all of that), and
# pycls' are "without any training enhancements" (MODEL_ZOO.md, 5719de6). More images help
# (arXiv:1912.11370, arXiv:2103.00020). Self-supervised ones, of PROJECTS: arXiv:2011.13377.
FOR_FEATURES = ("tv_in1k", "pycls_in1k", "goog_in21k", "openai")
NOT_PLAIN = "resnext101_64x4d.tv_in1k"
# Quantised after training, timm's a1_in1k lost nearly all, torchvision's first weights nearly
# nothing (timm #1412).
FOR_INT8 = "tv_in1k"


def with_kind(row: PublishedWeights) -> PublishedWeights:
    kind = "CLIP" if "_clip" in row.preset else row.kind
    suits = row.library == "timm" and row.tag in FOR_FEATURES and row.name != NOT_PLAIN
    uses = ["features", *["int8"] * (row.tag == FOR_INT8)] if suits else [row.good_for]
    return replace(row, kind=kind, good_for=" ".join(uses))


# ---------------------------------------------------------------------------------------------


def cell(column: str, value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value) if value else ""
    if isinstance(value, tuple):
        return ("x" if column.endswith("size") else " ").join(map(str, value))
    return "" if value is None else str(value)


def main(results: Path) -> None:
    of_timm = list(timm_rows(results))
    rows = [*of_timm, *torchvision_rows(), *transformers_rows(of_timm)]
    rows += [*keras_rows(), *tf_keras_rows(), *keras_hub_rows(), *read_table(PROJECTS)]
    rows = [with_kind(row) for row in rows]
    columns = [field.name for field in fields(PublishedWeights) if field.name != "labels"]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            writer.writerow([cell(column, getattr(row, column)) for column in columns])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
