"""How Keras and PyTorch train and predict."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .contenders import Contender
from .plan import Task

Array = npt.NDArray[Any]


def batch(task: Task) -> tuple[Array, Array]:
    """Random images (batch, rows, columns, 3) and labels (batch,)."""
    random = np.random.default_rng(0)
    images = random.standard_normal((task.batch, task.image, task.image, 3), dtype="float32")
    return images, random.integers(0, task.classes, task.batch)


class Engine(Protocol):
    """An engine.

    Its batch is on the device, and each of its steps waits for the result.
    """

    def prepare(self, task: Task) -> None:
        """Import the engine and set the precision."""

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Compile the model; return a function that trains it for a number of steps."""

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a function that predicts a batch."""


class Keras:
    """Keras on its backend, which the environment variable KERAS_BACKEND chooses."""

    def prepare(self, task: Task) -> None:
        """Import Keras and set the precision of all layers."""
        import keras

        if keras.backend.backend() == "jax":
            import jax

            name = "float32" if task.precision == "float32" else "tensorfloat32"
            jax.config.update("jax_default_matmul_precision", name)
        else:
            import tensorflow as tf

            tf.config.experimental.enable_tensor_float_32_execution(task.precision != "float32")
        mixed = task.precision == "bfloat16"
        keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Compile the model; return a loop of a number of steps.

        Not a `fit`: at its end, tf.data's autotuning sometimes waits for as long as it took.
        """
        contender.compile(model)
        images, labels = self._on_device(task)

        def train(steps: int) -> None:
            for _ in range(steps):
                model.train_on_batch(images, labels)

        return train

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a `predict_on_batch`."""
        images, _ = self._on_device(task)
        return lambda: model.predict_on_batch(images)

    def _on_device(self, task: Task) -> tuple[Any, Any]:
        import keras

        images, labels = batch(task)
        return keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)


class Torch:
    """PyTorch, eager."""

    def prepare(self, task: Task) -> None:
        """Import PyTorch and set the precision of products of matrices."""
        import torch

        allowed = task.precision != "float32"
        torch.backends.cuda.matmul.allow_tf32 = allowed
        torch.backends.cudnn.allow_tf32 = allowed
        torch.backends.cudnn.benchmark = True

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Create the optimizer; return a loop of a number of steps."""
        import torch

        device, images, labels = self._on_device(model.train(), task)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

        def train(steps: int) -> None:
            for _ in range(steps):
                with self._precision(device, task):
                    loss = torch.nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
                optimizer.step()
                loss.item()

        return train

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a call in inference mode."""
        import torch

        device, images, _ = self._on_device(model.eval(), task)

        def predict() -> None:
            with torch.inference_mode(), self._precision(device, task):
                model(images).float().cpu()

        return predict

    def _on_device(self, model: Any, task: Task) -> tuple[str, Any, Any]:
        """Move the model; return the device, images and labels.

        The order of axes is the one that is faster, on processors as well as with cuDNN.
        """
        import torch

        device = {"cpu": "cpu", "gpu": "cuda"}[task.device]
        images, labels = map(torch.from_numpy, batch(task))
        model.to(device, memory_format=torch.channels_last)
        return device, images.permute(0, 3, 1, 2).to(device), labels.to(device)

    def _precision(self, device: str, task: Task) -> AbstractContextManager[Any]:
        import torch

        mixed = task.precision == "bfloat16"
        return torch.autocast(device, torch.bfloat16) if mixed else nullcontext()


# Device -> rows and columns of the matrices, and products in one step. Products of smaller matrices
# do not reach a processor's rate: convolutions of the networks are then faster.
MATRICES = {"cpu": (4096, 1), "gpu": (8192, 8)}


class Matrix(Keras):
    """Products of large square matrices, in place of training and prediction."""

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Return a function that multiplies as often as `MATRICES` says, in each step."""
        product = self.predictor(model, task)

        def multiply(steps: int) -> None:
            for _ in range(steps):
                product()

        return multiply

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a function that multiplies as often as `MATRICES` says."""
        import keras

        size, products = MATRICES[task.device]
        dtype = "bfloat16" if task.precision == "bfloat16" else "float32"
        factor = keras.ops.cast(keras.random.normal((size, size), seed=0), dtype)

        def multiply() -> None:
            for _ in range(products):
                product = keras.ops.matmul(factor, factor)
            float(product[0, 0])

        return multiply


ENGINES: dict[str, Engine] = {"keras": Keras(), "torch": Torch(), "matrix": Matrix()}


def seconds(work: Callable[[], Any]) -> float:
    """The time that a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
