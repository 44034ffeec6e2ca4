"""`report.md`: the report for terminals, editors and reviews. It begins with the same sentences as the page."""

from collections.abc import Sequence
from urllib.parse import quote

from flanbuild.declare.metrics import METRICS
from flanbuild.page.frame import Cell, Table, cell
from flanbuild.report import tables
from flanbuild.report.evaluations import Evaluation, source_kinds
from flanbuild.report.verdict import lead, overview, verdict

NOTES = """\
Tuned and untuned: mean over templates ± standard deviation over templates, and in parentheses the standard error over
rows. Best on dev: the score of the template that is best on dev rows. Tuned − untuned: the difference of the means with
its 95 % interval over rows, paired. Majority: always the most common answer of the dev rows. Random: a uniform draw
among the options. A mean over tasks is that of the first metric of each task, where it is a percentage of 20 rows or
more."""
PAPER_NOTES = """\
FLAN 137B is the paper's model, more than a thousand times the size of a small one: mean ± standard deviation over
templates. `*` agrees with a published mean of its cluster, `**` is recalled and not checked; the others were seen in a
table."""
_POINTS = """\
The score of each template. Circles: tuned, stacked above the line of the task. Diamonds: untuned, below it. Bars:
majority."""
_LINES = "Line: training, each step. Diamonds: validation."
_TEXT_COLUMNS = {"Contamination": 3, "Evaluations": 3, "What did not fit": 3}
"""Columns that are names; two in other tables."""


def markdown(evaluations: Sequence[Evaluation]) -> str:
    """The text of `report.md`."""
    parts = [lead(evaluations[0]) if len(evaluations) == 1 else overview(evaluations)]
    parts.append("# Zero-shot scores on held-out tasks")
    if len(evaluations) > 1:
        parts.append(_table(tables.evaluations_table(evaluations)))
    parts.append(NOTES)
    if any(tables.has_paper(evaluation.record) for evaluation in evaluations):
        parts.append(PAPER_NOTES)
    for evaluation in evaluations:
        if len(evaluations) > 1:
            parts += [f"## {evaluation.name}", lead(evaluation)]
        parts += _sections(evaluation)
    return "\n\n".join(parts) + "\n"


def _sections(evaluation: Evaluation) -> list[str]:
    record = evaluation.record
    parts = [verdict(evaluation)]
    spread = spread_clusters(evaluation)
    for kind in (tables.HELD_OUT, tables.TRAINED):
        for table in tables.score_tables(evaluation, kind):
            parts += [f"### {table.caption}", _table(table)]
            cluster = table.caption.removesuffix(f", {kind}")
            if cluster in spread:
                picture = quote(spread_name(evaluation, cluster))
                parts.append(f"![Spread over templates]({picture})\n\n{_POINTS}")
    if evaluation.series("training.csv"):
        parts += ["### Losses", f"![Losses]({quote(losses_name(evaluation))})", _LINES]
    by_cluster, _ = tables.composition_tables(record)
    if by_cluster.rows:
        parts += [f"### {by_cluster.caption}", _table(by_cluster)]
    parts += [f"### {(held_out := tables.held_out_table(record)).caption}", _table(held_out)]
    parts += ["### Contamination", tables.contamination_note(record.contamination)]
    if record.contamination.found:
        parts.append(_table(tables.contamination_table(record.contamination)))
    for table in (tables.constant_table(record), tables.count_table(record)):
        if table.rows:
            parts += [f"### {table.caption}", _table(table)]
    if missing := tables.left_out(record):
        parts += ["### Left out", "\n".join(f"- {line}" for line in missing)]
    facts = "\n".join(f"- {name}: {value}" for name, value in tables.run_facts(record))
    parts += ["### Provenance", facts, _table(tables.model_table(record))]
    if set(source_kinds(record)) != {"sample"}:
        parts.append(_table(tables.source_table(record)))
    return parts


def spread_clusters(evaluation: Evaluation) -> list[str]:
    """The held-out clusters that have a plot: those with a task whose main metric is a percentage."""
    record = evaluation.record
    return [
        cluster
        for cluster, tasks in record.scores.items()
        if any(METRICS[record.metrics[task][0]].percentage for task in tasks)
    ]


def spread_name(evaluation: Evaluation, cluster: str) -> str:
    """The file of the plot of a cluster."""
    return f"spread-{evaluation.name}-{cluster}.svg"


def losses_name(evaluation: Evaluation) -> str:
    """The file of the plot of the losses."""
    return f"losses-{evaluation.name}.svg"


def _table(table: Table) -> str:
    """A Markdown table whose first columns are text, the others numbers."""
    names = _TEXT_COLUMNS.get(table.caption, 2)
    rule = ["---"] * names + ["---:"] * (len(table.header) - names)
    rows = [[_escaped(value) for value in row] for row in table.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (table.header, rule, *rows))


def _escaped(value: Cell) -> str:
    """A text in one line that does not end its cell or become markup."""
    text = " ".join(cell(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("](", "]\\(")
