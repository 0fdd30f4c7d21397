"""The state of a training run in one file, from which an interrupted run continues."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from ..common.files import whole_file
from ..files.checkpoint import Array, broken, check_regular
from ..files.keras_files import items_of
from ..model.locate import check_model
from ..weights.load import restored_on_failure
from .averaging import MovingAverage
from .distributed import is_chief, values_of_chief

FINISHED, SEEDS = "finished_epochs", "seed_states"
NETWORK, OPTIMIZER = "network_sha256", "optimizer_sha256"
AVERAGE = "moving_average"


class EpochBackup(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the state of a training run after every epoch, in one file.

    The file has the weights, the optimiser's state and the seeds of dropout and stochastic depth;
    it is a Keras weights file, which `model.load_weights` reads too. If the process is killed, at
    any moment, the file is from the last epoch or from the one before. If the order of the data
    depends only on the epoch, a restored run ends like one that was not interrupted.

    `keras.callbacks.BackupAndRestore` does not guarantee that: it writes the weights and the number
    of the epoch to two files, one after the other and in place, and leaves the seeds out.

    Args:
        path: path of the file, which ends in `.weights.h5`.
        average: the moving average of the run, which is saved too; before this callback in `fit`.

    Raises:
        ValueError: a path with another ending.

    Example:
        >>> from resnet_builder import EpochBackup
        >>> backup = EpochBackup("run.weights.h5")
    """

    def __init__(self, path: str | Path, average: MovingAverage | None = None) -> None:
        super().__init__()
        self.path, self.average = Path(path), average
        if not self.path.name.endswith(".weights.h5"):
            raise ValueError(f"the path of a backup must end in .weights.h5, got {path}")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Replace the saved state by the state after `epoch` + 1 epochs."""
        with whole_file(self.path) as unfinished:
            self.model.save_weights(unfinished)
            with h5py.File(unfinished, "a") as file:
                file.attrs[FINISHED] = epoch + 1
                seeds = [keras.ops.convert_to_numpy(seed) for seed in _seeds(self.model)]
                file.attrs[SEEDS] = np.array(seeds, "int64").reshape(-1, 2)
                file.attrs[NETWORK] = _digest(self.model.weights)
                file.attrs[OPTIMIZER] = _digest(self.model.optimizer.variables)
                for name, generator in _generators().items():
                    file.attrs[name] = keras.ops.convert_to_numpy(generator.get_state())
                for number, value in enumerate(self.average.get_weights() if self.average else ()):
                    file[f"{AVERAGE}/{number}"] = value


def restore_backup(
    model: keras.Model, path: str | Path, average: MovingAverage | None = None
) -> int:
    """Restore a compiled model to the state that `EpochBackup` saved.

    If it raises, or is interrupted, the model and its optimiser are as they were. Callbacks that
    remember earlier epochs, such as `EarlyStopping`, start over.

    Under a strategy of several workers every process calls it. Only the chief needs the file; it
    sends the state to the others.

    Args:
        model: the same network, compiled with the same optimiser.
        path: path of the backup.
        average: the moving average of the run, if it is to go on. A file without one leaves it as
            it is: it then starts with a copy of the weights.

    Returns:
        The number of finished epochs: `initial_epoch` of `fit`. 0 if there is no such file.

    Raises:
        TypeError: not a Keras model.
        ValueError: the model is not compiled, or the file is damaged, or not of `EpochBackup`, or
            of a model with other layers, shapes, layers with a seed, or another optimiser.
        OSError: a file that cannot be read.

    Example:
        >>> from resnet_builder import ResnetBuilder, compile_recipe, restore_backup
        >>> model = ResnetBuilder.from_preset("resnet20_cifar")
        >>> model = compile_recipe(model, "he2015_cifar", epochs=164, steps_per_epoch=391)
        >>> restore_backup(model, "a_new_run.weights.h5")
        0
    """
    check_model(model)
    if not model.compiled:
        raise ValueError(
            f"compile {model.name!r} before restore_backup: a backup has the optimiser's state"
        )
    # A model has a strategy under TensorFlow only, and a strategy of one worker has no task.
    strategy = getattr(model, "distribute_strategy", None)
    if not getattr(getattr(strategy, "cluster_resolver", None), "task_type", None):
        return _restored(model, path, average)
    finished = _restored(model, path, average) if is_chief(strategy) else 0
    _build_optimizer(model)
    state = [*model.variables, *model.optimizer.variables]
    *values, finished = values_of_chief(strategy, [*(of.value for of in state), finished])
    for variable, value in zip(state, values, strict=True):
        variable.assign(value)
    return int(finished)


def _restored(model: keras.Model, path: str | Path, average: MovingAverage | None) -> int:
    """Restore a model of this process; the number of finished epochs."""
    if not Path(path).exists():
        return 0
    saved = _attributes(path)
    _build_optimizer(model)
    _check_fit(model, path, saved)
    with restored_on_failure([*model.variables, *model.optimizer.variables]):
        try:
            model.load_weights(path)
            for variable, state in zip(_seeds(model), saved[SEEDS], strict=True):
                variable.assign(state)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is the backup of another network or optimiser") from error
    for name, generator in _generators().items():
        if name in saved:
            generator.set_state(keras.ops.convert_to_tensor(saved[name], "uint8").cpu())
    averages = _averages(path)
    if average and averages:
        average.set_weights(averages)
    return int(saved[FINISHED])


def _averages(path: str | Path) -> list[Array]:
    with h5py.File(path) as file:
        numbers = range(len(file.get(AVERAGE, ())))
        return [np.asarray(file[f"{AVERAGE}/{number}"]) for number in numbers]


def _build_optimizer(model: keras.Model) -> None:
    """Create the optimiser's variables: Keras would not load the state of any that do not exist."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _attributes(path: str | Path) -> dict[str, Any]:
    check_regular(Path(path))
    try:
        with h5py.File(path) as file:
            items_of(file)  # which refuses what is kept in other files
            saved = dict(file.attrs)
    except Exception as error:  # h5py raises any error of a broken file
        raise broken(Path(path), "backup of a training run", error) from error
    seeds = np.asarray(saved.get(SEEDS))
    is_backup = isinstance(saved.get(FINISHED), np.integer) and seeds.dtype.kind == "i"
    if not (is_backup and seeds.shape[1:] == (2,)):
        raise ValueError(f"{path} is not a backup of a training run, as EpochBackup writes it")
    return saved


