"""How Keras and PyTorch train and predict, as a user of each writes it."""

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

    Each of its steps copies the batch from the host's memory and waits for the result.
    """

    def prepare(self, task: Task) -> None:
        """Import the engine and set the precision."""

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Compile the model; return a function that trains it for a number of steps."""

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a function that predicts a batch."""


class Keras:
    """Keras on TensorFlow."""

    def prepare(self, task: Task) -> None:
        """Import Keras and set the precision of all layers."""
        import keras
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(task.precision != "float32")
        mixed = task.precision == "bfloat16"
        keras.config.set_dtype_policy("mixed_bfloat16" if mixed else "float32")

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Compile the model; return a `fit` of a number of steps."""
        import tensorflow as tf

        contender.compile(model)
        batches = tf.data.Dataset.from_tensors(batch(task)).repeat()
        # With it, the end of a `fit` sometimes waits for as long as the `fit` took.
        options = tf.data.Options()
        options.autotune.enabled = False
        batches = batches.with_options(options)

        def fit(steps: int) -> None:
            model.fit(batches.take(steps), shuffle=False, verbose=0)

        return fit

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a `predict_on_batch`."""
        images, _ = batch(task)
        return lambda: model.predict_on_batch(images)


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

        device, images = self._on_device(model.train(), task)
        labels = torch.from_numpy(batch(task)[1])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

        def fit(steps: int) -> None:
            for _ in range(steps):
                with self._precision(device, task):
                    outputs = model(images.to(device))
                    loss = torch.nn.functional.cross_entropy(outputs, labels.to(device))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
                optimizer.step()
                loss.item()

        return fit

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a call in inference mode."""
        import torch

        device, images = self._on_device(model.eval(), task)

        def predict() -> None:
            with torch.inference_mode(), self._precision(device, task):
                model(images.to(device)).float().cpu()

        return predict

    def _on_device(self, model: Any, task: Task) -> tuple[str, Any]:
        """Move the model; return the device and the images on the host."""
        import torch

        device = {"cpu": "cpu", "gpu": "cuda"}[task.device]
        images = torch.from_numpy(batch(task)[0]).permute(0, 3, 1, 2)
        if device == "cpu":
            return device, images.contiguous()
        # The order of axes for which cuDNN's kernels are fast; that of `images` already.
        model.to(device, memory_format=torch.channels_last)
        return device, images.pin_memory()

    def _precision(self, device: str, task: Task) -> AbstractContextManager[Any]:
        import torch

        mixed = task.precision == "bfloat16"
        return torch.autocast(device, torch.bfloat16) if mixed else nullcontext()


# Device -> rows and columns of the matrices, and products in one step. Products of smaller matrices
# do not reach a processor's rate: convolutions of the networks are then faster.
MATRICES = {"cpu": (4096, 1), "gpu": (8192, 8)}


class Matrix(Keras):
    """Products of large square matrices in TensorFlow, in place of training and prediction."""

    def trainer(self, contender: Contender, model: Any, task: Task) -> Callable[[int], None]:
        """Return a function that multiplies as often as `MATRICES` says, in each step."""
        product = self.predictor(model, task)

        def multiply(steps: int) -> None:
            for _ in range(steps):
                product()

        return multiply

    def predictor(self, model: Any, task: Task) -> Callable[[], None]:
        """Return a function that multiplies as often as `MATRICES` says."""
        import tensorflow as tf

        size, products = MATRICES[task.device]
        dtype = "bfloat16" if task.precision == "bfloat16" else "float32"
        factor = tf.cast(tf.random.normal((size, size), seed=0), dtype)

        def multiply() -> None:
            for _ in range(products):
                product = tf.matmul(factor, factor)
            product[0, 0].numpy()

        return multiply


ENGINES: dict[str, Engine] = {"keras": Keras(), "torch": Torch(), "matrix": Matrix()}


def seconds(work: Callable[[], Any]) -> float:
    """The time that a call takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin
