"""Files of PyTorch, and dicts of more than one state dict."""

import argparse
import collections
import datetime
import os
import pathlib
import pickle
import types
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from resnet_builder import load_weights
from resnet_builder.files.opening import opened

from ..helpers import assert_same_weights, tiny
from .tensor_recipe import arrays

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def tensors(added: float = 0) -> dict[str, Any]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays(added).items()}


def named(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    return {prefix + name: tensor for name, tensor in tensors.items()}


@pytest.fixture(scope="module")
def averaged() -> keras.Model:
    return tiny(weights=arrays(1))


# Several state dicts in one file -----------------------------------------------------------------

RAW, EMA = tensors(), tensors(1)
OPTIMIZER = {
    "state": {number: {"exp_avg": tensor} for number, tensor in enumerate(RAW.values())},
    "param_groups": [{"lr": 0.1, "params": [0, 1]}],
}
# The files of timm (utils/checkpoint_saver.py), torchvision (references/classification), mmengine
# (hooks/ema_hook.py), of ultralytics' kind, and those of the repositories that copy them.
TWO_NETWORKS: dict[str, tuple[dict[str, Any], str, str]] = {
    "timm": (
        {"state_dict": RAW, "state_dict_ema": EMA, "optimizer": OPTIMIZER},
        "state_dict.",
        "state_dict_ema.",
    ),
    "torchvision": (
        {"model": RAW, "model_ema": named("module.", EMA), "optimizer": OPTIMIZER, "epoch": 3},
        "model.",
        "model_ema.module.",
    ),
    "mmengine": (
        {"state_dict": RAW, "ema_state_dict": named("module.", EMA)},
        "state_dict.",
        "ema_state_dict.module.",
    ),
    "module": ({"model": RAW, "ema": {"module": EMA, "updates": 7}}, "model.", "ema.module."),
    "teacher": (
        {"state_dict": named("module.", RAW), "teacher": EMA},
        "state_dict.module.",
        "teacher.",
    ),
    "net": ({"net": RAW, "net_ema": EMA}, "net.", "net_ema."),
    "callback": (
        {"state_dict": RAW, "callbacks": [{"ema_weights": EMA}]},
        "state_dict.",
        "callbacks.0.ema_weights.",
    ),
}


@pytest.mark.parametrize("file", TWO_NETWORKS)
def test_of_two_networks_the_average_is_taken_if_asked(
    file: str, model: keras.Model, plain: keras.Model, averaged: keras.Model
) -> None:
    content, raw, ema = TWO_NETWORKS[file]
    for kept, left, right in ((raw, ema, plain), (ema, raw, averaged)):
        for options in ({"skip": f"{left}*"}, {"ema": right is averaged}):
            report = load_weights(model, content, **options)
            assert_same_weights(model, right)
            assert report.prefix == kept
            weights = {name for name in named(left, RAW) if "num_batches" not in name}
            assert weights <= set(report.unused)
            assert bool(report.notes) == ("ema" in options)


ONE_NETWORK: dict[str, tuple[dict[str, Any], set[str]]] = {
    "timm": ({"state_dict": RAW, "optimizer": OPTIMIZER, "metric": 71.0}, {"optimizer"}),
    "imagenet example": (
        {
            "state_dict": named("module.", RAW),
            "best_acc1": torch.tensor(71.0),
            "optimizer": OPTIMIZER,
            "criterion": {"weight": torch.ones(5)},
        },
        {"optimizer", "criterion"},
    ),
    "lightning": (
        {"state_dict": named("model.", RAW), "optimizer_states": [OPTIMIZER], "loops": {}},
        {"optimizer_states"},
    ),
    "cifar": ({"net": RAW, "acc": torch.tensor(71.0), "rng": torch.ones(9)}, {"rng"}),
    "an empty one first": ({"state_dict": {}, "model": RAW}, set()),
    "a number of NumPy": ({"model": RAW, "best": np.float64(71)}, set()),
}


@pytest.mark.parametrize("file", ONE_NETWORK)
def test_one_network_loads_and_what_is_beside_it_is_reported(
    file: str, model: keras.Model, plain: keras.Model
) -> None:
    content, beside = ONE_NETWORK[file]
    report = load_weights(model, content)
    assert_same_weights(model, plain)
    assert {name.partition(".")[0] for name in report.unused} == beside
    if beside:
        skipped = load_weights(model, content, skip=[f"{part}*" for part in beside])
        assert set(skipped.unused) == set(report.unused)


def test_a_head_beside_a_network_without_one(plain: keras.Model) -> None:
    head = {name: tensor for name, tensor in RAW.items() if name.startswith("fc.")}
    rest = {name: tensor for name, tensor in RAW.items() if name not in head}
    body = tiny(include_top=False)
    report = load_weights(body, {"model": head, "backbone": rest})
    np.testing.assert_array_equal(body.weights[0].numpy(), plain.weights[0].numpy())
    assert set(report.unused) == {"model.fc.weight", "model.fc.bias"}


def endless(way: str) -> dict[str, Any]:
    inner: dict[str, Any] = {"w": np.ones(1)}
    if way == "within itself":
        inner["inner"] = inner
    for _ in range({"deep": 3000, "doubling": 60}.get(way, 0)):
        inner = {"a": inner, "b": inner if way == "doubling" else 1}
    return inner


@pytest.mark.parametrize("way", ["within itself", "deep", "doubling"])
def test_dicts_without_end(way: str, model: keras.Model) -> None:
    with pytest.raises(ValueError, match="its dicts are nested without end"):
        load_weights(model, endless(way))


def test_names_that_are_met_twice(model: keras.Model) -> None:
    with pytest.raises(ValueError, match=r"two of its tensors are named a\.b"):
        load_weights(model, {"a.b": np.ones(1), "a": {"b": np.ones(2)}})


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_tensors_without_a_shape(model: keras.Model, tmp_path: Path) -> None:
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    torch.save({"odd": nested}, tmp_path / "net.pth")
    for source in ({"odd": nested}, tmp_path / "net.pth"):
        with pytest.raises(ValueError, match=r"odd is no array of one shape$"):
            load_weights(model, source)


# Files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_zip", [True, False])
def test_what_training_scripts_save_beside_the_tensors(
    is_zip: bool, model: keras.Model, plain: keras.Model, tmp_path: Path
) -> None:
    content = {
        "state_dict": tensors(),
        "args": argparse.Namespace(data=Path("data"), lr=0.1, tags=["a"]),
        "options": types.SimpleNamespace(out=pathlib.PureWindowsPath("c:/out")),
        "best": np.float64(91.2),
        "epoch": np.int64(3),
        "kind": np.dtype("float32"),
        "history": collections.defaultdict(list, {"loss": [1.0]}),
        "last": collections.deque([1, 2]),
        "count": collections.Counter("aab"),
        "when": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
        "took": datetime.timedelta(1),
        "curve": np.arange(6, dtype=">f4").reshape(2, 3),
    }
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=is_zip)
    report = load_weights(model, tmp_path / "net.pth")
    assert_same_weights(model, plain)
    assert report.unused == ("curve",)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_arrays_of_numpy_in_a_file_of_pytorch(order: Any, dtype: str, tmp_path: Path) -> None:
    content = {name: np.array(array.astype(dtype), order=order) for name, array in arrays().items()}
    torch.save({"state_dict": content}, tmp_path / "net.pth")
    read, given = tiny(), tiny()
    load_weights(read, tmp_path / "net.pth")
    load_weights(given, content)
    assert_same_weights(read, given)


