"""config_of and the JSON of a model: what is built from it is the same model."""

import gc
import json
from pathlib import Path
from typing import Any

import keras
import pytest

from resnet_builder import ResnetBuilder, ResnetConfig, config_of, fold_batch_norm, without_blocks
from resnet_builder.model.record import RECORDS

SMALL: dict[str, Any] = {"repetitions": (1, 1), "filters": 8, "input_shape": (16, 16, 3)}
POLICIES = keras.dtype_policies.DTypePolicyMap(default_policy="float32")
POLICIES["stem_conv"] = keras.DTypePolicy("bfloat16")

# Every option of from_preset, in some of these.
OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "head": {"pooling": "max", "classifier_activation": None, "dropout_rate": 0.5, "classes": 7},
    "no head": {"include_top": False, "output_stride": 4, "name": "body", "layer_prefix": "a_"},
    "features": {"features": ["stem", "predictions"], "dtype": "mixed_bfloat16"},
    "order": {"data_format": "channels_first", "input_shape": (3, None, 32)},
    "dtypes": {"dtype": POLICIES},
    "fields": {
        "kernel_initializer": keras.initializers.HeNormal(seed=3),
        "block": ("basic_block", "bottleneck"),
        "filters": (8, 4),
        "activation_order": "pre",
        "use_bias": "unless_normalized",
    },
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
def test_the_json_of_a_model_builds_the_same_layers(options: dict[str, Any]) -> None:
    model = ResnetBuilder.from_preset("resnet18", **SMALL | options)
    same = ResnetBuilder.from_json(ResnetBuilder.to_json(model))
    assert same.get_config() == model.get_config()
    assert config_of(same) == config_of(model)


# With layers that are models of several operations, which Keras numbers throughout the process.
@pytest.mark.parametrize(
    ("preset", "changes"),
    [("resnetblur18", {"stem": "cifar"}), ("resnetv2_50d_evos", {"norm_groups": 4})],
)
def test_the_layers_do_not_depend_on_what_was_built_before(
    preset: str, changes: dict[str, Any]
) -> None:
    model = ResnetBuilder.from_preset(preset, **SMALL | changes)
    same = ResnetBuilder.from_json(ResnetBuilder.to_json(model))
    assert same.get_config() == model.get_config()


def test_json_holds_what_keras_has_as_global_settings() -> None:
    keras.config.set_image_data_format("channels_first")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = ResnetBuilder.build((3, 16, 32), 10, "basic_block", [1])
    finally:
        keras.config.set_image_data_format("channels_last")
        keras.config.set_dtype_policy("float32")
    same = ResnetBuilder.from_json(ResnetBuilder.to_json(model))
    assert same.input_shape == (None, 3, 16, 32)
    assert same.get_config() == model.get_config()


def test_the_classes_of_a_checkpoint_are_in_the_config() -> None:
    model = ResnetBuilder.from_preset("resnet18", classes=7, **SMALL)
    arrays = {weight.path: weight.numpy() for weight in model.weights}
    loaded = ResnetBuilder.from_preset("resnet18", weights=arrays, **SMALL)
    assert config_of(loaded) == config_of(model)
    options = json.loads(ResnetBuilder.to_json(loaded))
    assert not {"weights", "adapt_weights", "classes"} & options.keys()
    # The first block's initialisers are those of a network without a checkpoint.
    assert ResnetBuilder.from_json(json.dumps(options)).get_config() == model.get_config()


def test_json_by_hand_and_options_beside_it() -> None:
    text = json.dumps({"preset": "resnet20_cifar", "input_shape": [16, 16, 1], "classes": 4})
    model = ResnetBuilder.from_json(text, classes=5, layer_prefix="a_")
    assert model.output_shape == (None, 5)
    assert model.name == "a_resnet20_cifar"


def test_other_models_have_no_config(tmp_path: Path) -> None:
    model = ResnetBuilder.from_preset("resnet18", **SMALL)
    model.save(tmp_path / "x.keras")
    model.compile()
    assert config_of(model).filters == 8
    for other in (
        keras.models.load_model(tmp_path / "x.keras"),
        keras.models.clone_model(model),
        keras.Model(model.input, model.get_layer("stem_act").output),
        without_blocks(model, ["stage1_block1"]),
        fold_batch_norm(model),
    ):
        with pytest.raises(ValueError, match=r"ResnetBuilder.to_json\(model\) to a file"):
            config_of(other)
    with pytest.raises(TypeError, match="must be a Keras model, got 'resnet18'"):
        config_of("resnet18")


def test_a_model_is_not_kept_by_its_description() -> None:
    before = len(RECORDS)
    ResnetBuilder.from_preset("resnet18", features=("stem",), **SMALL)
    gc.collect()
    assert len(RECORDS) <= before


def test_a_block_function_has_a_config_and_no_json() -> None:
    def block(**_: Any) -> Any:
        return keras.layers.Activation("relu")

    model = ResnetBuilder.from_config(ResnetConfig(block=block, repetitions=(1,)), (32, 32, 3), 4)
    assert config_of(model).block is block
    with pytest.raises(TypeError, match="has no JSON form"):
        ResnetBuilder.to_json(model)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("7", ValueError, "with a \"preset\"; got '7'"),
        ('{"classes": 7}', ValueError, 'with a "preset"'),
        ("{", ValueError, "Expecting property name"),
        ('{"preset": {"repetition": [1]}}', TypeError, "did you mean 'repetitions'"),
        ('{"preset": "resnet18", "clases": 7}', TypeError, "did you mean 'classes'"),
    ],
)
def test_refused_json(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ResnetBuilder.from_json(text)
