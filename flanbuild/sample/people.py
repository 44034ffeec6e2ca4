"""Somebody for the everyday texts: a name and its pronouns."""

from dataclasses import dataclass

from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import FEMALE, MALE


@dataclass(frozen=True, slots=True)
class Someone:
    """A first name with its pronouns."""

    name: str
    woman: bool

    def tell(self, pattern: str, **more: str) -> str:
        """The pattern with `{n}`, `{he}`, `{him}`, `{his}` filled, and a capital at its start."""
        he, him, his = ("she", "her", "her") if self.woman else ("he", "him", "his")
        text = pattern.format(n=self.name, he=he, him=him, his=his, **more)
        return text[0].upper() + text[1:]


def someone(row: SampleRow, purpose: str, *, besides: str = "") -> Someone:
    """Anybody whose name isn't `besides`."""
    woman = row.chance(f"{purpose} is a woman", 50)
    return Someone(row.other(purpose, FEMALE if woman else MALE, besides), woman)
