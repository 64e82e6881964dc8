"""Interleaved measurement, tables and bounds."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Clock = Literal["cpu", "wall"]
_CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of a table.

    Attributes:
        run: Does the work once and returns how many units it did.
    """

    name: str
    run: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Figure:
    """A row's samples in the table's unit, one a repetition."""

    name: str
    samples: Sequence[float]

    @property
    def value(self) -> float:
        return median(self.samples)

    def __truediv__(self, other: Figure) -> float:
        """Median of the ratios within each repetition: what slows the machine slows both rows."""
        pairs = zip(self.samples, other.samples, strict=True)
        return median(mine / theirs for mine, theirs in pairs)


@dataclass(frozen=True, slots=True)
class Bound:
    """``actual`` must not pass ``limit``; ``at_least`` turns the comparison round.

    Attributes:
        waived: Why the bound cannot hold for any client, and does not count; None if it counts.
    """

    text: str
    actual: float
    limit: float
    at_least: bool = False
    waived: str | None = None

    @property
    def holds(self) -> bool:
        return self.actual >= self.limit if self.at_least else self.actual <= self.limit

    @property
    def is_missed(self) -> bool:
        return not self.holds and self.waived is None

    @property
    def verdict(self) -> str:
        return "ok" if self.holds else "MISS" if self.waived is None else "n/a"

    def __str__(self) -> str:
        sign = ">=" if self.at_least else "<="
        reason = f" ({self.waived})" if self.waived and not self.holds else ""
        return f"{self.text}: {self.actual:.3g} {sign} {self.limit:.3g}{reason}"


@dataclass(slots=True)
class Table:
    """What one measurement found.

    Attributes:
        unit: Of every figure. The first figure is the floor that ratios refer to.
        notes: Lines printed under the table, e.g. why a row is missing.
    """

    title: str
    unit: str
    figures: list[Figure]
    bounds: list[Bound] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Figure:
        return next(figure for figure in self.figures if figure.name == name)

    def bound(
        self,
        name: str,
        other: str,
        limit: float,
        *,
        at_least: bool = False,
        floor: str | None = None,
    ) -> None:
        """Demand a ratio of two rows.

        Args:
            name: The row that is judged.
            other: The row that it is divided by.
            limit: What the ratio must not pass.
            at_least: Whether the ratio must reach the limit instead.
            floor: A row that nobody can beat: where it misses the limit itself, a miss is shown
                but does not count.
        """
        waived = None
        if floor is not None:
            best = self[floor] / self[other]
            if not Bound("", best, limit, at_least).holds:
                waived = f"the floor itself is at {best:.3g}"
        ratio = self[name] / self[other]
        self.bounds.append(Bound(f"{name} / {other}", ratio, limit, at_least, waived))

    def bound_difference(self, name: str, other: str, limit: float) -> None:
        """Demand a difference of two rows."""
        pairs = zip(self[name].samples, self[other].samples, strict=True)
        more = median(mine - theirs for mine, theirs in pairs)
        self.bounds.append(Bound(f"{name} - {other} in {self.unit}", more, limit))

    def bound_value(self, name: str, limit: float) -> None:
        """Demand that a row does not pass ``limit``, in the table's unit."""
        self.bounds.append(Bound(f"{name} in {self.unit}", self[name].value, limit))

    def render(self) -> str:
        width = max(len(figure.name) for figure in self.figures)
        floor = self.figures[0]
        lines = [f"{self.title}", "-" * len(self.title)]
        lines += [
            f"{figure.name:<{width}}  {number(figure.value):>10} {self.unit:<10}"
            f" {figure / floor:7.2f} x   ({number(min(figure.samples))}"
            f" .. {number(max(figure.samples))})"
            for figure in self.figures
        ]
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  {bound.verdict:<4}  {bound}" for bound in self.bounds]
        return "\n".join(lines) + "\n"


def number(value: float) -> str:
    decimals = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2
    return f"{value:,.{decimals}f}"


def measure(
    variants: Sequence[Variant],
    *,
    clock: Clock = "cpu",
    repetitions: int = 7,
    scale: float = 1e6,
) -> list[Figure]:
    """Run every variant ``repetitions`` times in turn and return the time per unit.

    Args:
        variants: Each runs once more before, unmeasured.
        clock: CPU of this process with all its threads, or wall.
        repetitions: Samples of which the median counts.
        scale: What a second is multiplied by: 1e6 for microseconds.
    """
    now = _CLOCKS[clock]
    samples: dict[str, list[float]] = {variant.name: [] for variant in variants}
    for variant in variants:
        variant.run()
    gc.collect()
    gc.freeze()  # What the imports left must not be walked again inside somebody's measurement.
    for _ in range(repetitions):
        for variant in variants:
            started = now()
            units = variant.run()
            samples[variant.name].append((now() - started) * scale / units)
    gc.unfreeze()
    return [Figure(name, values) for name, values in samples.items()]


def sample(
    runs: dict[str, Callable[[], float]], *, repetitions: int, each: int = 1
) -> list[Figure]:
    """Call every entry in turn; the median of ``each`` results is a repetition's sample."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(repetitions):
        found: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(each):
            for name, run in runs.items():
                found[name].append(run())
        for name, results in found.items():
            samples[name].append(median(results))
    return [Figure(name, values) for name, values in samples.items()]


def with_rates(figures: Sequence[Figure]) -> list[Figure]:
    """Turn seconds a unit into units a second."""
    return [Figure(row.name, [1 / value for value in row.samples]) for row in figures]
