"""Keras's three backends: what each reads of the others, does, and refuses by name."""

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

from resnet_builder import export, fit_distributed, synchronize_batch_norm

from .helpers import tiny
from .processes import printed_by

BACKENDS = ("tensorflow", "jax", "torch")
INSTALLED = [name for name in BACKENDS if find_spec(name)]
PAGE = Path(__file__).parents[1] / "docs" / "howto" / "backends"


def printed_on(backend: str, code: str, folder: Path) -> str:
    """What a script prints with Keras on a backend."""
    return printed_by(f"import os; os.environ['KERAS_BACKEND'] = {backend!r}\n{code}", folder)


# Files --------------------------------------------------------------------------------------------

COMMON = """
import keras
import numpy as np
from pathlib import Path
from resnet_builder import *

backend = keras.backend.backend()
images = np.random.default_rng(0).standard_normal((2, 16, 16, 3)).astype("float32")

def network():
    return ResnetBuilder.from_preset(
        "seresnet18", (16, 16, 3), 5, filters=8, repetitions=(1, 1), classifier_activation=None
    )

def answer(model):
    return keras.ops.convert_to_numpy(model(images, training=False))
"""
WRITING = (
    COMMON
    + """
model = compile_recipe(network(), "he2015", epochs=1, steps_per_epoch=1)
model.optimizer.build(model.trainable_variables)
rng = np.random.default_rng(1)
model.set_weights([rng.uniform(0.5, 1.5, of.shape) * (1 + abs(of)) for of in model.get_weights()])
folder = Path(backend)
folder.mkdir()
np.save(folder / "answer.npy", answer(model))
model.save(folder / "net.keras")
model.save_weights(folder / "net.weights.h5")
write_weights(model, folder / "net.safetensors", names="timm")
settings = {"size": 16, "mean": 0.5, "std": 0.25}
save_pretrained(model, folder / "hub", labels=list("abcde"), preprocessing=settings)
"""
)
READING = (
    COMMON
    + """
def loaded(reader):
    model = network()
    reader(model)
    return model

for folder in map(Path, {writers}):
    whole = keras.models.load_model(folder / "net.keras")
    models = [
        whole,
        loaded(lambda model: load_weights(model, folder / "net.keras")),
        loaded(lambda model: model.load_weights(folder / "net.weights.h5")),
        loaded(lambda model: load_weights(model, folder / "net.safetensors")),
        ResnetBuilder.from_preset(str(folder / "hub"), classifier_activation=None),
    ]
    expected = np.load(folder / "answer.npy")
    differences = [abs(answer(model) - expected).max() / abs(expected).max() for model in models]
    print(folder, max(differences) <= 1e-5, whole.optimizer.name)
"""
)


