"""The tables of a report, for the page, for Markdown and for a terminal. Numbers are those of `scores.json`, rounded."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from flanbuild.artifacts.records import ContaminationRecord
from flanbuild.evaluation.record import MetricScores, PaperScores, ScoreRecord, TemplateScores
from flanbuild.evaluation.results import LEAST_ROWS, Means, main_scores, means
from flanbuild.page.frame import Cell, Figure, Percent, Table
from flanbuild.report.evaluations import Evaluation
from flanbuild.report.verdict import MINUS, interval, model

HELD_OUT, TRAINED = "held out", "trained on, dev rows"
_SCORES = (
    "task",
    "metric",
    "n",
    "tuned",
    "tuned, best on dev",
    "untuned",
    "untuned, best on dev",
    f"tuned {MINUS} untuned",
    "majority",
    "random",
)
_PAPER = ("FLAN 137B", "FLAN 137B, best on dev")
_MEANS = ("tuned", "untuned", f"tuned {MINUS} untuned", "best on dev", "majority", "random")
_CONTAMINATION = (
    "training task",
    "held out",
    "rule",
    "rows: item",
    "question",
    "passage only",
    "exact",
    "removed",
    "test rows found",
    "dev rows found",
)
_NONE = "–"
_TEXT = 60
"""Characters of an answer in a table."""
_FLAGS = {"table": "", "mean": "*", "recalled": "**"}
_COUNTS = {
    "Prompts that were cut to fit the model": "truncated_prompts",
    "Pairs of prompt and option that the tokenizer would tokenize in another way as one text": "border_merges",
    "Tokens that stand for text that the tokenizer cannot spell": "unknown_tokens",
    "Generated answers that reached the limit of tokens before their end": "cut_answers",
    "Rows in which two options have the same tokens, so that the first of them always wins": "equal_options",
}

Tasks = Mapping[str, Mapping[str, MetricScores]]


def has_paper(record: ScoreRecord) -> bool:
    """Whether the paper's scores stand beside any task."""
    return any(
        one.paper for tasks in record.scores.values() for task in tasks.values() for one in task.values()
    )


def score_tables(evaluation: Evaluation, kind: str) -> list[Table]:
    """A table for each cluster of HELD_OUT tasks, or one of all TRAINED tasks; its last row is the mean over tasks.

    A column without any number is left out.
    """
    record = evaluation.record
    trained = {name: metrics for tasks in record.seen.values() for name, metrics in tasks.items()}
    if kind == HELD_OUT:
        captions = {f"{cluster}, {kind}": tasks for cluster, tasks in record.scores.items()}
    else:
        captions = {f"Tasks {kind}": trained} if trained else {}
    paper = kind == HELD_OUT and has_paper(record)
    return [
        _without_empty_columns(
            Table(
                caption,
                (*_SCORES, *(_PAPER if paper else ())),
                [*_task_rows(record, tasks, paper), *_mean_row(main_scores(record, tasks), paper)],
            )
        )
        for caption, tasks in captions.items()
    ]


def _without_empty_columns(table: Table) -> Table:
    kept = [n for n, _ in enumerate(table.header) if any(row[n] != _NONE for row in table.rows)]
    return Table(
        table.caption, [table.header[n] for n in kept], [[row[n] for n in kept] for row in table.rows]
    )


def _task_rows(record: ScoreRecord, tasks: Tasks, paper: bool) -> list[Sequence[Cell]]:
    return [
        (task, metric, *_cells(scores[metric], paper))
        for task, scores in tasks.items()
        for metric in record.metrics[task]
    ]


def _cells(scores: MetricScores, paper: bool) -> tuple[Cell, ...]:
    untuned = scores.untuned
    return (
        scores.rows,
        _spread(scores.tuned),
        _figure(scores.tuned.best_on_dev),
        _spread(untuned) if untuned else Figure(_NONE),
        _figure(untuned.best_on_dev if untuned else None),
        Figure(interval(scores.difference) if scores.difference else _NONE),
        _figure(scores.majority),
        _figure(scores.random),
        *(_paper(scores.paper) if paper else ()),
    )


def _paper(paper: PaperScores | None) -> tuple[Cell, Cell]:
    if paper is None:
        return Figure(_NONE), Figure(_NONE)
    return Figure(f"{paper.mean:.1f} ± {paper.sd:.1f}{_FLAGS[paper.checked]}"), _figure(paper.best)


def _mean_row(scores: Sequence[MetricScores], paper: bool) -> list[Sequence[Cell]]:
    if len(scores) < 2:
        return []
    columns: list[list[float | None]] = [
        [one.tuned.mean for one in scores],
        [one.tuned.best_on_dev for one in scores],
        [one.untuned.mean if one.untuned else None for one in scores],
        [one.untuned.best_on_dev if one.untuned else None for one in scores],
        [one.majority for one in scores],
        [one.random for one in scores],
        [one.paper.mean if one.paper else None for one in scores],
        [one.paper.best if one.paper else None for one in scores],
    ]
    averages: list[Cell] = [_average(column) for column in columns]
    difference = _means_difference(means(scores))
    known = [*averages[:4], difference, *averages[4 : 8 if paper else 6]]
    return [(f"mean of {len(scores)} tasks", "", sum(one.rows for one in scores), *known)]


