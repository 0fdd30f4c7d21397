"""Write tests/data/keras_hub: what keras-hub answers. Wants `pip install keras-hub`.

python -m tools.make_keras_hub
"""

import json
import tarfile
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from tests.helpers import image_batch
from tests.weights.checkpoint_recipe import KERAS_HUB, tensor

DEEP_STEM = {"input_conv_filters": [32, 32, 64], "input_conv_kernel_sizes": [3, 3, 3]}
STEM = {"input_conv_filters": [64], "input_conv_kernel_sizes": [7]}
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet18": {"block_type": "basic_block", **STEM},
    "resnet50": {"block_type": "bottleneck_block", **STEM},
    "resnet50d": {"block_type": "bottleneck_block_vd", **DEEP_STEM},
    "resnet18_vd": {"block_type": "basic_block_vd", **DEEP_STEM},
    "resnetv2_50": {"block_type": "bottleneck_block", "use_pre_activation": True, **STEM},
}

# The numbers of a weight in a preset's file repeat after so many, so that the file can be packed.
PERIOD = 61
FOLDERS = ("resnet18", "resnet50d", "resnetv2_50")


def classifier_of(preset: str, blocks: int) -> Any:
    """One network of two stages."""
    import keras_hub

    return keras_hub.models.ResNetImageClassifier(
        backbone=keras_hub.models.ResNetBackbone(
            stackwise_num_filters=[64, 128],
            stackwise_num_blocks=[blocks, blocks],
            stackwise_num_strides=[1, 2],
            image_shape=(32, 48, 3),
            **NETWORKS[preset],
        ),
        num_classes=5,
        activation=None,
    )


def write_logits(classifier: Any, name: str) -> None:
    answer = keras.ops.convert_to_numpy(classifier(image_batch(2, 32, 48, 3)))
    np.save(KERAS_HUB / f"{name}.logits.npy", answer)


def write(preset: str) -> None:
    """The names, the shapes and the logits of a network."""
    classifier = classifier_of(preset, blocks=2)
    shapes = {weight.path: list(weight.shape) for weight in classifier.weights}
    for weight in classifier.weights:
        weight.assign(tensor(weight.path, tuple(weight.shape)))
    write_logits(classifier, preset)
    (KERAS_HUB / f"{preset}.json").write_text(json.dumps(shapes) + "\n")


def write_folder(preset: str) -> None:
    """The folder that keras-hub saves of a network, packed, and its logits."""
    classifier = classifier_of(preset, blocks=1)
    for weight in classifier.weights:
        values = tensor(weight.path, tuple(weight.shape)).ravel()[:PERIOD]
        weight.assign(np.resize(values, weight.shape))
    write_logits(classifier, f"{preset}_folder")
    with TemporaryDirectory() as folder:
        classifier.save_to_preset(folder)
        with tarfile.open(KERAS_HUB / f"{preset}_folder.tar.xz", "w:xz") as archive:
            archive.add(folder, preset)


if __name__ == "__main__":
    KERAS_HUB.mkdir(exist_ok=True)
    for preset in NETWORKS:
        write(preset)
    for preset in FOLDERS:
        write_folder(preset)
