"""Runs of groups: contenders by turns, so that what disturbs the machine disturbs them alike."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from .contenders import reason_to_skip
from .plan import Group, Task
from .worker import Command, MeasureError, Worker, sampler

Reason = Callable[[Task], str]


@dataclass(frozen=True)
class Pair:
    """The samples of two contenders that were measured by turns."""

    first: list[float]
    second: list[float]

    @property
    def ratios(self) -> list[float]:
        """The ratio of each sample to the one beside it."""
        return [first / second for first, second in zip(self.first, self.second, strict=False)]


@dataclass
class Measured:
    """What was measured of a group.

    Attributes:
        samples: by quantity and contender.
        skipped: reasons by contender.
    """

    group: Group
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def pair(self, quantity: str, first: str, second: str) -> Pair | None:
        """The samples of two contenders; None if one has none."""
        samples = self.samples.get(quantity, {})
        if first in samples and second in samples:
            return Pair(samples[first], samples[second])
        return None

    def median(self, quantity: str, contender: str) -> float:
        """The median of a contender's samples."""
        return median(self.samples[quantity][contender])

    def run(self, environment: Mapping[str, str], reason: Reason = reason_to_skip) -> None:
        """Measure every contender once more, but for those that have been skipped."""
        for name, task in self.group.tasks.items():
            if name not in self.skipped and (why := reason(task)):
                self.skipped[name] = f"skipped: {why}"
        left = [name for name in self.group.tasks if name not in self.skipped]
        if not any({*pair} <= {*left} for pair in self.group.pairs):
            return
        for names in [[name] for name in left] if self.group.alone else [left]:
            self._run_together(names, environment)

    def _run_together(self, names: Iterable[str], environment: Mapping[str, str]) -> None:
        with ExitStack() as processes:
            active: dict[str, Worker | Command] = {}
            for name in names:
                active[name] = sampler(self.group.tasks[name], environment)
                processes.callback(active[name].close)
            for name in [*active]:
                self._attempt(active, name, active[name].wait_until_ready)
            while active:
                for name in [*active]:
                    self._attempt(active, name, partial(self._add, name, active[name]))

    def _attempt(
        self, active: dict[str, Worker | Command], name: str, work: Callable[[], None]
    ) -> None:
        """Do it, or let the contender out, with the reason."""
        try:
            work()
        except StopIteration:
            del active[name]
        except MeasureError as error:
            self.skipped[name] = f"failed: {error}"
            del active[name]

    def _add(self, name: str, samples: Worker | Command) -> None:
        for quantity, value in next(samples).items():
            self.samples.setdefault(quantity, {}).setdefault(name, []).append(value)
