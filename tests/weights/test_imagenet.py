"""What weights="imagenet" stands for."""

from pathlib import Path

import pytest
from safetensors.numpy import save_file

from resnet_builder import PRESETS, ResnetBuilder, load_weights
from resnet_builder.weights import loading
from resnet_builder.weights.hub import is_repository
from resnet_builder.weights.imagenet import IMAGENET, recommended

from .checkpoint_recipe import checkpoint

pytestmark = pytest.mark.once


@pytest.mark.parametrize("name", IMAGENET)
def test_every_row_is_complete(name: str) -> None:
    row = IMAGENET[name]
    assert PRESETS[name].classes == 1000
    assert is_repository(row.repository)
    assert row.repository.startswith(f"timm/{name}.")
    assert 69 < row.top1 < 84
    assert row.input_size in (224, 256)
    assert row.licence in ("bsd-3-clause", "apache-2.0")


def test_a_preset_without_a_checkpoint() -> None:
    with pytest.raises(ValueError, match=r"'resnet200'.*none are published for it"):
        ResnetBuilder.from_preset("resnet200", weights="imagenet")
    with pytest.raises(ValueError, match=r"'resnet200'.*'resnet20.d'.*none are published for it"):
        recommended("resnet200")
    with pytest.raises(ValueError, match="needs a preset"):
        ResnetBuilder.from_config(PRESETS["resnet18"], weights="imagenet")
    with pytest.raises(ValueError, match="needs a preset"):
        load_weights(ResnetBuilder.from_preset("resnet18", (32, 32, 3)), "imagenet")


def test_from_preset_downloads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    save_file(checkpoint("torchvision_resnet18"), path)
    asked = []

    def download(repository: str) -> Path:
        asked.append(repository)
        return path

    monkeypatch.setattr(loading, "download", download)
    ResnetBuilder.from_preset("resnet18", (32, 32, 3), weights="imagenet")
    assert asked == ["timm/resnet18.tv_in1k"]
