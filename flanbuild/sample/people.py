"""A person in an everyday text: a first name and its pronouns."""

from dataclasses import dataclass

from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import FEMALE, MALE


@dataclass(frozen=True, slots=True)
class Someone:
    """A person with a first name; `woman` decides the pronouns."""

    name: str
    woman: bool

    def tell(self, pattern: str, **more: str) -> str:
        """The pattern filled with the name `{n}`, the pronouns `{he}`, `{him}`, `{his}` and `more`, with a capital."""
        he, him, his = ("she", "her", "her") if self.woman else ("he", "him", "his")
        text = pattern.format(n=self.name, he=he, him=him, his=his, **more)
        return text[0].upper() + text[1:]


def someone(row: SampleRow, purpose: str, *, besides: str = "") -> Someone:
    """A person with another name than `besides`."""
    woman = row.chance(f"{purpose} is a woman", 50)
    return Someone(row.other(purpose, FEMALE if woman else MALE, besides), woman)
