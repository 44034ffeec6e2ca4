"""Template -> expression: a wording as one polars expression over the columns of its fields.

>>> text("{{{a}}} and {b}")
<Expr ...>
"""

from string import Formatter

import polars as pl

from flanbuild.tasks import OPTIONS

OPTIONS_HEAD = "OPTIONS:"
OPTIONS_BULLET = "\n- "


def text(template: str, suffix: str = "") -> pl.Expr:
    """The template's text for each row; null where a field is null. Literal parts are taken as they stand."""
    parts: list[pl.Expr] = []
    for literal, name, _, _ in Formatter().parse(template):
        if literal:
            parts.append(pl.lit(literal))
        if name is not None:
            parts.append(pl.col(name))
    if suffix:
        parts.append(pl.lit(suffix))
    return pl.concat_str(parts) if parts else pl.lit("")


def options_block(options: pl.Expr) -> pl.Expr:
    """FLAN's block: OPTIONS and a colon, then each option on a line of its own behind a hyphen."""
    return (pl.lit(OPTIONS_HEAD + OPTIONS_BULLET) + options.list.join(OPTIONS_BULLET)).alias(OPTIONS)
