"""A folder as `evaluate` writes it: two held-out tasks and a trained one, two templates each, without any model."""

from pathlib import Path
from typing import Any

from flanbuild.artifacts.records import (
    ContaminationMatch,
    ContaminationRecord,
    HeldOutGroup,
    HeldOutTask,
    ReferenceCount,
    SourceRecord,
    read_record,
    write_record,
)
from flanbuild.evaluation.record import (
    Difference,
    MetricScores,
    ModelRun,
    Sample,
    SampleRecord,
    ScoreRecord,
    TemplateScores,
    TrainedTask,
    TrainingRun,
)
from flanbuild.model.record import Environment, MixtureRef, TrainedCounts

SAMPLE = SourceRecord(
    kind="sample",
    repo="aps/super_glue",
    config="rte",
    commit="sample of 200 rows",
    license="mit",
    digest="a" * 64,
)
HUB = SAMPLE.model_copy(update={"kind": "hub", "commit": "c" * 40})
ENVIRONMENT = Environment(device="cpu", versions={"torch": "2.13.0"})
MATCH = ContaminationMatch(
    task="wnli",
    reference="wsc",
    item=1_901,
    question=2,
    passage=3,
    exact=180,
    test_items=83,
    dev_items=4,
    examples=((5, 6),),
)
NOT_SEARCHED = ContaminationRecord(
    rule="drop", ngram=8, threshold=0.3, normalization=1, matching=1, references={}, found=()
)
SEARCHED = NOT_SEARCHED.model_copy(
    update={"references": {"wsc": ReferenceCount(rows=1_104, digest="d" * 64)}}
)


def template_scores(mean: float) -> TemplateScores:
    """Two templates, five above and below their mean."""
    return TemplateScores(
        mean=mean,
        sd=5.0,
        stderr=2.5,
        best=mean + 5,
        best_template=0,
        worst=mean - 5,
        worst_template=1,
        best_on_dev=mean - 5,
        best_on_dev_template=1,
        templates=2,
    )


def metric_scores(tuned: float, untuned: float | None = 40.0, rows: int = 20) -> MetricScores:
    """One metric; the difference has an interval of 11 on each side."""
    difference = None
    if untuned is not None:
        mean = tuned - untuned
        difference = Difference(mean=mean, low=mean - 11, high=mean + 11, stderr=5.6)
    return MetricScores(
        rows=rows,
        tuned=template_scores(tuned),
        untuned=None if untuned is None else template_scores(untuned),
        difference=difference,
        majority=50.0,
        random=50.0,
    )


def model_run(**changes: Any) -> ModelRun:
    """A small model from a folder."""
    values = {
        "name": None,
        "revision": None,
        "weights": {"model.safetensors": "w" * 64},
        "architecture": "llama",
        "parameters": 665_728,
        "tokenizer": "t" * 64,
        "dtype": "float32",
        "attention": "sdpa",
        "ranking": "trees",
        "truncated_prompts": {},
        "border_merges": {},
    }
    return ModelRun(**values | changes)


def score_record(**changes: Any) -> ScoreRecord:
    """Scores on sample rows: rte and cb of nli held out, trec trained on, paraphrase held out with nli."""
    tasks = {"rte": metric_scores(60.0), "cb": metric_scores(55.0)}
    held = HeldOutTask(
        dataset="d", cluster="nli", type="classification", metrics=("accuracy",), source_digest="a" * 64
    )
    values = {
        "mixture": MixtureRef(name="toy", digest="0123"),
        "training": TrainingRun(
            base="random weights",
            config={"steps": 100, "learning_rate": 0.003},
            used=TrainedCounts(
                steps=100, examples=3_923, tokens=400_000, completion_tokens=80_000, examples_not_reached=7
            ),
            dtype="float32",
            environment=ENVIRONMENT,
        ),
        "trained_on": {
            "trec": TrainedTask(cluster="misc", source=SAMPLE, examples=300, repeats=2),
            "copa": TrainedTask(cluster="commonsense", source=SAMPLE, examples=100, repeats=1),
        },
        "holdout": ("nli",),
        "held_out": {
            "nli": HeldOutGroup(asked=True, rule="held out: --holdout nli", tasks={"rte": held, "cb": held}),
            "paraphrase": HeldOutGroup(
                asked=False,
                rule="related to nli (paper, section 2.2)",
                tasks={"mrpc": held.model_copy(update={"cluster": "paraphrase"})},
            ),
        },
        "related_in_training": {},
        "sources": {"rte": SAMPLE, "cb": SAMPLE, "trec": SAMPLE},
        "contamination": SEARCHED,
        "protocol": "flan",
        "config": {"examples": 20, "templates": 2, "tokenizer": None},
        "evaluation_sets": {"rte": {"test": "1" * 32}, "cb": {"test": "2" * 32}},
        "models": {"tuned": model_run(), "untuned": model_run(weights={"model.safetensors": "v" * 64})},
        "not_asked": {},
        "scores": {"nli": {name: {"accuracy": one} for name, one in tasks.items()}},
        "seen": {"misc": {"trec": {"accuracy": metric_scores(80.0)}}},
        "metrics": {"rte": ("accuracy",), "cb": ("accuracy",), "trec": ("accuracy",)},
        "not_evaluated": {},
        "environment": ENVIRONMENT,
    }
    return ScoreRecord.of(**values | changes)


def sample(**changes: Any) -> Sample:
    """A wrong answer of the tuned model."""
    values = {
        "row": 7,
        "template": 1,
        "prompt": "It rains. Is the street wet?\n",
        "options": ("yes", "no"),
        "answers": ("yes",),
        "predictions": {"tuned": "no", "untuned": "yes"},
        "right": False,
    }
    return Sample(**values | changes)


def write_evaluation(folder: Path, **changes: Any) -> Path:
    """Writes the folder, with keys of `score_record` to change."""
    folder.mkdir(parents=True)
    write_record(folder / "scores.json", score_record(**changes))
    samples = {"rte": (sample(right=True, predictions={"tuned": "yes", "untuned": "no"}), sample())}
    write_record(folder / "samples.json", SampleRecord.of(samples=samples))
    lines = [
        f"{model},nli,{task},test,accuracy,{template},{mean + 5 - 10 * template},20"
        for model, means in (("tuned", {"rte": 60, "cb": 55}), ("untuned", {"rte": 40, "cb": 40}))
        for task, mean in means.items()
        for template in (0, 1)
    ]
    header = "model,cluster,task,split,metric,template,score,rows"
    (folder / "templates.csv").write_text("\n".join([header, *lines, ""]))
    (folder / "training.csv").write_text("step,loss,learning_rate\n1,5.0,0.1\n2,4.0,0.1\n")
    (folder / "validation.csv").write_text("step,loss\n2,4.5\n")
    return folder


def change(folder: Path, **changes: Any) -> None:
    """Changes keys of `scores.json`."""
    record = read_record(folder / "scores.json", ScoreRecord)
    write_record(folder / "scores.json", record.with_changes(**changes))
