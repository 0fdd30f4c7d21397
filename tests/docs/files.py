"""What the pages load and download: photographs, and random weights under libraries' names."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import keras
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from sklearn.datasets import load_sample_images

from resnet_builder.files import opening
from resnet_builder.presets.checkpoints import in_table
from resnet_builder.presets.resolve import resolve

from ..weights.checkpoint_recipe import as_torchvision, unpacked

# tabby, tiger cat, Egyptian cat
CATS = [281, 282, 285]


def torchvision_resnet18(folder: Path) -> None:
    save_file(as_torchvision(resolve("resnet18").config), folder / "resnet18.safetensors")


def small_resnet18(folder: Path) -> None:
    small: dict[str, Any] = {"repetitions": (1, 1), "classes": 5}
    arrays = as_torchvision(resolve("resnet18").config.replace(**small))
    save_file(arrays, folder / "timm_resnet18.safetensors")


def keras_hub_folder(folder: Path) -> None:
    unpacked("resnet18", folder).rename(folder / "keras_hub_resnet18")


def places365_resnet18(folder: Path) -> None:
    arrays = as_torchvision(resolve("resnet18").config.replace(classes=365))
    save_file(arrays, folder / "resnet18_places365.pth.tar")


def photos(folder: Path) -> None:
    """Two photographs, and a folder of both."""
    (folder / "photos").mkdir()
    names = ("cat.jpg", "sofa.jpg")
    for name, image in zip(names, load_sample_images().images, strict=True):
        Image.fromarray(image).save(folder / "photos" / name)
        Image.fromarray(image).save(folder / name)


def class_folders(folder: Path) -> None:
    """A folder for each of three classes with four parts of a photograph in it."""
    for photograph, name in enumerate(("cats", "dogs", "foxes")):
        (folder / "photos" / name).mkdir(parents=True)
        image = load_sample_images().images[photograph % 2][:, :: photograph + 1]
        for number in range(4):
            part = image[50 * number :][:240]
            Image.fromarray(part).save(folder / "photos" / name / f"{number}.jpg")


FILES: dict[str, tuple[Callable[[Path], None], ...]] = {
    "coming_from": (torchvision_resnet18,),
    "troubleshooting": (torchvision_resnet18,),
    "howto/checkpoints": (
        *(torchvision_resnet18, small_resnet18, keras_hub_folder),
        *(places365_resnet18, photos),
    ),
    "howto/classify": (photos,),
    "howto/embeddings": (photos,),
    "howto/fine_tuning": (torchvision_resnet18,),
    "howto/photos": (class_folders,),
}


def write_files(page: str, folder: Path) -> None:
    """Write the files that a page expects its reader to have."""
    for write in FILES.get(page, ()):
        write(folder)


def replace_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Download from the folder: from repositories, and files of servers by name.

    A repository has the folder's ResNet-18; if there is none, random weights of its own network,
    whose classifier says "tabby" to every image.
    """

    def from_hub(repository: str) -> Path:
        path = folder / "resnet18.safetensors"
        if path.exists():
            return path
        row = in_table(repository)
        assert row, repository
        arrays = as_torchvision(resolve(row.name).config)
        arrays["fc.weight"][:] = 0
        arrays["fc.bias"][:] = -5
        arrays["fc.bias"][CATS] = np.arange(len(CATS))[::-1]
        path = folder / f"{row.name}.safetensors"
        save_file(arrays, path)
        return path

    monkeypatch.setattr(opening, "from_hub", from_hub)
    monkeypatch.setattr(keras.utils, "get_file", lambda name, **_: folder / name.partition("-")[2])
    monkeypatch.setattr(huggingface_hub, "upload_folder", lambda **_: None)
