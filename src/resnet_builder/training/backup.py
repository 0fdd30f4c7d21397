"""A training run's state in one file, from which a run that was killed goes on."""

from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

FINISHED, SEEDS = "finished_epochs", "seed_states"


class EpochBackup(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves what training needs to go on, after every epoch, in one file.

    The file has the weights, the optimiser's state and the seeds of dropout and stochastic depth;
    it is a Keras weights file, which `model.load_weights` reads too. Whatever moment a process is
    killed at, the file is that of the last epoch or of the one before. With data whose order
    depends on the epoch alone, a run that is restored ends as one that was not interrupted.

    `keras.callbacks.BackupAndRestore` does not promise that: it writes the weights and the number
    of the epoch in two files, one after the other and in place, and leaves the seeds out.

    Args:
        path: ends in `.weights.h5`.

    Example:
        >>> backup = EpochBackup("run.weights.h5")
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.name.endswith(".weights.h5"):
            raise ValueError(f"the path of a backup must end in .weights.h5, got {path}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the state after `epoch` + 1 epochs in place of the one before."""
        unfinished = self.path.with_name(f"unfinished_{self.path.name}")
        self.model.save_weights(unfinished)
        with h5py.File(unfinished, "a") as file:
            file.attrs[FINISHED] = epoch + 1
            file.attrs[SEEDS] = _seeds(self.model)
        unfinished.replace(self.path)


def restore(model: keras.Model, path: str | Path) -> int:
    """Give a compiled model the state that `EpochBackup` saved.

    Callbacks that remember earlier epochs, such as `EarlyStopping`, begin anew.

    Args:
        model: the same network, compiled with the same optimiser.
        path: the backup's.

    Returns:
        How many epochs are finished: `initial_epoch` of `fit`. 0 where there is no such file.

    Raises:
        ValueError: the file is of another network or optimiser, or not of `EpochBackup`.
    """
    if not Path(path).exists():
        return 0
    if not model.optimizer.built:
        # Keras would leave the state of an optimiser without variables in the file.
        model.optimizer.build(model.trainable_variables)
    with h5py.File(path) as file:
        if FINISHED not in file.attrs:
            raise ValueError(f"{path} is not a backup of a training run")
        finished, seeds = int(file.attrs[FINISHED]), file.attrs[SEEDS]
    model.load_weights(path)
    for variable, state in zip(seed_states(model), seeds, strict=True):
        variable.assign(state)
    return finished


def seed_states(model: keras.Model) -> list[Any]:
    """The variables that count what dropout and stochastic depth have drawn."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _seeds(model: keras.Model) -> Any:
    states = [keras.ops.convert_to_numpy(state) for state in seed_states(model)]
    return np.array(states, "int64").reshape(-1, 2)
