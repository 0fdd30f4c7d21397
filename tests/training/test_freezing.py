"""Frozen weights stay bit-identical in training; all others change."""

from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import ResnetBuilder, compile_recipe, freeze, unfreeze

SMALL: dict[str, Any] = {
    "input_shape": (16, 16, 3),
    "classes": 4,
    "repetitions": (1, 1, 1),
    "filters": 4,
}


def train(model: keras.Model, *, run_eagerly: bool = False) -> None:
    compile_recipe(model, "he2015", epochs=1, steps_per_epoch=2)
    model.run_eagerly = run_eagerly
    rng = np.random.Generator(np.random.PCG64(0))
    model.fit(rng.standard_normal((8, 16, 16, 3)), np.arange(8) % 4, batch_size=4, verbose=0)


def changed_by_training(model: keras.Model) -> set[str]:
    """Train, and return the parts that changed: in each part all variables change or none."""
    before = {v.path: v.numpy() for v in model.weights}
    train(model, run_eagerly=True)  # tracing takes longer than three steps
    moved: dict[str, set[bool]] = {}
    for variable in model.weights:
        part = variable.path.removeprefix("left_").partition("_")[0]
        moves = bool(np.any(variable.numpy() != before[variable.path]))
        moved.setdefault(part, set()).add(moves)
    assert {True, False} not in moved.values()
    return {part for part, found in moved.items() if found == {True}}


@pytest.mark.parametrize(
    ("preset", "prefix"), [("resnet18", ""), ("resnetv2_50", "left_"), ("seresnet50", "left_")]
)
def test_parts_up_to_a_stage_are_frozen(preset: str, prefix: str) -> None:
    model = ResnetBuilder.from_preset(preset, layer_prefix=prefix, **SMALL)
    last = {"stage3", "predictions/kernel", "predictions/bias"}
    head = {"head"} if preset == "resnetv2_50" else set()
    freeze(model, until="stage2")
    assert changed_by_training(model) == last | head
    unfreeze(model)
    freeze(model, until="stem")
    assert changed_by_training(model) == {"stage1", "stage2"} | last | head
    unfreeze(model)
    assert changed_by_training(model) == {"stem", "stage1", "stage2"} | last | head


@pytest.mark.parametrize(
    ("until", "frozen"),
    [
        ("stem", {"stem", "left_stem"}),
        ("left_stage1", {"left_stem", "left_stage1"}),
        ("stage1", {"stem", "stage1", "left_stem", "left_stage1"}),
    ],
)
def test_a_part_is_of_all_networks_and_with_a_prefix_of_one(until: str, frozen: set[str]) -> None:
    one, left = (
        ResnetBuilder.from_preset("resnet18", layer_prefix=prefix, include_top=False, **SMALL)
        for prefix in ("", "left_")
    )
    model = keras.Model([one.input, left.input], [one.output, left.output])
    with pytest.raises(ValueError, match=r"did you mean 'left_stage3'.* 'stem', .* 'left_stem'"):
        freeze(model, until="left_stage4")
    freeze(model, until=until)
    convs = {layer.name for layer in model.layers if "conv" in layer.name}
    still = {name for name in convs if not model.get_layer(name).trainable}
    assert still == {name for name in convs if name.startswith(tuple(frozen))}


def test_layers_after_the_network_are_trained() -> None:
    body = ResnetBuilder.from_preset("resnet18", **SMALL | {"classes": None}, include_top=False)
    pooled = keras.layers.GlobalAveragePooling2D()(body.output)
    model = keras.Model(body.input, keras.layers.Dense(4, name="own")(pooled))
    freeze(model)
    assert changed_by_training(model) == {"own/kernel", "own/bias"}


def test_a_compiled_model_must_be_compiled_again() -> None:
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    for change in (freeze, unfreeze):
        train(model)
        change(model)
        with pytest.raises(ValueError, match="compile"):
            model.fit(np.zeros((4, 16, 16, 3)), np.zeros(4), verbose=0)


def test_what_was_frozen_by_hand_is_trained_again() -> None:
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    nested = keras.Sequential([keras.Input((16, 16, 3)), model])
    count = len(nested.trainable_variables)
    for frozen in (model.layers[1], model, nested):
        frozen.trainable = False
        unfreeze(nested)
        assert len(nested.trainable_variables) == count


def test_invalid_arguments_are_rejected() -> None:
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    message = "'stage4': did you mean .*choose from 'stem', 'stage1', 'stage2', 'stage3'"
    with pytest.raises(ValueError, match=message):
        freeze(model, until="stage4")
    joined = ResnetBuilder.from_preset("resnet18", layer_prefix="left", **SMALL)
    with pytest.raises(ValueError, match="'left_stage1': did you mean 'leftstage1'"):
        freeze(joined, until="left_stage1")
    for function in (freeze, unfreeze):
        with pytest.raises(TypeError, match="must be a Keras model, got 'resnet18'"):
            function("resnet18")
    assert all(layer.trainable for layer in model.layers)
