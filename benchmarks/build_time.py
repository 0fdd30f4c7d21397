"""What building a network costs per layer, at 101 and at 1001 layers, in one process.

Run it with: python benchmarks/build_time.py
"""

import gc
import statistics
import time

import keras

from resnet_builder import PRESETS, ResnetBuilder


def seconds_to_build(blocks: int) -> float:
    """Build the pre-activated bottleneck network of 9 * blocks + 2 layers once."""
    gc.collect()
    begin = time.perf_counter()
    ResnetBuilder.from_config(PRESETS["resnetv2_164_cifar"], repetitions=(blocks,) * 3)
    seconds = time.perf_counter() - begin
    keras.utils.clear_session()
    return seconds


seconds_to_build(1)  # what the first model of a process costs
print(f"Keras {keras.__version__} on {keras.backend.backend()}; medians")
per_layer = {}
for blocks, repeats in ((11, 9), (111, 3)):
    layers = 9 * blocks + 2
    median = statistics.median(seconds_to_build(blocks) for _ in range(repeats))
    per_layer[layers] = median / layers
    each = f"{1000 * per_layer[layers]:.2f} ms per layer"
    print(f"{layers:5} layers: {median:.2f} s, {each}, n={repeats}")
print(f"ratio per layer: {per_layer[1001] / per_layer[101]:.2f}")
