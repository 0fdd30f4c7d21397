"""The checkpoints that the pages load: random weights under the names of the libraries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from resnet_builder.presets.resolve import resolve

from ..weights.checkpoint_recipe import as_torchvision, unpacked


def torchvision_resnet18(folder: Path) -> None:
    save_file(as_torchvision(resolve("resnet18").config), folder / "resnet18.safetensors")


def small_resnet18(folder: Path) -> None:
    small: dict[str, Any] = {"repetitions": (1, 1), "classes": 5}
    arrays = as_torchvision(resolve("resnet18").config.replace(**small))
    save_file(arrays, folder / "timm_resnet18.safetensors")


def keras_hub_folder(folder: Path) -> None:
    unpacked("resnet18", folder).rename(folder / "keras_hub_resnet18")


FILES: dict[str, tuple[Callable[[Path], None], ...]] = {
    "howto/checkpoints": (torchvision_resnet18, small_resnet18, keras_hub_folder),
    "howto/fine_tuning": (torchvision_resnet18,),
}


def write_files(page: str, folder: Path) -> None:
    """Write the files that a page expects its reader to have."""
    for write in FILES.get(page, ()):
        write(folder)