class Running:
    """What runs when it is unpickled, by one of the ways of pickle."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


HOSTILE = {
    "a function": (os.mkdir, ("made",)),
    "a method of an allowed class": (Path.mkdir, (Path("made"),)),
    "code": (eval, ("__import__('os').mkdir('made')",)),
    "an array without its content": (np.empty(0).__reduce__()[0], (np.ndarray, (9,), b"b")),
    "an array of objects": np.array([None, {}, [], 1, ""], dtype=object).__reduce__(),
}


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("way", HOSTILE)
def test_nothing_in_a_file_runs(
    way: str, is_zip: bool, model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": tensors() | {"fc.bias": Running(*HOSTILE[way])}}
    torch.save(content, "net.pth", _use_new_zipfile_serialization=is_zip)
    with pytest.raises(ValueError, match=r"^cannot load net\.pth: "):
        load_weights(model, "net.pth")
    assert not Path("made").exists()


class Holder(torch.nn.Module):  # type: ignore[name-defined]
    """A network as modules in one another, by the dots in the names of its tensors."""

    def __init__(self) -> None:
        super().__init__()
        for name, tensor in RAW.items():
            *around, last = name.split(".")
            inside: Any = self
            for part in around:
                if not hasattr(inside, part):
                    inside.add_module(part, torch.nn.Identity())
                inside = getattr(inside, part)
            inside.register_buffer(last, tensor)


def write_forms(folder: Path) -> None:
    """The network as PyTorch and pickle write it."""
    for form, content in {"state_dict": RAW, "module": Holder()}.items():
        for protocol in (2, 4, 5):
            for is_zip in (True, False):
                options = {"_use_new_zipfile_serialization": is_zip, "pickle_protocol": protocol}
                torch.save(content, folder / f"{form}{protocol}{is_zip}.pth", **options)
            (folder / f"{form}{protocol}.pkl").write_bytes(pickle.dumps(content, protocol))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.save(torch.jit.script(Holder()), folder / "script.pt")


def test_every_form_of_a_network(model: keras.Model, plain: keras.Model, tmp_path: Path) -> None:
    write_forms(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        load_weights(model, path)
        assert_same_weights(model, plain)


@pytest.mark.parametrize("is_zip", [True, False])
def test_tensors_are_those_that_pytorch_reads(is_zip: bool, tmp_path: Path) -> None:
    base = torch.arange(240.0)
    content = {
        "half": base[:6].half(),
        "bfloat16": base[:6].div(4).bfloat16().view(2, 3),
        "double": base.double()[3:9],
        "complex": torch.complex(base[:4], base[4:8]),
        "transposed": base.view(4, 5, 12).permute(2, 0, 1)[1::2, :, 2],
        "expanded": base[:1].expand(3, 7),
        "channels last": base.view(2, 3, 5, 8).to(memory_format=torch.channels_last),
        "parameter": torch.nn.Parameter(base[7:9]),
        "scalar": base[5],
        "empty": base[:0].view(0, 4),
        "bool": base[:4] > 1,
    }
    torch.save(content, tmp_path / "net.pth", _use_new_zipfile_serialization=is_zip)
    expected = torch.load(tmp_path / "net.pth", weights_only=True)
    with opened(tmp_path / "net.pth") as checkpoint:
        assert set(checkpoint.shapes) == set(content)
        for name, tensor in expected.items():
            array = checkpoint.read(name)
            assert array.dtype.name == str(tensor.dtype).removeprefix("torch.")
            is_narrow = tensor.dtype == torch.bfloat16
            right = (tensor.float() if is_narrow else tensor).detach().numpy()
            np.testing.assert_array_equal(array.astype(right.dtype), right)


def files_that_are_refused(folder: Path) -> dict[str, str]:
    """Files of other kinds by what is said about them."""
    torch.save(RAW, folder / "cut.pth", _use_new_zipfile_serialization=False)
    whole = (folder / "cut.pth").read_bytes()
    for size in (20, 300, len(whole) - 100):
        (folder / f"cut{size}.pth").write_bytes(whole[:size])
    torch.save(list(RAW.values()), folder / "list.pth")
    torch.save({"a": Running(os.mkdir, ("made",))}, folder / "running.pth")
    np.save(folder / "net.npy", np.ones(3))
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    return {
        "cut?*.pth": "it is not a whole PyTorch checkpoint of tensors only",
        "list.pth": "it holds list, not tensors by name",
        "running.pth": r"its pickle calls posix\.mkdir, .* pass the dict of its tensors",
        "net.npy": "a single array of NumPy",
        "*.json": "the index of a checkpoint in several files",
    }


def test_the_advice_is_our_own(model: keras.Model, tmp_path: Path) -> None:
    for pattern, message in files_that_are_refused(tmp_path).items():
        paths = list(tmp_path.glob(pattern))
        assert paths
        for path in paths:
            with pytest.raises(ValueError, match=message) as raised:
                load_weights(model, path)
            for advice in ("weights_only", "issue", "add_safe_globals", "\n"):
                assert advice not in str(raised.value), path.name
