"""What is measured: groups of contenders, and the pairs of them to compare. No Keras."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from resnet_builder import list_presets

OURS = "resnet_builder"
PLAIN_COMPILE = "resnet_builder, plain compile"
RANDOM_FIRST = "resnet_builder, random weights first"
FOLDED = "resnet_builder, folded"
MATRIX_PRODUCT = "matrix product"

# Form of a preset -> the libraries that have the same network.
EQUAL_NETWORKS = {
    "resnet{}": ("keras-hub", "torchvision", "timm"),
    "resnet{}_v1": ("keras.applications",),
    "keras_resnet{}": ("the article",),
}

# Commands that need no tensors. `{}` is a folder for their files.
COMMANDS = {
    "resnet-builder show": ("show", "resnet50"),
    "resnet-builder compare": ("compare", "resnet50", "resnetv2_50"),
    "resnet-builder plot": ("plot", "resnet50", "{}/resnet50.png"),
    "resnet-builder list": ("list",),
    "resnet-builder weights": ("weights",),
    "resnet-builder verify": ("verify",),
    "resnet-builder coverage": ("coverage",),
}
IMPORT_KERAS = "import keras"


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one process measures.

    Attributes:
        measure: a name in `measures.MEASURES`.
        network: a preset's name.
        samples: samples of what can be repeated in one process.
        precision: `"float32"`, `"tf32"` or `"bfloat16"`.
    """

    measure: str
    network: str = ""
    contender: str = OURS
    image: int = 224
    batch: int = 16
    classes: int = 1000
    samples: int = 3
    device: str = "cpu"
    precision: str = "float32"


@dataclass(frozen=True)
class Group:
    """Contenders that are measured by turns.

    Attributes:
        tasks: task of each contender.
        pairs: contenders to compare.
        alone: whether each contender's process ends before the next one starts, because together
            they might not fit in memory.
    """

    tasks: dict[str, Task]
    pairs: tuple[tuple[str, str], ...]
    alone: bool = False

    @property
    def task(self) -> Task:
        """The first task."""
        return next(iter(self.tasks.values()))


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is measured.

    Attributes:
        networks: forms of presets, as in `EQUAL_NETWORKS`.
        depths: their numbers of layers.
        computing_depths: those for training and prediction; empty for all.
        cifar_depths: layers of the networks for the cost per layer.
        runs: runs of everything.
        samples: samples in each run.
        training, prediction: image size and batch size.
        gpu_batches, precisions: of `--device gpu`, where the image size is that of prediction.
    """

    networks: tuple[str, ...] = tuple(EQUAL_NETWORKS)
    depths: tuple[int, ...] = (18, 50, 152)
    computing_depths: tuple[int, ...] = ()
    cifar_depths: tuple[int, ...] = (20, 110, 1202)
    runs: int = 3
    samples: int = 3
    training: tuple[int, int] = (64, 16)
    prediction: tuple[int, int] = (224, 16)
    gpu_batches: tuple[int, ...] = (64, 128, 256, 512)
    precisions: tuple[str, ...] = ("float32", "tf32", "bfloat16")
    device: str = "cpu"


FULL = Effort()
QUICK = Effort(
    networks=("resnet{}_v1",),
    depths=(50,),
    cifar_depths=(20, 110),
    runs=1,
    samples=5,
    prediction=(224, 4),
    gpu_batches=(64,),
)


def group(task: Task, pairs: tuple[tuple[str, str], ...], *also: str, alone: bool = False) -> Group:
    """The contenders of the pairs, and others, each with the same task."""
    names = dict.fromkeys((*(name for pair in pairs for name in pair), *also))
    return Group({name: replace(task, contender=name) for name in names}, pairs, alone)


def networks(effort: Effort) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Presets and the libraries that have the same network."""
    known = list_presets()
    for depth in effort.depths:
        for form in effort.networks:
            if (name := form.format(depth)) in known:
                yield name, EQUAL_NETWORKS[form]


