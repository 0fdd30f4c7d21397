"""New processes: scripts of their own, and the workers of a cluster."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 240  # timeout of a process


def printed_by(code: str, folder: Path) -> str:
    """What `code` prints as a script of its own."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def two_free_ports() -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def started(
    command: list[str], folder: Path, workers: int
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start the processes of a cluster; they are killed at the end."""
    cluster = {"worker": [f"localhost:{port}" for port in two_free_ports()]}
    processes = []
    for index in range(workers):
        task = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_NUM_INTEROP_THREADS": "1"}
        if workers > 1:
            environment["TF_CONFIG"] = json.dumps(task)
        processes.append(
            subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str], status: int = 0) -> str:
    """Wait for a process, check its status, and return its output."""
    printed, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == status, printed
    return printed
