"""Template -> expression: a wording as one polars expression over the columns of its fields.

>>> text("{{{a}}} and {b}")
<Expr ...>
"""

from string import Formatter

import polars as pl

from flanbuild.declare.mixture import Style
from flanbuild.declare.task import OPTIONS, Task, Template, placeholders

OPTIONS_HEAD = "OPTIONS:"
OPTIONS_BULLET = "\n- "


def in_style(task: Task, style: Style) -> Task:
    """The task as training sees it in one of the paper's ablations (section 4.3); its evaluation stays as it is.

    `none`: the fields of the first forward template alone, a line each, and its target. `dataset_name`: the same
    behind cluster and dataset in square brackets.
    """
    if style == "instruction":
        return task
    first = task.templates[task.forward[0]]
    names = dict.fromkeys(name for name in placeholders(first.inputs) if name != OPTIONS)
    bare = "\n".join(f"{{{name}}}" for name in names)
    head = f"[{task.cluster}] [{task.dataset}] " if style == "dataset_name" else ""
    return task.model_copy(update={"templates": (Template(inputs=head + bare, targets=first.targets),)})


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
