"""The arguments that the commands share, as `argparse` takes them."""

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any

# Argument -> its options in argparse.
Arguments = Mapping[str, dict[str, Any]]

NAME = "a name of `list` or `weights`, a repository, its folder, or a JSON file of `to_json`"


def _changes_of(network: str) -> Arguments:
    return {
        "--set": {
            "nargs": "+",
            "action": "extend",
            "default": [],
            "type": _field_and_value,
            "metavar": "FIELD=VALUE",
            "help": f"change fields of {network}: --set stem=cifar se_ratio=0.25",
        }
    }


def _field_and_value(text: str, form: str = "FIELD=VALUE; write --set last") -> tuple[str, str]:
    field, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
    return field, value


PATTERN: Arguments = {
    "pattern": {"nargs": "?", "default": "*", "metavar": "PATTERN", "help": "such as '*50*'"}
}
KIND: Arguments = {
    "--kind": {"help": "supervised, self-supervised, robust or CLIP"},
    "--sort": {"default": "name", "help": "top1: the highest first"},
}
SIDES, SIZE = ("ROWS", "COLUMNS", "CHANNELS"), ("WIDTH", "HEIGHT")
INPUT_AND_OUTPUT: Arguments = {
    "--input-shape": {"nargs": 3, "type": int, "metavar": SIDES, "help": "default: its own"},
    "--classes": {"type": int, "help": "default: its own"},
}
NETWORK: Arguments = {
    "name": {"metavar": "NAME", "help": NAME},
    **INPUT_AND_OUTPUT,
    **_changes_of("the network"),
}
DETAILS: Arguments = {
    "--details": {
        "action": "store_true",
        "help": "show strides, receptive fields, the file's size and the memory of activations",
    },
    "--batch-size": {"type": int, "help": "the same, with the memory for so many images"},
}
PICTURE: Arguments = {
    "file": {"metavar": "FILE", "help": "ends in .png, .svg, .pdf, .dot, .gv or .html"},
    "--detail": {"default": "block", "help": "stage, block (default) or layer"},
    "--direction": {"help": "TB, top to bottom, or LR, left to right"},
    "--no-fold": {"dest": "fold", "action": "store_false", "help": "draw every block on its own"},
    "--size": {"nargs": 2, "type": int, "metavar": SIZE, "help": "of a PNG in pixels"},
}
TWO_NETWORKS: Arguments = {
    "first": {"metavar": "A", "help": NAME},
    "second": {"nargs": "?", "metavar": "B", "help": "the other one; default: A, with --set"},
    **INPUT_AND_OUTPUT,
    **_changes_of("B"),
    "--plot": {"metavar": "FILE", "help": "draw them side by side"},
}
STRIDING = {"true": True, "false": False}
CONVERSION: Arguments = {
    "checkpoint": {"metavar": "CHECKPOINT", "help": "file, folder, name or repository"},
    "name": {"metavar": "NAME", "help": f"its network: {NAME}"},
    "file": {
        "metavar": "FILE",
        "help": "ends in .keras, .weights.h5, .safetensors or .npz; or a folder to share",
    },
    **_changes_of("the network"),
    "--fold": {"action": "store_true", "help": "fold batch norms, for inference"},
    "--names": {"default": "keras", "metavar": "LIBRARY", "help": "of a .safetensors or .npz"},
    "--ema": {"action": "store_true", "help": "load the moving average of the weights"},
    "--skip": {
        "nargs": "+",
        "action": "extend",
        "default": [],
        "metavar": "PATTERN",
        "help": "leave tensors of the checkpoint: --skip 'head.*'",
    },
    "--rename": {
        "nargs": "+",
        "action": "extend",
        "default": [],
        "type": partial(_field_and_value, form="OLD=NEW; write --rename last"),
        "metavar": "OLD=NEW",
        "help": "names in the checkpoint, or their first parts: --rename head.fc=fc",
    },
    "--stride-in-3x3": {
        "choices": STRIDING,
        "help": "whether the checkpoint's bottlenecks stride in their 3x3 convolution",
    },
}
EXPORT: Arguments = {
    "file": {"metavar": "FILE", "help": "ends in .onnx, .tflite or .pt2; or a SavedModel's folder"},
    "--weights": {"help": "a file, a repository, a name of `weights`, or imagenet"},
    "--fold": {"action": "store_true", "help": "fold batch norms first"},
    "--prepare": {"action": "store_true", "help": "put the preparation of photographs inside"},
    "--dtype": {"default": "float32", "help": "for .tflite: float32 (default), float16 or int8"},
    "--images": {"metavar": "FOLDER", "help": "photographs that set the ranges of int8"},
    "--limit": {"type": float, "metavar": "X", "help": "largest accepted relative difference"},
    "--agreement": {"type": float, "metavar": "X", "help": "smallest accepted share of classes"},
}
PREPARATION: Arguments = {
    "--size": {"nargs": 2, "type": int, "metavar": SIDES[:2], "help": "default: its own"},
    **{
        f"--{name}": {
            "nargs": "+",
            "type": float,
            "metavar": "X",
            "help": f"{word} of each channel, from 0 to 1; default: NAME's, or ImageNet's",
        }
        for name, word in {"mean": "mean", "std": "standard deviation"}.items()
    },
}
TRAINED: Arguments = {
    "name": {"metavar": "NAME", "help": NAME},
    "--weights": {"help": "file, checkpoint or repository; default: those of NAME"},
    **PREPARATION,
}
EXPLANATION: Arguments = {
    "image": {"metavar": "IMAGE", "help": "JPEG, PNG, GIF or BMP"},
    **TRAINED,
    "file": {"metavar": "FILE", "help": "ends in .png"},
    "--class": {"dest": "of_class", "help": "number or name; default: the most probable"},
    "--stage": {"help": "such as stage3, or a layer; default: the last map"},
    "--method": {"help": "cam, grad_cam or integrated_gradients"},
}
EVALUATION: Arguments = {
    **TRAINED,
    "--data": {"required": True, "metavar": "FOLDER", "help": "with a folder for each class"},
    "--limit": {"type": int, "help": "the largest number of images, from all classes"},
    "--batch-size": {"type": int, "default": 32, "help": "default: 32"},
}
