"""A process that measures one task, a sample whenever it is told to.

The task is a line of JSON. After "ready", each line is answered with a sample or, at the end, null.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from .plan import COMMANDS, IMPORT_KERAS, Task

ROOT = Path(__file__).parents[1]


class MeasureError(RuntimeError):
    """A measurement that failed; the message is the last line of the process's errors."""


class Worker:
    """The process, from outside; an iterator of samples."""

    def __init__(self, task: Task, environment: Mapping[str, str]) -> None:
        self._errors: IO[str] = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        hidden = {"CUDA_VISIBLE_DEVICES": "-1"} if task.device == "cpu" else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            cwd=ROOT,
            env={**os.environ, **environment, **hidden},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._write(json.dumps(asdict(task)))

    def wait_until_ready(self) -> None:
        """Wait until its libraries are imported."""
        self._read()

    def __iter__(self) -> Iterator[Mapping[str, float]]:
        return self

    def __next__(self) -> Mapping[str, float]:
        self._write("next")
        sample = self._read()
        if sample is None:
            raise StopIteration
        return cast(Mapping[str, float], sample)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _write(self, line: str) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> MeasureError:
        status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines() or [f"ended with status {status}"]
        return MeasureError(lines[-1])


class Command:
    """A command as a process, from its start to its end; an iterator of samples."""

    def __init__(self, task: Task, environment: Mapping[str, str]) -> None:
        self._left = task.samples
        self._environment = {**os.environ, **environment}
        self._name = task.contender

    def wait_until_ready(self) -> None:
        """Run it once, so that its files are in the system's cache."""
        self._run()

    def __iter__(self) -> Iterator[Mapping[str, float]]:
        return self

    def __next__(self) -> Mapping[str, float]:
        if not self._left:
            raise StopIteration
        self._left -= 1
        return {"process start": self._run()}

    def close(self) -> None:
        """Nothing is left open."""

    def _run(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", *self._arguments(folder)],
                cwd=ROOT,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
            )
            seconds = time.perf_counter() - begin
        if done.returncode:
            raise MeasureError((done.stderr.strip().splitlines() or ["no message"])[-1])
        return seconds

    def _arguments(self, folder: str) -> list[str]:
        if self._name == IMPORT_KERAS:
            return [IMPORT_KERAS]
        # As the script that pip installs.
        script = "import sys; from resnet_builder.cli.main import main; sys.exit(main())"
        return [script, *(word.format(folder) for word in COMMANDS[self._name])]


def sampler(task: Task, environment: Mapping[str, str]) -> Worker | Command:
    """The process of a task."""
    return (Command if task.measure == "start" else Worker)(task, environment)


def main() -> None:
    """Measure, in the process."""
    # What libraries print must not be taken for a sample.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    from .contenders import CONTENDERS
    from .engines import ENGINES
    from .measures import MEASURES

    task = Task(**json.loads(sys.stdin.readline()))
    contender = CONTENDERS[task.contender]
    ENGINES[contender.engine].prepare(task)
    samples = MEASURES[task.measure](contender, task)
    print(json.dumps("ready"), file=replies, flush=True)
    for _ in sys.stdin:
        sample = next(samples, None)
        print(json.dumps(sample), file=replies, flush=True)
        if sample is None:
            break


if __name__ == "__main__":
    main()
