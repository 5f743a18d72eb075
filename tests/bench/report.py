"""Numbers as people read them: percentiles, rates, and how much of the machine somebody else took meanwhile."""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STEAL_LIMIT = 5.0
QUIET = 15.0
TICKS = os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def per_second(times_ms: Sequence[float]) -> float:
    """Return how many of these, one after another, fit into a second."""
    return 1000 / statistics.fmean(times_ms)


def line(name: str, times_ms: Sequence[float], more: str = "") -> None:
    """Print one row: how often, median, 95 %, rate when run one after another."""
    print(f"  {name:44} n {len(times_ms):4}  p50 {percentile(times_ms, 0.5):7.2f} ms  p95 {percentile(times_ms, 0.95):7.2f} ms"
          f"  {per_second(times_ms):7.1f}/s  {more}".rstrip())


def verdict(name: str, value: float, aim: float, unit: str, *, at_most: bool = True) -> None:
    """Print a figure beside its aim."""
    is_met = value <= aim if at_most else value >= aim
    print(f"  -> {name}: {value:.2f} {unit} (aim {'at most' if at_most else 'at least'} {aim:g}) {'met' if is_met else 'MISSED'}")


def cpu_s(pid: int) -> float:
    """Return the processor seconds that a process has used; they hold also while others crowd the machine."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _cpu() -> tuple[int, int, int]:
    fields = [int(one) for one in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields), fields[3] + fields[4], fields[7]


def _shares(before: tuple[int, int, int]) -> tuple[float, float]:
    """Return how much of the machine was busy and stolen since then, in percent."""
    total, idle, steal = (after - was for after, was in zip(_cpu(), before, strict=True))
    return 100 - 100 * idle / max(total, 1), 100 * steal / max(total, 1)


@contextmanager
def part(title: str) -> Iterator[None]:
    """Print a heading, how busy others keep the machine beforehand, and afterwards duration and steal.

    Absolute values count only while steal is below 5 % and nobody else keeps the processors busy.
    """
    before = _cpu()
    time.sleep(1)
    others, _ = _shares(before)
    print(f"\n{title}\n  before it began, others kept {others:.0f} % of {os.cpu_count()} processors busy", flush=True)
    began, before = time.monotonic(), _cpu()
    yield
    busy, steal = _shares(before)
    is_quiet = others < QUIET and steal < STEAL_LIMIT
    print(f"  took {time.monotonic() - began:.0f} s, steal {steal:.1f} %, busy {busy:.0f} %"
          f"{'' if is_quiet else ': NOT A QUIET MACHINE, only ratios count'}", flush=True)
