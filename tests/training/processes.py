"""Python processes of a test that end with it."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DEADLINE = 150  # seconds, on a busy machine


def cluster(workers: int) -> list[dict[str, str]]:
    """The environments of processes that listen on free ports of this machine."""
    sockets = [socket.socket() for _ in range(workers)]
    for each in sockets:
        each.bind(("localhost", 0))
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return [
        {
            "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )
        }
        for index in range(workers)
    ]


@contextmanager
def running(script: Path, *calls: tuple[dict[str, str], list[Any]]) -> Iterator[list[Any]]:
    """A process for each environment and arguments; none outlives the block."""
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for environment, arguments in calls
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def finish(process: Any) -> str:
    """What a process prints that ends well."""
    printed, errors = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, errors
    return str(printed)


def wait_until(condition: Callable[[], bool], process: Any) -> None:
    """Wait for something that a process does."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.02)
