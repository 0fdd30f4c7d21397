"""The machine and the versions that a result is of."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import resnet_builder

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "keras-hub", "torch", "torchvision", "timm")

# `--onednn` -> TF_ENABLE_ONEDNN_OPTS.
ONEDNN = {"on": "1", "off": "0"}
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_FORCE_GPU_ALLOW_GROWTH": "true"}

_GPUS = """
import importlib.util, json
names = {"keras": [], "torch": []}
import keras
if keras.backend.backend() == "jax":
    import jax
    names["keras"] += [device.device_kind for device in jax.devices() if device.platform == "gpu"]
else:
    import tensorflow as tf
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        names["keras"].append(details.get("device_name", device.name))
if importlib.util.find_spec("torch"):
    import torch
    for number in range(torch.cuda.device_count()):
        names["torch"].append(torch.cuda.get_device_name(number))
print(json.dumps(names))
"""


@dataclass(frozen=True)
class Machine:
    """Hardware and versions.

    Attributes:
        gpus: names of GPUs by engine, as in `contenders.Contender.engine`.
    """

    hardware: str
    versions: str
    gpus: Mapping[str, tuple[str, ...]]


def describe(device: str) -> Machine:
    """Describe this machine; GPUs only if they are to be used."""
    found = {name: installed for name in PACKAGES if (installed := _version(name))}
    versions = [f"resnet_builder {resnet_builder.__version__}", f"Python {sys.version.split()[0]}"]
    versions += [f"{name} {installed}" for name, installed in found.items()]
    gpus = _gpus() if device == "gpu" else {}
    parts = [f"{_processor()}, {os.cpu_count()} cores", *_memory(), platform.platform(terse=True)]
    parts += sorted({name for names in gpus.values() for name in names})
    return Machine(", ".join(parts), ", ".join(versions), gpus)


def backend() -> str:
    """The name of Keras's backend."""
    import keras

    return str(keras.config.backend())


def load() -> float | None:
    """Processes that ran or wanted to run in the last minute; None on Windows."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _gpus() -> Mapping[str, tuple[str, ...]]:
    done = subprocess.run(
        [sys.executable, "-c", _GPUS],
        env={**os.environ, **QUIET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return {engine: tuple(names) for engine, names in json.loads(done.stdout).items()}


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> list[str]:
    if "SC_PHYS_PAGES" not in getattr(os, "sysconf_names", {}):
        return []
    return [f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"]
