"""Mutation testing: what share of small faults in the code do the tests find?

    python -m tools.mutants --draw 400              # the tests nearest to each mutant
    python -m tools.mutants --draw 400 --everywhere # what is left: all tests of the default suite
    python -m tools.mutants --table                 # the results so far

It needs `pip install coverage mutmut`. mutmut makes the mutants: of each folder lines are drawn at
random, and of a line a kind of change and a change. They are not run as mutmut runs them, since it
switches mutants inside functions, and much of this library is tables. Here the changed module is
written into a copy of the repository, where a fork of a process that has imported TensorFlow runs
the tests. Tests that run the changed line come first, in the order of the time that they take: a
first run of each file of tests, under coverage, says which those are.

Not drawn are words for people (strings with a space), assignments that become None, which any test
of the line finds, and what mutmut leaves out: annotations, docstrings, decorators and functions
with a decorator. Results are kept in the folder `--work`, and
a second call goes on where the first stopped.
"""

import argparse
import contextlib
import csv
import fcntl
import hashlib
import importlib.util
import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from difflib import unified_diff
from functools import partial
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "src/resnet_builder"
# The folders that are mutated, and the tests beside each one's own that are nearest to it.
NEAREST = {
    "config": "tests/test_config.py tests/test_field_effects.py tests/plan tests/presets "
    "tests/model/test_assemble.py",
    "presets": "tests/plan tests/costs tests/weights/test_named.py tests/files/test_hub.py",
    "plan": "tests/presets tests/costs tests/pictures/sketch tests/test_builder.py",
    "model": "tests/test_builder.py tests/test_features.py",
    "costs": "",
    "weights": "tests/test_pretrained.py",
    "inference": "",
    "training": "",
}
# What the nearest tests of these need is imported before the first fork only for the others.
WITHOUT_TENSORFLOW = ("config", "presets", "plan")
# Survivors that change nothing that a user can see, and why.
HARMLESS = Path(__file__).with_name("harmless_mutants.csv")
FEWEST = 24  # mutants of a folder
# Tests of pages, scripts and benchmarks; some compare the text of the source.
LEFT_OUT = ("tests/docs", "tests/examples", "tests/benchmarks")
MEMORY = 8 * 2**30
UNREACHABLE = 4 * 3600.0


@dataclass(frozen=True)
class Mutant:
    """A change of one line.

    Attributes:
        nth: which of the equal lines of the module it is.
        inside: whether the line is in a function, so that coverage says which tests run it.
        code: the whole module with the change.
    """

    folder: str
    path: str
    line: int
    nth: int
    inside: bool
    diff: str
    code: str = field(repr=False)

    @property
    def name(self) -> str:
        """The module and the change, which stay the same while other lines change."""
        return f"{self.path}:{_digest(self.diff, self.nth)[:8]}"

    @property
    def place(self) -> str:
        """The line now."""
        return f"{self.path}:{self.line}"

    @property
    def change(self) -> tuple[str, str, str]:
        """The module, and its code before and after, as `HARMLESS` has them."""
        lines = self.diff.splitlines()
        before, after = (" ".join(x[1:].strip() for x in lines if x[0] == sign) for sign in "-+")
        return self.path.removeprefix(f"{PACKAGE}/"), before, after


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def shares(total: int) -> dict[str, int]:
    """How many mutants each folder gets: its share of the lines, and at least a few."""
    lines = {folder: sum(map(_count, _modules(folder))) for folder in NEAREST}
    least = FEWEST * total // 400
    return {of: max(least, round(total * n / sum(lines.values()))) for of, n in lines.items()}