def _check_fit(model: keras.Model, path: str | Path, saved: dict[str, Any]) -> None:
    """Raise a ValueError if the backup is of another model: Keras loads by class and number."""
    expected = {
        NETWORK: (_digest(model.weights), "network: the layers' names or shapes differ"),
        OPTIMIZER: (_digest(model.optimizer.variables), "optimiser: its variables differ"),
    }
    wrong = [text for key, (own, text) in expected.items() if str(saved.get(key, own)) != own]
    found, count = len(saved[SEEDS]), len(_seeds(model))
    if found != count:
        wrong.append(f"network: it has {found} layers with a seed, such as dropout, not {count}")
    if wrong:
        raise ValueError(
            f"{path} is the backup of another {wrong[0]}; build and compile {model.name!r} as for "
            "the interrupted run, or give another path for a new run"
        )


def _digest(variables: Iterable[keras.Variable]) -> str:
    """SHA-256 of the paths and shapes of variables.

    The numbers that Keras adds to a name depend on what else was built in the process.
    """
    lines = [f"{re.sub(r'_[0-9]+(?=[_/]|$)', '', v.path)} {tuple(v.shape)}" for v in variables]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _generators() -> dict[str, Any]:
    """PyTorch's own random generators, from which Keras's dropout draws there."""
    if keras.backend.backend() != "torch":
        return {}
    import torch

    found = {"torch_generator": torch.default_generator}
    if torch.cuda.is_available():
        found["cuda_generator"] = torch.cuda.default_generators[torch.cuda.current_device()]
    return found


def _seeds(model: keras.Model) -> list[keras.Variable]:
    """The seed variables of dropout and stochastic depth."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]
