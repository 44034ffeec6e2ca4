"""Templates as polars expressions over the columns of their fields.

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
    """The task with the templates that a training style prescribes (ablations of the paper's section 4.3).

    `instruction` keeps the templates. `none` has one template: the fields of the first forward template, one per line,
    and its target. `dataset_name` puts cluster and dataset in square brackets before that. Evaluation is not affected.
    """
    if style == "instruction":
        return task
    first = task.templates[task.forward[0]]
    names = dict.fromkeys(name for name in placeholders(first.inputs) if name != OPTIONS)
    bare = "\n".join(f"{{{name}}}" for name in names)
    head = f"[{task.cluster}] [{task.dataset}] " if style == "dataset_name" else ""
    return task.model_copy(update={"templates": (Template(inputs=head + bare, targets=first.targets),)})


def text(template: str, suffix: str = "") -> pl.Expr:
    """The filled-in template for each row, followed by `suffix`; null where a field is null."""
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
    """FLAN's block of options: `OPTIONS:`, then one line `- option` for each."""
    return (pl.lit(OPTIONS_HEAD + OPTIONS_BULLET) + options.list.join(OPTIONS_BULLET)).alias(OPTIONS)
