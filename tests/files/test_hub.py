"""Downloads, from a server on this machine that speaks the hub's protocol."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save

from resnet_builder import profile
from resnet_builder.common.hub import is_repository

from ..weights.checkpoint_recipe import checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# As timm/resnet18.tv_in1k has it, in part.
SMALL = json.dumps(
    {
        "architecture": "resnet18",
        "num_classes": 1000,
        "pretrained_cfg": {
            "input_size": [3, 224, 224],
            "interpolation": "bilinear",
            "crop_pct": 0.875,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
    }
).encode()
CONTENT = save(checkpoint("torchvision_resnet18"))


class Hub(ThreadingHTTPServer):
    """One repository; `faults` are how often a download breaks off in the middle."""

    faults = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []
        self.files = {"model.safetensors": CONTENT}
        self.stated: dict[str, str] = {}  # SHA-256 of files; default: the right one

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        self.server.asked.append(f"{self.command} {self.headers.get('Range', '')}".strip())
        found = re.fullmatch(r"/timm/resnet18/resolve/([^/]+)/(.+)", self.path)
        if not found or found[2] not in self.server.files or found[1] == "nowhere":
            other_file = self.path.startswith("/timm/resnet18/")
            self.send_response(404)
            error = "EntryNotFound" if other_file else "RepoNotFound"
            error = "RevisionNotFound" if found and found[1] == "nowhere" else error
            self.send_header("X-Error-Code", error)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        whole = self.server.files[found[2]]
        start = 0
        if body and (asked := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))):
            start = int(asked[1])
        content = whole[start:]
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        # Small files are named by their SHA-1.
        right = hashlib.sha1 if found[2].endswith(".json") else hashlib.sha256
        etag = self.server.stated.get(found[2], right(whole).hexdigest())
        self.send_header("ETag", f'"{etag}"')
        self.send_header("Content-Length", str(len(content)))
        if start:
            size = len(whole)
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        if not body:
            return
        if self.server.faults:
            self.server.faults -= 1
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.connection.close()
        else:
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def download(
    hub: "Hub | Unreachable | None",
    cache: Path,
    source: str = "timm/resnet18",
    *,
    offline: bool = True,
) -> str:
    return in_a_new_process(
        hub,
        cache,
        "from resnet_builder.files.opening import from_hub",
        f'print(from_hub({source!r}).stat().st_size, "bytes")',
        offline=offline,
    )


def in_a_new_process(
    hub: "Hub | Unreachable | None", cache: Path, imports: str, code: str, *, offline: bool = True
) -> str:
    """What it prints, for huggingface_hub reads its settings when it is imported.

    Without a hub it is offline by huggingface_hub's setting, or else waits for one in vain.
    """
    code = f"""
{imports}
try:
    {code}
except Exception as error:
    print(type(error).__name__, error)