def computing(effort: Effort) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The `networks` for training and prediction."""
    return networks(replace(effort, depths=effort.computing_depths or effort.depths))


def against(others: tuple[str, ...], *ours: str) -> tuple[tuple[str, str], ...]:
    """Pair each name of this library with each of the others."""
    return tuple((first, second) for first in ours for second in others)


def start(effort: Effort) -> Iterator[Group]:
    """Each command as a process, beside the import of Keras."""
    task = Task(measure="start", samples=effort.samples)
    yield group(task, against((IMPORT_KERAS,), *COMMANDS))


def build(effort: Effort) -> Iterator[Group]:
    """Building with random weights."""
    for name, others in networks(effort):
        task = Task(measure="build", network=name, samples=effort.samples)
        yield group(task, against(others, OURS))


def load(effort: Effort) -> Iterator[Group]:
    """Building and loading weights from a file.

    All libraries are in one group, since where a network strides makes no difference here.
    """
    for depth in effort.depths:
        of_depth = networks(replace(effort, depths=(depth,)))
        others = tuple(other for _, libraries in of_depth for other in libraries)
        task = Task(measure="load", network=f"resnet{depth}", samples=effort.samples)
        yield group(task, against((RANDOM_FIRST, *others), OURS))


def training(effort: Effort) -> Iterator[Group]:
    """The first step from a built model on, later steps, and the peak memory."""
    image, batch = effort.training
    for name, others in computing(effort):
        task = Task(
            measure="training", network=name, image=image, batch=batch, samples=effort.samples
        )
        yield group(task, against((*others, PLAIN_COMPILE), OURS))


def prediction(effort: Effort) -> Iterator[Group]:
    """Prediction, folded or not, beside the rate of a matrix product."""
    image, batch = effort.prediction
    for name, others in computing(effort):
        task = Task(
            measure="prediction", network=name, image=image, batch=batch, samples=effort.samples
        )
        pairs = (*against(others, OURS), *against((OURS, *others), FOLDED))
        yield group(task, pairs, MATRIX_PRODUCT)


def layers(effort: Effort) -> Iterator[Group]:
    """The time of building per layer, for networks of any depth."""
    shallow, *deep = effort.cifar_depths
    tasks = {
        f"{depth} layers": Task(
            measure="layers", network=f"resnet{depth}_cifar", image=32, samples=effort.samples
        )
        for depth in effort.cifar_depths
    }
    yield Group(tasks, tuple((f"{depth} layers", f"{shallow} layers") for depth in deep))


def on_gpu(measure: str, *contenders: str) -> Callable[[Effort], Iterator[Group]]:
    """Throughput of the contenders' ResNet-50 on a GPU, beside PyTorch's on the same card."""

    def groups(effort: Effort) -> Iterator[Group]:
        for precision in effort.precisions:
            for batch in effort.gpu_batches:
                task = Task(
                    measure=measure,
                    network="resnet50",
                    image=effort.prediction[0],
                    batch=batch,
                    samples=effort.samples,
                    device=effort.device,
                    precision=precision,
                )
                pairs = against(("torchvision", "timm"), *contenders)
                yield group(task, pairs, MATRIX_PRODUCT, alone=True)

    return groups


# Device -> the measures of `--quick`, in half a minute; all, where there is none.
IN_QUICK = {"cpu": ("build", "prediction")}

# Measures that oneDNN makes a difference to.
COMPUTING = ("training", "prediction")

# Device -> name for `--only` -> its groups.
PLANS: dict[str, dict[str, Callable[[Effort], Iterator[Group]]]] = {
    "cpu": {
        "start": start,
        "build": build,
        "load": load,
        "training": training,
        "prediction": prediction,
        "layers": layers,
    },
    "gpu": {
        "training": on_gpu("training", OURS),
        "prediction": on_gpu("prediction", OURS, FOLDED),
    },
}
