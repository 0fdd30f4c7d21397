import pytest

from resnet_builder import PRESETS, ResnetBuilder, list_presets

from .conftest import trainable_parameters

# torchvision/models/resnet.py, `num_params` of the weights' metadata.
TORCHVISION_PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}


@pytest.mark.parametrize("name", TORCHVISION_PARAMETERS)
def test_parameters_of_torchvision(name: str) -> None:
    model = ResnetBuilder.from_preset(name)
    assert trainable_parameters(model) == TORCHVISION_PARAMETERS[name]


def test_list_presets() -> None:
    assert list_presets() == list(PRESETS)
    assert list_presets("keras_*10?") == ["keras_resnet101"]
    assert list_presets("vgg*") == []


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["resnet18"] = PRESETS["resnet34"]  # type: ignore[index]


def test_an_unknown_name_lists_the_near_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'resnet50'"):
        ResnetBuilder.from_preset("resnet5O")
