"""How many examples each task gives: rates, sizes, whole numbers, repeats. Pure arithmetic over counts."""

from collections.abc import Mapping
from fractions import Fraction

from flanbuild.declare.mixture import Mixture, TaskLike
from flanbuild.declare.rate import rate


def allocate(mixture: Mixture, rows: Mapping[str, int], named: Mapping[str, TaskLike]) -> dict[str, int]:
    """Examples by task, for the tasks with rows.

    By passes each gives its rate times the passes, under `templates_per_example` templates; by examples the counts
    sum to the size, shares rounded by largest remainder, ties by name. Nothing depends on the order of `rows`.
    """
    rates = {task: rate(mixture, count) for task, count in sorted(rows.items()) if count}
    if mixture.size.passes is not None:
        return {task: mixture.size.passes * each * mixture.templates_each for task, each in rates.items()}
    shares: Mapping[str, Fraction | int] = rates
    if mixture.rate.weights is not None:
        shares = _weighted(mixture.rate.weights, rates, named)
    return largest_remainder(shares, mixture.size.examples or 0)


def largest_remainder(weights: Mapping[str, int | Fraction], total: int) -> dict[str, int]:
    """`total` split by `weights` into whole numbers that sum to it (Hamilton's method); ties by name."""
    whole = sum(weights.values())
    if not whole:
        return {}
    shares = {name: Fraction(total * weight) / whole for name, weight in weights.items()}
    counts = {name: int(share) for name, share in shares.items()}
    left = total - sum(counts.values())
    by_remainder = sorted(shares, key=lambda name: (counts[name] - shares[name], name))
    gain = set(by_remainder[:left])
    return {name: counts[name] + (name in gain) for name in weights}


def _weighted(
    weights: Mapping[str, Fraction], rates: Mapping[str, int], named: Mapping[str, TaskLike]
) -> dict[str, Fraction]:
    """Each name's weight, shared among its tasks by rate; a task belongs to the nearest of its names, or to none."""
    group = {}
    for name in rates:
        task = named[name]
        group[name] = next((n for n in (task.name, task.dataset, task.cluster) if n in weights), None)
    total = {g: sum(rates[name] for name in rates if group[name] == g) for g in set(group.values())}
    return {
        name: weights[g] * each / total[g] if (g := group[name]) is not None else Fraction(0)
        for name, each in rates.items()
    }