def means_table(evaluation: Evaluation) -> Table:
    """A row for each held-out cluster and one for the trained tasks: means over tasks, side by side."""
    record = evaluation.record
    groups = {f"held out: {name}": means(main_scores(record, tasks)) for name, tasks in record.scores.items()}
    if record.seen:
        groups[TRAINED] = means(evaluation.seen)
    rows: list[Sequence[Cell]] = [
        (name, found.tasks, found.rows, *_means_cells(found))
        if found
        else (name, 0, 0, *[Figure(_NONE)] * len(_MEANS))
        for name, found in groups.items()
    ]
    return Table(
        f"Means over the tasks of {LEAST_ROWS} rows or more", ("tasks", "number", "n", *_MEANS), rows
    )


def evaluations_table(evaluations: Iterable[Evaluation]) -> Table:
    """A row for each evaluation."""
    rows = []
    for evaluation in evaluations:
        record, found = evaluation.record, means(evaluation.held_out)
        used = record.training.used if record.training else None
        seen = means(evaluation.seen)
        rows.append(
            (
                evaluation.name,
                ", ".join(record.holdout),
                model(record),
                used.steps if used else None,
                used.examples if used else None,
                found.tasks if found else 0,
                found.rows if found else 0,
                *(_means_cells(found) if found else [Figure(_NONE)] * len(_MEANS)),
                _figure(seen.figures["tuned"] if seen else None),
                _figure(seen.figures.get("untuned") if seen else None),
            )
        )
    header = ("evaluation", "held out", "model", "steps", "examples seen", "tasks", "n", *_MEANS)
    return Table("Evaluations", (*header, "trained tasks, tuned", "trained tasks, untuned"), rows)


def _means_cells(found: Means) -> tuple[Cell, ...]:
    figures = found.figures
    before = (_figure(figures.get(name)) for name in ("tuned", "untuned"))
    after = (_figure(figures.get(name)) for name in ("best_on_dev", "majority", "random"))
    return (*before, _means_difference(found), *after)


def _means_difference(found: Means | None) -> Figure:
    return Figure(interval(found.difference) if found and found.difference else _NONE)


def composition_tables(record: ScoreRecord) -> tuple[Table, Table]:
    """What the mixture is made of, by cluster and by task."""
    total = max(sum(task.examples for task in record.trained_on.values()), 1)
    clusters: dict[str, list[int]] = {}
    for task in record.trained_on.values():
        clusters.setdefault(task.cluster, []).append(task.examples)
    by_cluster = [
        (cluster, len(given), sum(given), Percent(sum(given) / total))
        for cluster, given in sorted(clusters.items())
    ]
    by_task = [
        (name, task.cluster, task.source.repo, task.examples, Percent(task.examples / total), task.repeats)
        for name, task in sorted(record.trained_on.items(), key=lambda item: (item[1].cluster, item[0]))
    ]
    header = ("task", "cluster", "dataset", "examples", "share", "repeats")
    return (
        Table("Training examples by cluster", ("cluster", "tasks", "examples", "share"), by_cluster),
        Table("Training examples by task", header, by_task),
    )


def held_out_table(record: ScoreRecord) -> Table:
    """Every task that is not trained on because of the hold-out, with the rule and whether it is scored."""
    scored = {task for tasks in record.scores.values() for task in tasks}
    rows = [
        (
            task,
            entry.cluster,
            "named" if group.asked else "goes with it",
            group.rule,
            "yes" if task in scored else record.not_evaluated.get(f"{entry.cluster}/{task}", "no"),
        )
        for group in record.held_out.values()
        for task, entry in sorted(group.tasks.items())
    ]
    return Table("Held-out tasks", ("task", "cluster", "how", "rule", "scored"), rows)


def contamination_note(record: ContaminationRecord) -> str:
    """One sentence about the check for contamination."""
    if not record.references:
        return "Not searched: nothing is held out, and no other evaluation set is named."
    looked = sum(count.rows for count in record.references.values())
    if not record.found:
        return f"No contamination found: no training row carries one of {looked:,} evaluation rows."
    return (
        f"Training rows that carry some of {looked:,} evaluation rows. Removed: with the rule drop, those with an item or"
        " a question."
    )


def contamination_table(record: ContaminationRecord) -> Table:
    """A row for each pair of tasks that match."""
    rows = []
    for match in record.found:
        removed = match.rows if record.rule == "drop" else 0
        found = (match.item, match.question, match.passage, match.exact, removed)
        rows.append((match.task, match.reference, record.rule, *found, match.test_items, match.dev_items))
    return Table("Contamination", _CONTAMINATION, rows)


