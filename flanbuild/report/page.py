"""`report.html`: the report as one page that loads nothing, for a reader who has never seen the project."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flanbuild.evaluation.record import Sample
from flanbuild.page.charts import bars
from flanbuild.page.frame import Table, draw, page
from flanbuild.report import charts, tables
from flanbuild.report.evaluations import Evaluation
from flanbuild.report.markdown import NOTES, PAPER_NOTES
from flanbuild.report.verdict import lead, overview, synthetic, verdict

LIMITS = {"prompt": 1_500, "text": 400}
"""Characters of a text that the page shows."""
_SECTIONS = {
    "scores": "Scores",
    "spread": "Templates",
    "seen": "Trained tasks",
    "losses": "Losses",
    "composition": "Mixture",
    "held-out": "Held out",
    "contamination": "Contamination",
    "samples": "Answers",
    "provenance": "Provenance",
}


@dataclass(frozen=True)
class EvaluationView:
    """What the page shows of one evaluation. Tables without rows are left out."""

    id: str
    """prefix of the ids of its sections"""
    name: str
    lead: str
    verdict: str
    synthetic: bool
    score_charts: Sequence[tuple[str, Any]]
    scores: Sequence[Table]
    remarks: Sequence[Table]
    spread: Sequence[tuple[str, Any]]
    means: Table
    seen_charts: Sequence[tuple[str, Any]]
    seen: Sequence[Table]
    losses: Any
    composition_chart: Any
    composition: tuple[Table, Table]
    held_out: Table
    related: Sequence[str]
    left_out: Sequence[str]
    contamination: str
    contamination_table: Table
    samples: Sequence[tuple[str, Sequence[Sample]]]
    """title of a task and its samples, held-out tasks first"""
    facts: Sequence[tuple[str, str]]
    provenance: Sequence[Table]


def report_page(evaluations: Sequence[Evaluation]) -> str:
    """The HTML of a report over evaluations."""
    views = [_view(f"e{n}-" if len(evaluations) > 1 else "", e) for n, e in enumerate(evaluations)]
    return page(
        "report/page.html",
        title=f"Report: {', '.join(evaluation.name for evaluation in evaluations)}",
        sections=list(_SECTIONS.items()),
        limits=LIMITS,
        notes=NOTES,
        paper_notes=PAPER_NOTES if any(tables.has_paper(e.record) for e in evaluations) else "",
        overview=overview(evaluations),
        synthetic=any(view.synthetic for view in views),
        evaluations=tables.evaluations_table(evaluations),
        views=views,
    )


def _view(prefix: str, evaluation: Evaluation) -> EvaluationView:
    record = evaluation.record
    by_cluster, by_task = tables.composition_tables(record)
    given = {str(row[0]): row[2] for row in by_cluster.rows if isinstance(row[2], int)}
    score_charts, seen_charts = _score_charts(evaluation)
    return EvaluationView(
        id=prefix,
        name=evaluation.name,
        lead=lead(evaluation),
        verdict=verdict(evaluation),
        synthetic=synthetic(record),
        score_charts=score_charts,
        scores=tables.score_tables(evaluation, tables.HELD_OUT),
        remarks=[t for t in (tables.constant_table(record), tables.count_table(record)) if t.rows],
        spread=spread_charts(evaluation),
        means=tables.means_table(evaluation),
        seen_charts=seen_charts,
        seen=tables.score_tables(evaluation, tables.TRAINED),
        losses=_losses(evaluation),
        composition_chart=draw(
            bars(given, "examples"), "Bars: training examples of each cluster; the numbers are in the table"
        ),
        composition=(by_cluster, by_task),
        held_out=tables.held_out_table(record),
        related=[
            f"{name}: trained on {', '.join(tasks)}" for name, tasks in record.related_in_training.items()
        ],
        left_out=tables.left_out(record),
        contamination=tables.contamination_note(record.contamination),
        contamination_table=tables.contamination_table(record.contamination),
        samples=_samples(evaluation),
        facts=tables.run_facts(record),
        provenance=[
            tables.model_table(record),
            tables.source_table(record),
            tables.evaluation_set_table(record),
        ],
    )


def _samples(evaluation: Evaluation) -> list[tuple[str, Sequence[Sample]]]:
    found = evaluation.samples()
    held_out = {task for tasks in evaluation.record.scores.values() for task in tasks}
    kinds = {task: "held out" if task in held_out else "trained on" for task in found}
    return [(f"{task}, {kinds[task]}", found[task]) for task in sorted(found, key=lambda t: (kinds[t], t))]


Charts = list[tuple[str, Any]]


def _score_charts(evaluation: Evaluation) -> tuple[Charts, Charts]:
    """Charts of held-out clusters, and of trained tasks, all on one axis."""
    record, main = evaluation.record, evaluation.main
    shown = {task: main[task] for task in charts.percentages(main, record.metrics)}
    span = charts.score_span(shown.values())

    def drawn(title: str, tasks: Sequence[str]) -> Charts:
        own = {task: shown[task] for task in tasks if task in shown}
        rows = sorted({one.rows for one in own.values()})
        text = f"{title}: mean score of each task with its interval, tuned and untuned; the numbers are in the table"
        numbers = " to ".join(f"{n:,}" for n in dict.fromkeys((rows[0], rows[-1]))) if rows else ""
        return (
            [(f"{title}, n = {numbers} rows per task", draw(charts.scores(own, span), text))] if own else []
        )

    held_out = [chart for cluster, tasks in record.scores.items() for chart in drawn(cluster, list(tasks))]
    return held_out, drawn("Trained tasks", [task for tasks in record.seen.values() for task in tasks])


def spread_charts(evaluation: Evaluation) -> Charts:
    """(cluster, SVG) for each held-out cluster with scores in per cent."""
    return [
        (cluster, draw(chart, f"{cluster}: score of each template, tuned and untuned, by task"))
        for cluster, chart in spread_of(evaluation).items()
    ]


def spread_of(evaluation: Evaluation) -> dict[str, Any]:
    """Cluster → chart of the score of each template."""
    record, main, rows = evaluation.record, evaluation.main, evaluation.series("templates.csv")
    found = {}
    for cluster, tasks in record.scores.items():
        metrics = charts.percentages({task: main[task] for task in tasks}, record.metrics)
        span = charts.score_span(main[task] for task in metrics)
        if points := charts.strip(rows, metrics, span):
            found[cluster] = charts.spread(points, main, span)
    return found


def _losses(evaluation: Evaluation) -> Any:
    training = evaluation.series("training.csv")
    if not training:
        return None
    chart = charts.losses(training, evaluation.series("validation.csv"))
    return draw(chart, "Lines: loss of each step, and validation losses")