@pytest.mark.slow
def test_files_of_each_backend_load_on_the_others(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    if len(INSTALLED) < 2:
        pytest.skip(f"needs two of {', '.join(BACKENDS)}")
    for backend in INSTALLED:
        printed_on(backend, WRITING, tmp_path)
    for backend in INSTALLED:
        writers = [other for other in INSTALLED if other != backend]
        found = printed_on(backend, READING.replace("{writers}", repr(writers)), tmp_path)
        assert found.splitlines() == [f"{writer} True sgd" for writer in writers], backend


# TensorFlow is not imported -----------------------------------------------------------------------

# Keras's own `model.save` asks for TensorFlow, and does without.
FEATURES = """
import sys
import traceback
import keras  # PyTorch looks for TensorFlow, without importing it

class Refused:
    asked = []

    def find_spec(self, name, path=None, target=None):
        if name == "tensorflow":
            self.asked.append("".join(traceback.format_stack()))
            raise ModuleNotFoundError("No module named 'tensorflow'")

sys.meta_path.insert(0, Refused())
import numpy as np
from PIL import Image
from pathlib import Path
from resnet_builder import *

small = {"filters": 4, "repetitions": (2, 2)}
model = ResnetBuilder.from_preset("resnet18", (16, 16, 3), 3, **small)
images = (np.arange(2 * 16 * 16 * 3).reshape(2, 16, 16, 3) / 1536).astype("float32")
labels = np.arange(2)

folded = fold_batch_norm(model)
print(np.abs(model.predict(images, verbose=0) - folded.predict(images, verbose=0)).max() < 1e-5)
without_blocks(model, ["stage1_block2"]), along_paths(model)
reordered(model, ["stage1_block2", "stage1_block1"])
profile(model, (24, 24, 3)), feature_info(model), str(plot(model)), config_of(model)
plot(model, "net.html"), compare("resnet18", "resnet34"), verify("resnet18")
tokens = keras.Input((4, 5))
profile(keras.Model(tokens, keras.layers.MultiHeadAttention(2, 3)(tokens, tokens)))
for head in (unet, fpn, deeplab):
    head("resnet18", (64, 64, 3), 2, filters=4, repetitions=(1, 1, 1, 1))

load_weights(model, {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights})
for file in ("net.safetensors", "net.npz"):
    load_weights(model, write_weights(model, file, names="timm").file)
settings = {"size": 16, "mean": 0.5, "std": 0.25}
save_pretrained(model, "hub", labels=["red", "green", "blue"], preprocessing=settings)
again = ResnetBuilder.from_preset("hub")
model.save_weights("net.weights.h5"), again.load_weights("net.weights.h5")

for colour in ("red", "green", "blue"):
    Path("photographs", colour).mkdir(parents=True)
    for ending in ("jpg", "png"):
        Image.new("RGB", (20, 17), colour).save(f"photographs/{colour}/1.{ending}")
print(evaluate(again, "photographs", "hub").images)
explain(model, preprocessing("hub")(images), method="grad_cam").save("seen.png")
decode(again.predict(images, verbose=0), "hub")
print(export(model, "net.onnx", limit=1e-5).format)

freeze(model, until="stage1"), unfreeze(model)
rematerialize(model)
compile_recipe(model, "he2015", epochs=2, steps_per_epoch=1)
backup = EpochBackup("run.weights.h5")
model.fit(images, labels, batch_size=2, epochs=2, verbose=0, callbacks=[backup])
print(restore_backup(model, "run.weights.h5"))
optimizer = layer_rates(model, "adam", {"stem": 0, "head": 10})
model.compile(optimizer, "sparse_categorical_crossentropy")
model.fit(images, labels, batch_size=2, verbose=0)
print(*Refused.asked, "tensorflow" in sys.modules)
"""


@pytest.mark.parametrize("backend", [pytest.param("jax", marks=pytest.mark.slow), "torch"])
def test_nothing_imports_tensorflow_under(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    pytest.importorskip("safetensors")
    # After the number of finished epochs, who asked for it and whether it is there.
    assert printed_on(backend, FEATURES, tmp_path).rpartition("\n2\n")[2] == "False\n"


# The table of the page ----------------------------------------------------------------------------

# Row -> the tests of it. Where all three columns say yes, none of them is TensorFlow's only.
TESTS = {
    "networks, blocks of your own": ["test_builder.py", "model/test_blocks.py"],
    "recipes, weight decay": ["training/test_recipes.py", "training/test_decay.py"],
    "`freeze`, `layer_rates`": ["training/test_freezing.py", "training/test_rates.py"],
    "`rematerialize`": ["training/test_remat.py"],
    "`EpochBackup`, `restore_backup`": ["training/test_backup.py"],
    "`.keras`, `.weights.h5`": ["files/test_keras_files.py"],
    "checkpoints of other libraries": ["weights/test_load.py", "files/test_torch_files.py"],
    "`save_pretrained`, `write_weights`": ["test_pretrained.py", "weights/test_write.py"],
    "`without_blocks`, `reordered`, `along_paths`": ["test_lesions.py"],
    "`unet`, `fpn`, `deeplab`": ["heads/test_heads.py"],
    "`fold_batch_norm`": ["inference/test_folding.py"],
    "`explain`": ["inference/test_explain.py"],
    "`evaluate`, `preprocessing`": ["inference/test_evaluate.py", "inference/test_images.py"],
    "`plot`": ["pictures/test_plot.py"],
    "`profile`, `verify`": ["costs/test_profile.py", "costs/test_published.py"],
    "export to ONNX": ["inference/test_onnx.py"],
    "export to a SavedModel": ["inference/test_export.py"],
    "export to LiteRT": ["inference/test_export.py"],
    "export to `.pt2`": ["inference/test_export.py"],
    "`fit_distributed`": ["training/test_distributed.py"],
    "`synchronize_batch_norm`": ["training/test_distributed.py"],
    "`.` in `layer_prefix`": ["model/test_locate.py"],
}


def _distributed() -> None:
    fit_distributed(tiny(), lambda context: None, epochs=1, steps_per_epoch=1)


# Row with a no -> what is refused there.
REFUSED: dict[str, Callable[[], object]] = {
    "export to a SavedModel": lambda: export(tiny(), "network"),
    "export to LiteRT": lambda: export(tiny(), "network.tflite"),
    "export to `.pt2`": lambda: export(tiny(), "network.pt2"),
    "`fit_distributed`": _distributed,
    "`synchronize_batch_norm`": lambda: synchronize_batch_norm(tiny()),
    "`.` in `layer_prefix`": lambda: tiny(layer_prefix="my.net"),
}


def rows(page: Path) -> Iterator[tuple[str, list[bool]]]:
    """The rows of the page's table, and whether each backend has it."""
    for line in page.read_text(encoding="utf-8").splitlines():
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if set(cells) <= {"yes", "no", "是", "否"} and len(cells) == 3:
            yield name, [cell in ("yes", "是") for cell in cells]


TABLE = dict(rows(PAGE.with_suffix(".md")))
HERE = keras.backend.backend()


def test_the_table_names_what_is_tested() -> None:
    assert list(TABLE) == list(TESTS)
    assert {name for name, cells in TABLE.items() if not all(cells)} == set(REFUSED)
    for name, cells in TABLE.items():
        for file in TESTS[name]:
            text = (Path(__file__).parent / file).read_text(encoding="utf-8")
            assert not (all(cells) and "pytestmark = pytest.mark.tensorflow" in text), (name, file)
    assert [cells for _, cells in rows(PAGE.with_suffix(".zh.md"))] == list(TABLE.values())


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_backend_does_not_have_is_refused_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    has = dict(zip(BACKENDS, TABLE[name], strict=True))
    if has[HERE]:
        pytest.skip(f"Keras on {HERE} has it")
    with pytest.raises((ValueError, RuntimeError)) as error:
        REFUSED[name]()
    assert HERE in str(error.value)
    assert any(other in str(error.value) for other in has if has[other]) or "instead" in str(
        error.value
    )
    assert os.listdir() == []  # noqa: PTH208 - of the folder of the test