def constant_table(record: ScoreRecord) -> Table:
    """Answers that a model gives to every row, whatever it asks."""
    rows = [
        (task, role, _short(text), f"{count} of {_templates(record, task)}")
        for role, run in record.models.items()
        for task, answers in run.constant.items()
        for text, count in answers.items()
    ]
    return Table("Always the same answer", ("task", "model", "answer", "templates"), rows)


def count_table(record: ScoreRecord) -> Table:
    """What tokenization did to the texts of each task."""
    rows = [
        (title, task, role, count)
        for title, field in _COUNTS.items()
        for role, run in record.models.items()
        for task, count in getattr(run, field).items()
    ]
    return Table("What did not fit", ("what", "task", "model", "number"), rows)


def left_out(record: ScoreRecord) -> list[str]:
    """What was not scored, and why."""
    return [
        *(f"{name} was not evaluated: {reason}" for name, reason in record.not_evaluated.items()),
        *(f"The {role} model was left out: {reason}" for role, reason in record.not_asked.items()),
    ]


def source_table(record: ScoreRecord) -> Table:
    """Where the rows of each task come from, scored and trained on."""
    used = {name: ("scored", source) for name, source in record.sources.items() if not _seen(record, name)}
    used |= {name: ("trained on", task.source) for name, task in record.trained_on.items()}
    rows = [
        (
            name,
            use,
            source.kind,
            source.repo,
            source.config,
            source.commit[:12] if source.kind == "hub" else source.commit,
            source.license,
            source.digest[:16],
        )
        for name, (use, source) in sorted(used.items(), key=lambda item: (item[1][0], item[0]))
    ]
    header = ("task", "use", "kind", "repository", "configuration", "commit", "license", "digest of its rows")
    return Table("Sources", header, rows)


def evaluation_set_table(record: ScoreRecord) -> Table:
    """The digest of each evaluation set, as far as it was scored."""
    rows = [
        (task, split, digest)
        for task, splits in sorted(record.evaluation_sets.items())
        for split, digest in splits.items()
    ]
    return Table("Evaluation sets", ("task", "split", "xxh3 digest"), rows)


def model_table(record: ScoreRecord) -> Table:
    """Each model that was scored, and how."""
    rows = [
        (
            role,
            run.name or run.architecture,
            run.parameters,
            ", ".join(f"{file} {digest[:16]}" for file, digest in run.weights.items())
            or f"commit {run.revision}",
            run.tokenizer[:16],
            run.dtype,
            run.attention,
            run.ranking,
        )
        for role, run in record.models.items()
    ]
    header = (
        "model",
        "name",
        "parameters",
        "weights",
        "tokenizer",
        "dtype",
        "attention",
        "options ranked by",
    )
    return Table("Models", header, rows)


def run_facts(record: ScoreRecord) -> list[tuple[str, str]]:
    """Digest, protocol, device, settings and versions: enough to run it again."""
    facts = [
        (
            "Mixture",
            f"{record.mixture.name} without {', '.join(record.holdout)}, digest {record.mixture.digest}",
        ),
        ("Protocol", record.protocol),
        ("Evaluated on", record.environment.device),
        ("Evaluation settings", _settings(record.config)),
        ("Versions", _settings(record.environment.versions)),
    ]
    if record.training:
        run = record.training
        processes = f", {run.environment.processes} processes" if run.environment.processes > 1 else ""
        facts += [
            ("Trained on", f"{run.environment.device}{processes}, {run.dtype}"),
            ("Training settings", _settings(run.config)),
            ("Versions of training", _settings(run.environment.versions)),
        ]
        if run.used:
            facts.append(("Used by the steps", _settings(run.used.model_dump())))
    return facts


def _settings(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()) if value is not None)


def _seen(record: ScoreRecord, task: str) -> bool:
    return any(task in tasks for tasks in record.seen.values())


def _templates(record: ScoreRecord, task: str) -> int:
    metric = record.metrics[task][0]
    clusters = [*record.scores.values(), *record.seen.values()]
    return next(tasks[task][metric].tuned.templates for tasks in clusters if task in tasks)


def _short(text: str) -> str:
    """A text for a cell."""
    return (text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…") or "(empty)"


def _average(values: Sequence[float | None]) -> Figure:
    """The mean, or nothing where a task has no such figure."""
    known = [value for value in values if value is not None]
    return _figure(fmean(known) if len(known) == len(values) else None)


def _spread(scores: TemplateScores) -> Figure:
    error = "" if scores.stderr is None else f" ({scores.stderr:.1f})"
    return Figure(f"{scores.mean:.1f} ± {scores.sd:.1f}{error}")


def _figure(value: float | None) -> Figure:
    return Figure(_NONE if value is None else f"{value:.1f}")
