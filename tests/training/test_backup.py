"""Backups of a training run."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from resnet_builder import EpochBackup, ResnetBuilder, compile_recipe, restore_backup

from ..helpers import assert_same_weights

EPOCHS = 4


def make_model(**changes: Any) -> keras.Model:
    """A network with dropout and stochastic depth, and an optimizer with a state."""
    keras.utils.set_random_seed(0)
    options: dict[str, Any] = {
        "input_shape": (4, 4, 1),
        "classes": 3,
        "stem": "cifar",
        "repetitions": (2,),
        "filters": 4,
        "drop_path_rate": 0.5,
        "dropout_rate": 0.5,
    }
    model = ResnetBuilder.from_preset("resnet18", **options | changes)
    return compile_recipe(model, "wrn2016", epochs=EPOCHS, steps_per_epoch=2, batch_size=16)


def train(model: keras.Model, first: int, last: int, *callbacks: Any) -> None:
    """Train from epoch `first` to before `last`; the images depend on the epoch."""

    for epoch in range(first, last):
        rng = np.random.default_rng(epoch)
        images, labels = rng.standard_normal((32, 4, 4, 1), "float32"), rng.integers(0, 3, 32)
        model.fit(
            images,
            labels,
            batch_size=16,
            epochs=epoch + 1,
            initial_epoch=epoch,
            callbacks=list(callbacks),
            shuffle=False,
            verbose=0,
        )


def test_a_restored_run_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"
    whole = make_model()
    train(whole, 0, EPOCHS)
    first = make_model()
    train(first, 0, 2, EpochBackup(path))
    second = make_model()
    assert restore_backup(second, path) == 2
    train(second, 2, EPOCHS)
    pairs = [*zip(whole.variables, second.variables, strict=True)]
    pairs += zip(whole.optimizer.variables, second.optimizer.variables, strict=True)
    for expected, found in pairs:
        np.testing.assert_array_equal(found, expected)


def test_an_interrupted_write_leaves_the_backup_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.weights.h5"
    model = make_model()
    train(model, 0, 1, EpochBackup(path))
    written = path.read_bytes()

    def half(unfinished: Path) -> None:
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(model, "save_weights", half)
    with pytest.raises(KeyboardInterrupt):
        train(model, 1, 2, EpochBackup(path))
    assert path.read_bytes() == written
    assert restore_backup(make_model(), path) == 1


def test_a_backup_is_a_keras_weights_file(tmp_path: Path) -> None:
    path = tmp_path / "run.weights.h5"
    model = make_model()
    train(model, 0, 1, EpochBackup(path))
    other = make_model()
    other.load_weights(path)
    assert_same_weights(model, other)


def test_without_a_file_no_epoch_is_finished(tmp_path: Path) -> None:
    assert restore_backup(make_model(), tmp_path / "none.weights.h5") == 0


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "run.weights.h5"
    train(make_model(), 0, 1, EpochBackup(path))
    return path


def state(model: keras.Model) -> list[Any]:
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


def assert_state(model: keras.Model, expected: list[Any]) -> None:
    for found, value in zip(state(model), expected, strict=True):
        np.testing.assert_array_equal(found, value)


def with_adam() -> keras.Model:
    model = make_model()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_model(repetitions=(3,)), "another network: the layers' names or shapes"),
        (lambda: make_model(repetitions=(1, 1)), "another network: the layers' names or shapes"),
        (lambda: make_model(classes=4), "another network: the layers' names or shapes"),
        (lambda: make_model(activation_order="pre"), "another network: the layers' names"),
        (lambda: make_model(layer_prefix="left_"), "another network: the layers' names"),
        (lambda: make_model(dropout_rate=0.0), "it has 2 layers with a seed, .* not 1"),
        (lambda: make_model(drop_path_rate=0.0), "it has 2 layers with a seed, .* not 1"),
        (with_adam, "another optimiser: its variables differ"),
    ],
)
def test_the_backup_of_another_run_changes_nothing(make: Any, message: str, backup: Path) -> None:
    model = make()
    before = state(model)
    with pytest.raises(ValueError, match=message):
        restore_backup(model, backup)
    assert_state(model, before)


def test_a_file_that_is_no_backup_changes_nothing(tmp_path: Path, backup: Path) -> None:
    model = make_model()
    before = state(model)
    path = tmp_path / "run.weights.h5"
    for attributes in (
        {},
        {"finished_epochs": "one"},
        {"seed_states": [[1, 2, 3]] * 2},
        {"seed_states": h5py.Empty("i8")},
        {"seed_states": [["a", "b"]] * 2},
    ):
        path.write_bytes(backup.read_bytes())
        with h5py.File(path, "a") as file:
            file.attrs.update(attributes)
            if not attributes:
                file.attrs.clear()
        with pytest.raises(ValueError, match="is not a backup of a training run"):
            restore_backup(model, path)
    for content in (b"some text", backup.read_bytes()[:-100]):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"run\.weights\.h5: it is not a whole backup of a trai"
        ):
            restore_backup(model, path)
    path.write_bytes(backup.read_bytes())
    with h5py.File(path, "a") as file:
        file.attrs["network_sha256"] = np.zeros((2, 2))
    with pytest.raises(ValueError, match="is the backup of another network"):
        restore_backup(model, path)
    with h5py.File(path, "a") as file:
        file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(ValueError, match="its elsewhere is a link: it is kept in another file"):
        restore_backup(model, path)
    with pytest.raises(ValueError, match="it is no regular file"):
        restore_backup(model, tmp_path)
    assert_state(model, before)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_an_interrupted_restore_changes_nothing(
    error: type[BaseException], backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = make_model()
    before = state(model)

    def half(path: Path) -> None:
        keras.Model.load_weights(model, path)
        raise error

    monkeypatch.setattr(model, "load_weights", half)
    with pytest.raises(error):
        restore_backup(model, backup)
    assert_state(model, before)


def test_names_that_keras_numbers_may_differ(tmp_path: Path) -> None:
    def make() -> keras.Model:
        layers = [keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)]
        model = keras.Sequential([*layers, keras.layers.Dense(2)])
        model.compile("adam", "mse")
        return model

    path = tmp_path / "run.weights.h5"
    first, second = make(), make()
    first.fit(np.ones((2, 3)), np.ones((2, 2)), callbacks=[EpochBackup(path)], verbose=0)
    assert restore_backup(second, path) == 1
    assert_state(second, state(first))


def test_what_cannot_be_a_backup_is_rejected(backup: Path) -> None:
    with pytest.raises(ValueError, match="compile 'resnet18' before restore_backup"):
        restore_backup(ResnetBuilder.from_preset("resnet18", classes=3), backup)
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5, got run\.h5"):
        EpochBackup("run.h5")
    with pytest.raises(TypeError, match="must be a Keras model, got 'resnet18'"):
        restore_backup("resnet18", backup)