def _count(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def drawn(folder: str, count: int, seed: int) -> list[Mutant]:
    """Mutants of a folder, one of a line.

    Lines come in the order of a hash of the seed and their text. So a larger `count` begins with
    the same mutants, and a change of the code draws few anew.
    """
    ranked = sorted(
        (_digest(seed, path, text, nth), changes)
        for path in _modules(folder)
        for text, nth, changes in _changes_by_line(folder, path)
    )
    mutants = []
    for digest, changes in ranked[:count]:
        rng = random.Random(digest)
        mutants.append(rng.choice(changes[rng.choice(sorted(changes))])())
    return mutants


Changes = dict[str, list[Callable[[], Mutant]]]


def _changes_by_line(folder: str, file: Path) -> Iterator[tuple[str, int, Changes]]:
    """Of each line its text, which of the equal lines it is, and its changes by kind."""
    from libcst import AnnAssign, Assign, FunctionDef, MetadataWrapper, SimpleString
    from libcst.metadata import PositionProvider
    from mutmut.mutation.file_mutation import create_mutations

    path, text = str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")
    lines = text.splitlines()
    module, mutations, *_ = create_mutations(path, text)
    positions = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)

    def mutant(change: Any, line: int, nth: int) -> Mutant:
        code = module.deep_replace(change.original_node, change.mutated_node).code
        diff = unified_diff(lines, code.splitlines(), n=0, lineterm="")
        inside = isinstance(change.contained_by_top_level_function, FunctionDef)
        return Mutant(folder, path, line, nth, inside, "\n".join([*diff][3:]), code)

    found: dict[int, Changes] = defaultdict(lambda: defaultdict(list))
    for mutation in mutations:
        node = mutation.original_node
        is_words = isinstance(node, SimpleString) and " " in node.value.strip("\"' ")
        if not (is_words or isinstance(node, Assign | AnnAssign)):
            line = positions[node].start.line
            nth = lines[: line - 1].count(lines[line - 1])
            found[line][type(node).__name__].append(partial(mutant, mutation, line, nth))
    for line, changes in found.items():
        yield lines[line - 1], lines[: line - 1].count(lines[line - 1]), changes


def _modules(folder: str) -> list[Path]:
    file = ROOT / PACKAGE / f"{folder}.py"
    return [file] if file.exists() else sorted(file.with_suffix("").rglob("*.py"))


@dataclass(eq=False)  # pytest wants a hash
class Plugin:
    """Runs the tests that are wanted in the order wanted, and notes what each one does.

    Attributes:
        order: the tests that may run, by their place; None means all.
        known: tests that are not wanted unless `order` has them.
        context: called with the name of each test before it runs.
    """

    order: dict[str, int] | None = None
    known: frozenset[str] = frozenset()
    context: Callable[[str], object] = lambda _: None
    seconds: dict[str, float] = field(default_factory=dict)
    passed: list[str] = field(default_factory=list)
    failed: str = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if (order := self.order) is not None:
            wanted = [
                item for item in items if item.nodeid in order or item.nodeid not in self.known
            ]
            items[:] = sorted(wanted, key=lambda item: order.get(item.nodeid, 0))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.context(nodeid)
        self.seconds[nodeid] = 0.0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] += report.duration
        if report.failed:
            self.failed = self.failed or report.nodeid
        elif report.when == "teardown":
            self.passed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed = self.failed or f"collection of {report.nodeid}"


