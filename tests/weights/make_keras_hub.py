"""Write tests/data/keras_hub: what keras-hub answers. Wants `pip install keras-hub`.

python -m tests.weights.make_keras_hub
"""

import json
from typing import Any

import keras
import numpy as np

from ..helpers import image_batch
from .checkpoint_recipe import KERAS_HUB, tensor

DEEP_STEM = {"input_conv_filters": [32, 32, 64], "input_conv_kernel_sizes": [3, 3, 3]}
STEM = {"input_conv_filters": [64], "input_conv_kernel_sizes": [7]}
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet18": {"block_type": "basic_block", **STEM},
    "resnet50": {"block_type": "bottleneck_block", **STEM},
    "resnet50d": {"block_type": "bottleneck_block_vd", **DEEP_STEM},
    "resnet18_vd": {"block_type": "basic_block_vd", **DEEP_STEM},
    "resnetv2_50": {"block_type": "bottleneck_block", "use_pre_activation": True, **STEM},
}


def write(preset: str, options: dict[str, Any]) -> None:
    """One network of two stages with two blocks each."""
    import keras_hub

    classifier = keras_hub.models.ResNetImageClassifier(
        backbone=keras_hub.models.ResNetBackbone(
            stackwise_num_filters=[64, 128],
            stackwise_num_blocks=[2, 2],
            stackwise_num_strides=[1, 2],
            image_shape=(32, 48, 3),
            **options,
        ),
        num_classes=5,
        activation=None,
    )
    shapes = {weight.path: list(weight.shape) for weight in classifier.weights}
    for weight in classifier.weights:
        weight.assign(tensor(weight.path, tuple(weight.shape)))
    answer = keras.ops.convert_to_numpy(classifier(image_batch(2, 32, 48, 3)))
    np.save(KERAS_HUB / f"{preset}.logits.npy", answer)
    (KERAS_HUB / f"{preset}.json").write_text(json.dumps(shapes) + "\n")


if __name__ == "__main__":
    KERAS_HUB.mkdir(exist_ok=True)
    for preset, options in NETWORKS.items():
        write(preset, options)