"""
    environment = os.environ | {
        "HF_ENDPOINT": hub.endpoint if hub else "http://127.0.0.1:9",
        "HF_HOME": str(cache),
        "HF_HUB_OFFLINE": "1" if hub is None and offline else "0",
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def blobs(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("blobs/*") if path.is_file()]


def test_first_download_then_from_the_cache(hub: Hub, tmp_path: Path) -> None:
    whole = f"{len(CONTENT)} bytes"
    assert download(hub, tmp_path) == whole
    assert "GET" in hub.asked
    assert download(None, tmp_path) == whole  # nobody answers at that address
    hub.asked.clear()
    assert download(hub, tmp_path, f"timm/resnet18@{COMMIT}") == whole
    assert "GET" not in hub.asked


def test_an_interrupted_download_is_resumed(hub: Hub, tmp_path: Path) -> None:
    hub.faults = 1
    assert download(hub, tmp_path) == f"{len(CONTENT)} bytes"
    ranges = [asked for asked in hub.asked if asked.startswith("GET bytes=")]
    assert len(ranges) == 1
    assert ranges != ["GET bytes=0-"]


def test_a_wrong_checksum_is_refused(hub: Hub, tmp_path: Path) -> None:
    flipped = bytearray(CONTENT)
    flipped[-1] ^= 1
    hub.files["model.safetensors"] = bytes(flipped)
    hub.stated["model.safetensors"] = hashlib.sha256(CONTENT).hexdigest()
    assert download(hub, tmp_path).startswith(
        "ValueError the download of 'timm/resnet18' is broken: its SHA-256"
    )
    assert not blobs(tmp_path)
    hub.files["model.safetensors"] = CONTENT
    assert download(hub, tmp_path) == f"{len(CONTENT)} bytes"


@pytest.mark.parametrize("offline", [True, False])
def test_offline(offline: bool, tmp_path: Path) -> None:
    message = download(None, tmp_path, offline=offline)
    assert message.startswith("ConnectionError 'timm/resnet18' is not in the cache and")
    assert "download model.safetensors from https://huggingface.co/timm/resnet18" in message


class Unreachable(ThreadingHTTPServer):
    """Closes every connection without a word, as a firewall does."""

    connections = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        self.shutdown_request(request)


def test_an_unreachable_hub_is_asked_once(tmp_path: Path) -> None:
    server = Unreachable()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    message = download(server, tmp_path)
    server.shutdown()
    server.server_close()
    assert "the Hugging Face Hub cannot be reached" in message
    assert server.connections == 1


def test_what_is_not_there(hub: Hub, tmp_path: Path) -> None:
    message = download(hub, tmp_path, "nobody/nothing")
    assert message.startswith(
        "FileNotFoundError there is no file or folder 'nobody/nothing' here, and no"
    )
    message = download(hub, tmp_path, "timm/resnet18@nowhere")
    assert message.startswith(
        "FileNotFoundError there is no file or folder 'timm/resnet18@nowhere' here"
    )
    hub.files.clear()
    message = download(hub, tmp_path / "new")
    assert message == (
        "FileNotFoundError 'timm/resnet18' has none of model.safetensors, pytorch_model.bin, "
        "open_clip_model.safetensors, model.safetensors.index.json, pytorch_model.bin.index.json, "
        "model.weights.h5"
    )


def test_an_older_repository(hub: Hub, tmp_path: Path) -> None:
    hub.files = {"pytorch_model.bin": CONTENT}
    whole = f"{len(CONTENT)} bytes"
    assert download(hub, tmp_path) == whole
    assert download(None, tmp_path) == whole


def test_a_checkpoint_in_several_files(hub: Hub, tmp_path: Path) -> None:
    names = list(checkpoint("torchvision_resnet18"))
    parts = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {name: parts[number % 2] for number, name in enumerate(names)}
    index = "model.safetensors.index.json"
    content = checkpoint("torchvision_resnet18")
    hub.files = {
        part: save({name: content[name] for name in names if places[name] == part})
        for part in parts
    }
    hub.files[index] = json.dumps({"weight_map": places}).encode()
    imports = "from resnet_builder.files.opening import opened"
    code = 'with opened("timm/resnet18") as file: print(float(file.read("fc.bias")[0]))'
    expected = str(float(content["fc.bias"][0]))
    for asked in (hub, None):  # then from the cache
        assert in_a_new_process(asked, tmp_path, imports, code) == expected
    del hub.files[parts[1]]
    message = in_a_new_process(hub, tmp_path / "new", imports, code)
    assert message.startswith("FileNotFoundError cannot load ")
    assert message.endswith(f"{index}: its file {parts[1]} is missing")
    hub.files[index] = b'{"weight_map": {"a": "../../elsewhere"}}'
    message = in_a_new_process(hub, tmp_path / "elsewhere", imports, code)
    assert "names the file '../../elsewhere', which is not in its folder" in message


def test_a_preset_of_keras_hub(hub: Hub, tmp_path: Path) -> None:
    imports = """