def forked(tree: Path, work: Callable[[], Any], cpu: float) -> tuple[Any, float]:
    """What `work` returns in a fork whose folder is `tree`; None if it dies or takes longer."""
    answer, started = tree.with_suffix(".json"), time.monotonic()
    answer.unlink(missing_ok=True)
    if not (pid := os.fork()):
        with contextlib.suppress(BaseException):
            os.setsid()
            log = os.open(tree.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(tree)
            resource.setrlimit(resource.RLIMIT_CPU, (int(cpu) + 1, int(cpu) + 5))
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
            answer.write_text(json.dumps(work()), encoding="utf-8")
        os._exit(0)
    while not (gone := os.wait4(pid, os.WNOHANG))[0]:
        if time.monotonic() - started > 40 * cpu:  # it waits for something
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # processes that the tests have left
    used = gone[2].ru_utime + gone[2].ru_stime
    return (json.loads(answer.read_text()) if answer.exists() else None), used


def run_tests(files: Iterable[str], plugin: Plugin, *further: str) -> Plugin:
    """Run tests as CI does, in this process."""
    options = ["-q", "-n", "0", "--no-header", "--tb=short", "-p", "no:cacheprovider"]
    status = pytest.main([*options, *further, *sorted(files)], [plugin])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        plugin.failed = plugin.failed or str(status)
    return plugin


class Tests:
    """Which lines each test runs, and how long it takes, from a run of each file of tests."""

    def __init__(self, work: Path, tree: Path) -> None:
        self._work, self.tree = work, tree
        self._maps: dict[str, dict[str, Any]] = {}
        files = [*(ROOT / PACKAGE).rglob("*.*"), *(ROOT / "tests").glob("*.py")]
        # Of everything that a test may run; a test that fails without a mutant tells nothing.
        self._code = _digest(*(p.read_bytes() for p in sorted(files) if p.suffix != ".pyc"))

    @staticmethod
    def units(paths: Iterable[str]) -> list[str]:
        """Files of tests, and folders and modules of the package with examples in docstrings."""
        found = []
        for path in paths:
            is_folder = path.startswith("tests") and (ROOT / path).is_dir()
            found += sorted((ROOT / path).rglob("test_*.py")) if is_folder else [ROOT / path]
        return [str(path.relative_to(ROOT)) for path in found if path.exists()]

    @classmethod
    def nearest(cls, folder: str) -> list[str]:
        own = [f"tests/{folder}", f"{PACKAGE}/{folder}", f"{PACKAGE}/{folder}.py"]
        return cls.units([*own, *NEAREST[folder].split()])

    @classmethod
    def everywhere(cls) -> list[str]:
        package = sorted(
            {path.relative_to(ROOT / PACKAGE).parts[0] for path in (ROOT / PACKAGE).rglob("*.py")}
        )
        found = cls.units(["tests", *(f"{PACKAGE}/{part}" for part in package)])
        return [unit for unit in found if not unit.startswith(LEFT_OUT)]

    def of(self, unit: str) -> dict[str, Any]:
        """The tests of a unit: their seconds, and the tests of each line of each module."""
        if unit not in self._maps:
            own = (ROOT / unit).read_bytes() if (ROOT / unit).is_file() else b""
            digest = _digest(self._code, own)[:8]
            cache = self._work / "tests" / f"{unit.replace('/', '.')}.{digest}"
            if not cache.exists():
                found, seconds = forked(self.tree, lambda: self._traced(unit), UNREACHABLE)
                if found is None:
                    sys.exit(f"{unit} stops: see {self.tree.with_suffix('.log')}")
                print(f"{unit}: {len(found['seconds'])} tests, {seconds:.0f} s", flush=True)
                cache.write_text(json.dumps(found), encoding="utf-8")
            self._maps[unit] = json.loads(cache.read_text())
        return self._maps[unit]

    def _traced(self, unit: str) -> dict[str, Any]:
        from coverage import Coverage

        coverage = Coverage(None, source=[str(self.tree / PACKAGE)], config_file=False)
        coverage.start()
        plugin = run_tests([unit], Plugin(context=coverage.switch_context))
        coverage.stop()
        if plugin.failed:
            print(f"{unit}: {plugin.failed} fails without a mutant", file=sys.__stderr__)
        numbers = {test: number for number, test in enumerate(plugin.passed)}
        lines = {}
        for file in (data := coverage.get_data()).measured_files():
            lines[str(Path(file).relative_to(self.tree))] = {
                line: numbered
                for line, tests in data.contexts_by_lineno(file).items()
                if (numbered := [numbers[test] for test in tests if test in numbers])
            }
        passed = {test: plugin.seconds[test] for test in numbers}
        return {"seconds": passed, "lines": lines, "left": [*plugin.seconds.keys() - numbers]}

    def ordered(self, mutant: Mutant, units: Iterable[str]) -> dict[str, float]:
        """The tests of `units` and their seconds: those that run the line, then the module."""
        keys = {}
        seconds: dict[str, float] = {}
        for near, unit in enumerate(units):
            found = self.of(unit)
            tests = list(found["seconds"])
            lines = found["lines"].get(mutant.path, {})
            of_line = {tests[n] for n in lines.get(str(mutant.line), ())}
            of_module = {tests[n] for numbers in lines.values() for n in numbers}
            seconds |= found["seconds"]
            for test in tests:
                first = test in of_line and mutant.inside
                keys[test] = (not first, test not in of_module, seconds[test] + near / 1000)
        return {test: seconds[test] for test in sorted(keys, key=keys.__getitem__)}


class Results:
    """The file of results: one line for each run of a mutant."""

    def __init__(self, work: Path) -> None:
        self._file = work / "results.jsonl"
        self.passed: dict[str, set[str]] = defaultdict(set)
        self.killed: dict[str, str] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        if self._file.exists():
            for line in self._file.read_text().splitlines():
                self._read(json.loads(line))

    def _read(self, row: dict[str, Any]) -> None:
        self.passed[row["mutant"]] |= set(row["passed"])
        self.seconds[row["mutant"]] += row["seconds"]
        if row["killed"]:
            self.killed[row["mutant"]] = row["killed"]

    def add(self, row: dict[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        self._read(row)


def tried(mutant: Mutant, tree: Path, tests: dict[str, float], known: frozenset[str]) -> Any:
    """Run `tests` on a mutant until one fails: the row of its results."""
    order = {test: number for number, test in enumerate(tests)}

    def work() -> dict[str, Any]:
        sys.dont_write_bytecode = True  # two mutants in one second would be one to Python
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        plugin = Plugin(order, known)
        run_tests({test.split("::")[0] for test in tests}, plugin, "-x")
        return {"killed": plugin.failed, "passed": plugin.passed}

    with in_place(tree / mutant.path, mutant.code):
        found, seconds = forked(tree, work, 60 + 6 * sum(tests.values()))
    return {"mutant": mutant.name, "seconds": round(seconds, 1)} | (
        found or {"killed": "no end, or no answer", "passed": []}
    )


@contextlib.contextmanager
def in_place(file: Path, code: str) -> Iterator[None]:
    """Let a module be another for the `with` block; its compiled code is put aside."""
    original = file.with_suffix(".original")
    compiled = Path(importlib.util.cache_from_source(str(file)))
    aside = compiled.with_suffix(".original")
    file.rename(original)
    if compiled.exists():
        compiled.rename(aside)
    try:
        file.write_text(code, encoding="utf-8")
        yield
    finally:
        compiled.unlink(missing_ok=True)
        original.rename(file)
        if aside.exists():
            aside.rename(compiled)


def pieces(tests: dict[str, float], most: float) -> Iterator[dict[str, float]]:
    """The tests in parts of growing length, up to `most` seconds altogether."""
    piece: dict[str, float] = {}
    spent = 0.0
    for test, seconds in tests.items():
        if spent + seconds > most:
            break
        spent += seconds
        piece[test] = seconds
        if sum(piece.values()) > max(5, spent / 2):
            yield piece
            piece = {}
    if piece:
        yield piece


def run(mutants: list[Mutant], work: Path, options: argparse.Namespace) -> None:
    """Run what is not decided, and print each result."""
    with copied(work) as tree:
        _run(mutants, Tests(work, tree), Results(work), options)


def _run(
    mutants: list[Mutant], tests: "Tests", results: "Results", options: argparse.Namespace
) -> None:
    for number, mutant in enumerate(mutants):
        if mutant.name in results.killed:
            continue
        if mutant.folder not in WITHOUT_TENSORFLOW or options.everywhere:
            import keras  # noqa: F401
        units = tests.nearest(mutant.folder)
        units += [u for u in Tests.everywhere() if u not in units] if options.everywhere else []
        units = [unit for unit in units if not unit.startswith(tuple(options.without))]
        ordered = tests.ordered(mutant, units)
        left = {t: s for t, s in ordered.items() if t not in results.passed[mutant.name]}
        known = frozenset(ordered).union(*(tests.of(unit)["left"] for unit in units))
        for piece in pieces(left, options.seconds):
            results.add(row := tried(mutant, tests.tree, piece, known))
            if row["killed"]:
                break
        end = results.killed.get(mutant.name, "SURVIVES")
        spent = results.seconds[mutant.name]
        print(f"{number + 1}/{len(mutants)} {mutant.place} {end} ({spent:.0f} s)", flush=True)


@contextlib.contextmanager
def copied(work: Path) -> Iterator[Path]:
    """The files of the repository as they are now, in a folder that no other process uses."""
    for number in itertools.count():
        tree = work / f"tree{number}"
        tree.mkdir(exist_ok=True)
        lock = os.open(tree, os.O_RDONLY)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        os.close(lock)
    for left in tree.rglob("*.original"):  # of a process that was killed
        left.unlink()
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(lambda name: (ROOT / name).exists(), listed.stdout.decode().splitlines()):
        new, old = tree / name, ROOT / name
        if not new.exists() or new.stat().st_mtime != old.stat().st_mtime:
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(old, new)
    os.environ["PYTHONPATH"] = str(tree / "src")
    subprocess.run([sys.executable, "-m", "compileall", "-q", tree / "src"], check=True)
    # The forks import the copy.
    sys.path[:] = [str(tree / "src"), str(tree), *(p for p in sys.path if not _is_of_root(p))]
    for module in [name for name in sys.modules if name.split(".")[0] in ("tools", "tests")]:
        del sys.modules[module]
    yield tree
    os.close(lock)


def _is_of_root(path: str) -> bool:
    return Path(path or ".").resolve() in (ROOT, ROOT / "src")


def print_table(mutants: list[Mutant], results: Results) -> None:
    """How many mutants of each folder were drawn and killed, and those that survive."""
    with HARMLESS.open(encoding="utf-8", newline="") as file:
        reasons = {
            (row["path"], row["before"], row["after"]): row["why"] for row in csv.DictReader(file)
        }
    alive = [m for m in mutants if m.name not in results.killed]
    print("| folder | drawn | killed | | survivors that change nothing |\n|---|---|---|---|---|")
    for folder in [*dict.fromkeys(mutant.folder for mutant in mutants), ""]:
        own = [m for m in mutants if folder in ("", m.folder)]
        left = [m for m in alive if m in own]
        harmless = sum(m.change in reasons and m.name in results.passed for m in left)
        killed = len(own) - len(left)
        share = killed / max(1, len(own))
        print(f"| {folder or 'all'} | {len(own)} | {killed} | {share:.1%} | {harmless} |")
    for mutant in alive:
        known = reasons.get(mutant.change) or (
            "survives" if results.passed[mutant.name] else "not run"
        )
        print(f"\n{mutant.place}: {known}\n{mutant.diff}")


def kept(work: Path, folder: str, count: int, seed: int) -> list[Mutant]:
    """The mutants of a folder, from a file if its code is as it was."""
    digest = _digest(*(path.read_bytes() for path in _modules(folder)))[:8]
    file = work / f"{folder}_{count}_{seed}_{digest}.json"
    if not file.exists():
        rows = [asdict(mutant) for mutant in drawn(folder, count, seed)]
        file.write_text(json.dumps(rows), encoding="utf-8")
    return [Mutant(**row) for row in json.loads(file.read_text(encoding="utf-8"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--draw", type=int, default=400, help="mutants of all folders together")
    parser.add_argument("--seed", type=int, default=20261129)
    parser.add_argument("--only", nargs="*", choices=NEAREST, default=list(NEAREST), help="folders")
    parser.add_argument(
        "--everywhere", action="store_true", help="all tests, not the nearest alone"
    )
    parser.add_argument("--without", nargs="*", default=[], help="files of tests for a later call")
    parser.add_argument("--seconds", type=float, default=UNREACHABLE, help="of tests, of a mutant")
    parser.add_argument("--work", type=Path, default=ROOT / ".venv-mutants", help="folder")
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args()
    work = options.work.resolve()
    (work / "tests").mkdir(parents=True, exist_ok=True)
    mutants = [
        mutant
        for folder, count in shares(options.draw).items()
        if folder in options.only
        for mutant in kept(work, folder, count, options.seed)
    ]
    if not options.table:
        run(mutants, work, options)
    print_table(mutants, Results(work))


if __name__ == "__main__":
    main()
