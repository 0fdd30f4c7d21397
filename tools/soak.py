"""Build, load, plot, fold and export networks for an hour in one process, and watch its memory.

python -m tools.soak [--minutes 60]

Prints the resident memory after every round of all networks, without what is free for the next
one. Exits with an error if a model is alive after its owner dropped it, or if the memory of the
last round is more than 5% above that of the first round after a tenth of the time (Linux).

Networks with grouped convolutions are left out: Keras compiles each grouped convolution for each
new model (`conv` in keras/src/backend/tensorflow/nn.py, Keras 3.15), and TensorFlow does not free
the result. Without this library, a loop that builds a model of 13 `keras.layers.Conv2D(64, 3,
groups=8)`, calls `predict` and deletes it grows by 3.4 MiB a round; with `groups=1` it does not.
"""

import argparse
import ctypes
import gc
import sys
import tempfile
import time
import weakref
from pathlib import Path

import keras

from resnet_builder import (
    ResnetBuilder,
    explain,
    export,
    fold_batch_norm,
    load_weights,
    plot,
    profile,
    without_blocks,
    write_weights,
)

GROWTH = 1.05
# Networks of several kinds of blocks, stems and attentions.
PRESETS = ["resnet18", "resnet26d", "seresnet18", "resnetv2_50", "skresnet18", "res2net50_26w_4s"]


def memory() -> int:
    """The resident memory of this process in KiB, after the C library has given free pages back."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0])


def use(preset: str, folder: Path) -> "weakref.ref[keras.Model]":
    """All that is done with a network once; returns a reference that does not keep it alive."""
    model = ResnetBuilder.from_preset(preset, input_shape=(64, 64, 3), classes=10)
    write_weights(model, folder / "a.safetensors", names="timm")
    load_weights(model, folder / "a.safetensors")
    model.save(folder / "a.keras")
    loaded = keras.models.load_model(folder / "a.keras")
    folded = fold_batch_norm(loaded)
    for name in ("a.svg", "a.html", "a.png"):
        plot(model, folder / name)
    profile(model)
    without_blocks(model, ["stage3_block1"])
    images = keras.random.uniform((2, 64, 64, 3))
    folded.predict(images, verbose=0)
    explain(model, images)
    export(folded, folder / "a.onnx")
    keras.backend.clear_session()
    return weakref.ref(model)


def main() -> None:
    """Use the networks until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args().minutes
    start = time.monotonic()
    first = now = 0
    rounds = 0
    with tempfile.TemporaryDirectory() as folder:
        while (passed := (time.monotonic() - start) / 60) < minutes or not first:
            for preset in PRESETS:
                alive = use(preset, Path(folder))
                gc.collect()
                if alive() is not None:
                    sys.exit(f"{preset}: the model is alive after it was dropped")
            now = memory()
            rounds += 1
            print(f"round {rounds}, {passed:.0f} min: {now / 1024:.0f} MiB", flush=True)
            if passed > minutes / 10:
                first = first or now
    print(f"{rounds} rounds of {len(PRESETS)} networks: {now / first:.3f} of the first")
    sys.exit(now > GROWTH * first)


if __name__ == "__main__":
    main()
