"""How many examples each task gives: rates, sizes and whole numbers. Pure arithmetic over row counts."""

from collections.abc import Mapping
from fractions import Fraction

from flanbuild.declare.mixture import Mixture, TaskLike
from flanbuild.declare.rate import rate


def allocate(mixture: Mixture, rows: Mapping[str, int], named: Mapping[str, TaskLike]) -> dict[str, int]:
    """Task → number of examples, for the tasks with rows. `rows` is task → training rows that can be drawn.

    With `size.passes` each task gives its rate times the passes times `templates_per_example`. With `size.examples`
    the counts sum to that size, rounded by largest remainder, ties by name. The order of `rows` does not matter.
    """
    rates = {task: rate(mixture, count) for task, count in sorted(rows.items()) if count}
    if mixture.size.passes is not None:
        return {task: mixture.size.passes * each * mixture.templates_each for task, each in rates.items()}
    shares: Mapping[str, Fraction | int] = rates
    if mixture.rate.weights is not None:
        shares = _weighted(mixture.rate.weights, rates, named)
    return largest_remainder(shares, mixture.size.examples or 0)


def largest_remainder(weights: Mapping[str, int | Fraction], total: int) -> dict[str, int]:
    """Splits `total` by `weights` into whole numbers that sum to it (Hamilton's method), ties by name."""
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
    """Task → share. Each weight is divided by rate among the tasks of its name.

    A task takes part in the weight of its task name, else of its dataset, else of its cluster; without any it
    gets 0.
    """
    group = {}
    for name in rates:
        task = named[name]
        group[name] = next((key for key in (task.name, task.dataset, task.cluster) if key in weights), None)
    total = {key: sum(rates[name] for name in rates if group[name] == key) for key in set(group.values())}
    return {
        name: weights[key] * each / total[key] if (key := group[name]) is not None else Fraction(0)
        for name, each in rates.items()
    }
