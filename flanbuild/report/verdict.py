"""What an evaluation says, in sentences that are computed from its figures."""

from collections.abc import Iterable, Sequence

from flanbuild.evaluation.record import Difference, ScoreRecord
from flanbuild.evaluation.results import LEAST_ROWS, Means, means
from flanbuild.report.evaluations import Evaluation, source_kinds

SOURCES = {
    "sample": "the embedded sample world, not the real datasets",
    "mirror": "a mirror folder, which may hold a part of the rows of a dataset",
    "hub": "the datasets on the hub, at pinned commits",
    "files": "local files",
}
"""Kind of source → what a reader is told of its rows."""
MINUS = "−"


def lead(evaluation: Evaluation) -> str:
    """Model, parameters, steps, examples seen, source of the rows and number of rows, in this order."""
    record = evaluation.record
    main = evaluation.main
    tasks = [task for scored in record.scores.values() for task in scored]
    rows = sum(main[task].rows for task in tasks)
    return (
        f"Model: {model(record)}, {_training(record)}. Source of the rows: {sources(record)}. Scored zero-shot on"
        f" {counted(len(tasks), 'held-out task')}, n = {rows:,} rows."
    )


def overview(evaluations: Sequence[Evaluation]) -> str:
    """The first sentence of a report over several evaluations: how many there are, and the source of their rows."""
    found = "; ".join(sorted({sources(evaluation.record) for evaluation in evaluations}))
    return f"{counted(len(evaluations), 'evaluation')}. Source of the rows: {found}."


def model(record: ScoreRecord) -> str:
    """Name or architecture, and parameters, of the tuned model."""
    run, untuned = record.models["tuned"], record.models.get("untuned")
    base = ""
    if record.training and record.training.base == "model":
        base = f", fine-tuned from {(untuned and untuned.name) or 'a model in a folder'}"
    return f"{run.name or run.architecture}, {run.parameters:,} parameters{base}"


def _training(record: ScoreRecord) -> str:
    if record.training is None:
        return "not trained by flanbuild"
    start = "from random weights " if record.training.base == "random weights" else ""
    mixture = f"of the mixture {record.mixture.name} without {', '.join(record.holdout)}"
    used = record.training.used
    if used is None:
        return f"trained {start}for {record.training.config['steps']:,} steps on examples {mixture}"
    return f"trained {start}for {used.steps:,} steps on {used.examples:,} examples {mixture}"


def sources(record: ScoreRecord) -> str:
    """Where the rows come from: those that are scored, and those of the mixture if they come from elsewhere."""
    scored = source_kinds(record)
    trained = sorted({task.source.kind for task in record.trained_on.values()})
    if trained in ([], scored):
        return _kinds(scored)
    return f"scored rows: {_kinds(scored)}; training rows: {_kinds(trained)}"


def synthetic(record: ScoreRecord) -> bool:
    """Whether any row, scored or trained on, comes from the embedded sample world."""
    return "sample" in {*source_kinds(record), *(task.source.kind for task in record.trained_on.values())}


def verdict(evaluation: Evaluation) -> str:
    """Whether training helped on what was held out, and on trained tasks, as far as the rows tell."""
    record = evaluation.record
    found = means(evaluation.held_out)
    sentences = [f"Held out: {', '.join(record.holdout)}."]
    if found is None:
        sentences.append(f"No held-out task has {LEAST_ROWS} rows or more, so no mean over tasks is given.")
    else:
        sentences += [_means(found), _difference(found, record)]
        sentences += _baselines(found)
    sentences += [*_constant(record), *_contaminated(record)]
    if record.seen:
        sentences.append(_seen(evaluation))
    return " ".join(sentences)


def _means(found: Means) -> str:
    tuned, untuned = found.figures["tuned"], found.figures.get("untuned")
    beside = "" if untuned is None else f", untuned {untuned:.1f}"
    return f"Mean over {counted(found.tasks, 'task')} (n = {found.rows:,} rows): tuned {tuned:.1f}{beside}."


def _difference(found: Means, record: ScoreRecord) -> str:
    difference = found.difference
    if difference is None:
        reason = record.not_asked.get("untuned")
        because = f" ({reason.rstrip('.')})" if reason else ""
        return f"The model before training was not scored{because}, so these figures do not say whether training helped."
    if difference.low is None or difference.high is None:
        return "There are too few rows for an interval of the difference."
    return f"The 95 % interval of the difference, {interval(difference)}, {_position(difference.low, difference.high)}"


def _position(low: float, high: float) -> str:
    if low > 0:
        return "lies above 0: training helped on what was held out."
    if high < 0:
        return "lies below 0: training made the model worse on what was held out."
    return "includes 0: these rows do not show that training helped on what was held out."


def _baselines(found: Means) -> list[str]:
    majority = found.figures.get("majority")
    if majority is None:
        return []
    place = "above" if found.figures["tuned"] > majority else "not above"
    return [f"Always giving the most common answer scores {majority:.1f}; the tuned model is {place} it."]


def _constant(record: ScoreRecord) -> list[str]:
    """A model that always gives one answer has learned nothing that a score shows."""
    tasks = {task: metrics for scored in record.scores.values() for task, metrics in scored.items()}
    given = record.models["tuned"].constant
    same = [
        task
        for task, metrics in tasks.items()
        if sum(given.get(task, {}).values()) == metrics[record.metrics[task][0]].tuned.templates
    ]
    if not same:
        return []
    return [
        f"In {len(same)} of {counted(len(tasks), 'held-out task')} the tuned model gives all rows the same answer, under every template."
    ]


def _contaminated(record: ScoreRecord) -> list[str]:
    """What of the scored rows stands in training rows, unless the rule of the mixture removed them."""
    scored = {task for tasks in record.scores.values() for task in tasks}
    if record.contamination.rule == "drop":
        return []
    rows = sum(match.test_items for match in record.contamination.found if match.reference in scored)
    return (
        [f"Training rows carry up to {rows:,} test rows of scored tasks (see Contamination)."] if rows else []
    )


def _seen(evaluation: Evaluation) -> str:
    found = means(evaluation.seen)
    if found is None:
        return f"Trained tasks: none has {LEAST_ROWS} scored rows or more, so no mean is given."
    text = f"Trained tasks, on rows that were not trained on: {_means(found)[0].lower()}{_means(found)[1:-1]}"
    if found.difference is None or found.difference.low is None or found.difference.high is None:
        return f"{text}."
    low, high = found.difference.low, found.difference.high
    shows = "These rows do not show that the model learned them."
    if low > 0:
        shows = "The model learned from its training."
    if high < 0:
        shows = "Training made the model worse on what it was trained on."
    return f"{text}, difference {interval(found.difference)}. {shows}"


def interval(difference: Difference) -> str:
    """A difference with its interval, such as `+6.1 [−16.7, +28.9]`."""
    if difference.low is None or difference.high is None:
        return signed(difference.mean)
    return f"{signed(difference.mean)} [{signed(difference.low)}, {signed(difference.high)}]"


def signed(value: float) -> str:
    """A number with its sign and one decimal; a zero has none.

    >>> signed(-0.04), signed(-1.25), signed(3)
    ('0.0', '−1.2', '+3.0')
    """
    text = f"{value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", MINUS)


def counted(count: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "task"), counted(1200, "task")
    ('1 task', '1,200 tasks')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _kinds(kinds: Iterable[str]) -> str:
    return "; ".join(SOURCES[kind] for kind in kinds)