import os
from resnet_builder.files.opening import from_hub
"""
    code = 'print(*sorted(os.listdir(from_hub("timm/resnet18"))))'
    hub.files = {"model.weights.h5": b"backbone", "config.json": SMALL, "task.json": SMALL}
    for asked in (hub, None):  # then from the cache
        answered = in_a_new_process(asked, tmp_path / "backbone", imports, code)
        assert answered == "config.json model.weights.h5"
    hub.files["task.weights.h5"] = b"head"
    answered = in_a_new_process(hub, tmp_path / "whole", imports, code)
    assert answered == "config.json model.weights.h5 task.weights.h5"
    hub.files["model.safetensors"] = CONTENT
    assert download(hub, tmp_path / "both") == f"{len(CONTENT)} bytes"


def test_a_cache_that_cannot_be_made(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = download(hub, tmp_path / "file")
    assert "Not a directory" in message
    assert "cannot be reached" not in message


def test_a_repository_without_a_config(hub: Hub, tmp_path: Path) -> None:
    message = in_a_new_process(
        hub,
        tmp_path,
        "from resnet_builder.common.hub import download",
        'download("timm/resnet18", ["config.json"])',
    )
    assert message.startswith("FileNotFoundError 'timm/resnet18' has none of config.json")


def test_a_repository_names_its_network_and_its_preprocessing(hub: Hub, tmp_path: Path) -> None:
    hub.files["config.json"] = SMALL
    imports = """
import json
import numpy as np
from resnet_builder import ResnetBuilder, preprocessing
def built(name):
    model = ResnetBuilder.from_preset(name, (32, 32, 3))
    return model.name, model.output_shape, float(model.get_layer("stem_bn").gamma[0])
image = np.full((1, 300, 400, 3), 255.0)
def pixel(name):
    return np.asarray(preprocessing(name)(image))[0, 5, 7].tolist()
"""
    code = 'print(json.dumps([*built("timm/resnet18"), pixel("timm/resnet18")]))'
    answered = in_a_new_process(hub, tmp_path, imports, code).splitlines()[-1]
    gamma = float(checkpoint("torchvision_resnet18")["bn1.weight"][0])
    white = [(1 - m) / s for m, s in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    *network, found = json.loads(answered)
    assert network == ["resnet18", [None, 1000], gamma]
    assert found == pytest.approx(white, abs=1e-3)
    # From the cache, and from an empty one; counting needs no TensorFlow.
    imports, code = (
        "from resnet_builder import profile",
        "print(profile('timm/resnet18').parameters)",
    )
    counted = profile("resnet18").parameters
    assert in_a_new_process(None, tmp_path, imports, code) == f"{counted}"
    message = in_a_new_process(None, tmp_path / "empty", imports, code)
    assert message.startswith("ConnectionError 'timm/resnet18' is not in list_weights(), and its")


def test_a_checkpoint_of_the_table_is_found_in_the_cache(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--timm--resnet18.tv_in1k"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    (snapshot / "model.safetensors").write_bytes(CONTENT)
    imports = "from resnet_builder.files.opening import opened"
    code = 'print(float(opened("resnet18.tv_in1k").__enter__().read("bn1.weight")[0]))'
    gamma = float(checkpoint("torchvision_resnet18")["bn1.weight"][0])
    assert in_a_new_process(None, tmp_path, imports, code) == f"{gamma}"


def test_what_reads_as_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_repository("timm/resnet18.tv_in1k")
    assert is_repository("timm/resnet18.tv_in1k@v1.0")
    paths = [
        "model.safetensors",
        "nowhere/net.PTH",
        "./timm/resnet18",
        "nowhere/net.keras",
        "a/b/c",
        Path("timm/net"),
    ]
    assert not any(map(is_repository, paths))
    (tmp_path / "timm").mkdir()
    assert not is_repository("timm/resnet18")
