"""How many examples a task gives in one pass, and under how many templates each of its rows is rendered.

A scheme is one entry of SCHEMES: its name, its function and the keys that it needs. The check of a mixture's `rate`,
the allocation and the table in docs/mixtures.md follow from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from flanbuild.declare.document import StrictModel, unknown_name

if TYPE_CHECKING:
    from flanbuild.declare.mixture import Mixture


@dataclass(frozen=True)
class RateScheme:
    """One rule for mixing tasks."""

    name: str
    rate: Callable[[int, "Rate"], int]
    """(rows > 0, the declaration) → examples in one pass"""
    keys: tuple[str, ...]
    """keys of `rate` that the scheme needs beside `max`; other schemes refuse them"""
    description: str
    divides_size: bool = False
    """Whether the scheme only divides `size: {examples: n}`, so that `passes` have no meaning."""


def _proportional(rows: int, declared: "Rate") -> int:
    return min(rows, declared.max)


def _temperature(rows: int, declared: "Rate") -> int:
    share: float = (min(rows, declared.max) / declared.max) ** (1 / (declared.temperature or 1.0))
    return max(1, round(declared.max * share))


def _uniform(rows: int, declared: "Rate") -> int:  # noqa: ARG001
    return declared.max


SCHEMES: dict[str, RateScheme] = {
    scheme.name: scheme
    for scheme in (
        RateScheme(
            "proportional",
            _proportional,
            (),
            "min(rows, max): proportional to the rows, up to a maximum (paper, section 2.4)",
        ),
        RateScheme(
            "temperature",
            _temperature,
            ("temperature",),
            "max · (min(rows, max) / max)^(1 / temperature), rounded, at least 1 (T5)",
        ),
        RateScheme("uniform", _uniform, (), "max, for every task"),
        RateScheme(
            "weights",
            _proportional,
            ("weights",),
            "shares of `size.examples` by task, dataset or cluster; proportional within each of them",
            divides_size=True,
        ),
    )
}


def _known(name: str) -> str:
    if name not in SCHEMES:
        raise unknown_name("scheme", name, SCHEMES)
    return name


Weight = Annotated[
    Fraction,
    Field(ge=0),
    WithJsonSchema({"type": ["number", "string"], "description": "A share, 0 or more."}),
]


class Rate(StrictModel):
    """How the mixture weighs its tasks. docs/mixtures.md lists the schemes."""

    scheme: Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*SCHEMES]})] = (
        "proportional"
    )
    """The rule by which a task's rate follows from its rows."""
    max: Annotated[int, Field(gt=0, le=1_000_000_000)] = 3000
    """Rows beyond which a task's rate no longer grows."""
    temperature: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None
    """Flattens the rates; 1 is proportional. Only with scheme `temperature`."""
    weights: dict[str, Weight] | None = None
    """Task, dataset or cluster → share. Only with scheme `weights`."""

    @model_validator(mode="after")
    def _has_the_keys_of_its_scheme(self) -> Self:
        needed = SCHEMES[self.scheme].keys
        for key in sorted({key for scheme in SCHEMES.values() for key in scheme.keys}):
            given: Any = getattr(self, key)
            if given is None and key in needed:
                raise ValueError(f"scheme '{self.scheme}' needs the key '{key}'")
            if given is not None and key not in needed:
                schemes = " or ".join(name for name, scheme in SCHEMES.items() if key in scheme.keys)
                raise ValueError(f"'{key}' belongs to scheme '{schemes}', not to '{self.scheme}'")
        return self


def rate(mixture: "Mixture", rows: int) -> int:
    """Examples that a task of `rows` training rows gives in one pass, or its weight where a size is divided."""
    return SCHEMES[mixture.rate.scheme].rate(rows, mixture.rate) if rows else 0


def templates_per_row(mixture: "Mixture", rows: int) -> int:
    """Templates under which each row is rendered, so that a repeated row comes under another template.

    What a task gives of `size.examples` depends on the other tasks and on what is held out, so it is taken to give all of
    them: an upper bound, which `size.templates_per_row` lowers.
    """
    if not rows:
        return 1
    if mixture.size.examples is not None:
        draws = mixture.size.templates_per_row or -(-mixture.size.examples // (rows * mixture.templates_each))
    else:
        assert mixture.size.passes is not None, "a size has one of the two"
        draws = -(-mixture.size.passes * rate(mixture, rows) // rows)
    return max(1, min(mixture.templates, draws * mixture.templates_each))
