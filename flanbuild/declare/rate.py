"""How many rows a task gives in one pass, and under how many templates each row is rendered."""

from flanbuild.declare.mixture import Mixture


def rate(mixture: Mixture, rows: int) -> int:
    """Rows that a task of so many rows gives in one pass, but for scheme `weights`, which has no passes."""
    if not rows:
        return 0
    most = mixture.rate.max
    if mixture.rate.scheme == "uniform":
        return most
    if mixture.rate.scheme == "temperature":
        flat: float = (min(rows, most) / most) ** (1 / (mixture.rate.temperature or 1.0))
        return max(1, round(most * flat))
    return min(rows, most)


def templates_per_row(mixture: Mixture, rows: int) -> int:
    """Under how many templates each row is rendered, so that a repeat of it comes under another one."""
    if not rows:
        return 1
    if mixture.size.passes is None:
        asked = mixture.size.templates_per_row
    else:
        asked = -(-mixture.size.passes * rate(mixture, rows) // rows)
    return max(1, min(mixture.templates, asked * mixture.templates_each))
