"""How many examples each task gives: rates, sizes, whole numbers, repeats. Pure arithmetic over counts."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from flanbuild.mixtures import Mixture


def rate(mixture: Mixture, rows: int) -> int:
    """Examples-proportional with a maximum: min(rows, max) (paper, section 2.1). Examples a pass."""
    return min(rows, mixture.rate.max)


def allocate(mixture: Mixture, rows: Mapping[str, int]) -> dict[str, int]:
    """Examples by task, for the tasks with rows.

    By passes each gives exactly its rate times the passes; by examples the counts sum to the size, shares
    rounded by largest remainder, ties by name.
    """
    rates = {task: rate(mixture, count) for task, count in sorted(rows.items()) if count}
    if mixture.size.passes is not None:
        return {task: ceil(mixture.size.passes * rate) for task, rate in rates.items()}
    return largest_remainder(rates, mixture.size.examples or 0)


def largest_remainder(weights: Mapping[str, int | Fraction], total: int) -> dict[str, int]:
    """`total` split by `weights` into whole numbers that sum to it (Hamilton's method); ties by name."""
    whole = sum(weights.values())
    if not whole:
        return {}
    shares = {name: Fraction(total * weight) / whole for name, weight in weights.items()}
    counts = {name: int(share) for name, share in shares.items()}
    left = total - sum(counts.values())
    by_remainder = sorted(shares, key=lambda name: (counts[name] - shares[name], name))
    return {name: counts[name] + (name in by_remainder[:left]) for name in weights}


def versions(mixture: Mixture, rows: int) -> int:
    """Under how many templates a row is rendered, so that a repeat of it comes under another one."""
    if not rows:
        return 1
    asked = (
        mixture.size.versions
        if mixture.size.passes is None
        else ceil(mixture.size.passes * rate(mixture, rows) / rows)
    )
    return max(1, min(mixture.templates, asked))
