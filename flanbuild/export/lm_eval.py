"""The held-out tasks of a mixture for lm-evaluation-harness 0.4.13: one harness task per template, and groups.

    flanbuild export data/mixtures/flan2021-without-nli --to lm-eval --out lm_eval_tasks
    lm_eval --model hf --model_args pretrained=models/nli --include_path lm_eval_tasks --tasks flanbuild

`rte_t3.yaml` scores the rows of `rows/rte_t3.parquet`, the test rows of rte under template 3. The harness reads local
files only by a path that does not depend on the folder it runs in, for which it needs `rows.py`: YAML alone would have
to name an absolute path. With protocol `lm-eval`, `flanbuild evaluate` gives the numbers of the harness.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.comments import TaggedScalar

from flanbuild.artifacts.arrow import parquet_writer
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.protocols import HARNESS_STOP
from flanbuild.evaluation.rows import EvaluationRows, EvaluationTask, held_out_tasks
from flanbuild.export.record import ExportedTask
from flanbuild.export.view import ExportRequest, Written
from flanbuild.progress import Progress

EVALUATION = Path("data/evaluation")
"""Where evaluation sets are unless --evaluation says otherwise."""
GROUP = "flanbuild"
"""The group of all exported tasks; `flanbuild_rte` is that of one task, `flanbuild_rte_t3` one template of it."""
_ROWS = "rows"
_LOADER = '''\
"""Loads the rows of a task from the folder of this file, wherever it lies."""

from pathlib import Path

from datasets import load_dataset


def load(file, **_):
    return load_dataset("parquet", data_files={"test": str(Path(__file__).parent / "rows" / file)})
'''
_SCHEMA = pa.schema(
    [
        ("prompt", pa.string()),
        ("options", pa.list_(pa.string())),
        ("label", pa.int64()),
        ("answer", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("row", pa.int64()),
        ("template", pa.int16()),
    ]
)
_RANKED = ("acc", "acc_norm", "acc_bytes")
_STRIPPED = {"metric": "exact_match", "regexes_to_ignore": [r"^\s+", r"\s+$"]}
_GENERATED: Mapping[str, dict[str, Any]] = {
    "accuracy": _STRIPPED,
    "exact_match": _STRIPPED,
    "squad_em": {**_STRIPPED, "ignore_case": True, "ignore_punctuation": True},
    "bleu": {"metric": "bleu"},
}
"""Our metric -> the harness's for generated text. Tasks with none of them are scored by exact match."""


def write(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes YAML files, rows and `rows.py` into `folder`."""
    _, declared = held_out_tasks(request.mixture, request.evaluation or EVALUATION)
    tasks = [task for task in declared if not task.missing]
    exported, notes = {}, {}
    (folder / _ROWS).mkdir()
    (folder / f"{_ROWS}.py").write_text(_LOADER, encoding="utf-8")
    with progress(len(tasks), "export lm-eval") as advance:
        for task in tasks:
            rows = task.rows("test", request.examples, request.templates)
            templates = tuple(sorted(set(rows.template)))
            for template in templates:
                _write_template(folder, task, rows.under(template), template)
            members = [_name(task.task, template) for template in templates]
            _write_yaml(folder / f"{_file(task.task)}.yaml", _group(_name(task.task), members, rows))
            exported[task.task] = ExportedTask(
                cluster=task.cluster, rows=rows.count, templates=templates, source=task.digests["test"]
            )
            if note := _difference(task, rows):
                notes[task.task] = note
            advance(1)
    _write_yaml(
        folder / f"{GROUP}.yaml", {"group": GROUP, "task": [_name(task) for task in sorted(exported)]}
    )
    return Written(
        tasks=exported, left_out={task.task: task.missing for task in declared if task.missing}, notes=notes
    )


def _write_template(folder: Path, task: EvaluationTask, rows: EvaluationRows, template: int) -> None:
    file = f"{_file(task.task)}_t{template}"
    labels = [
        options.index(answer) if options else -1
        for options, answer in zip(rows.options, rows.answer, strict=True)
    ]
    table = pa.table(
        {
            "prompt": rows.prompt,
            "options": rows.options,
            "label": labels,
            "answer": rows.answer,
            "answers": [list(references) for references in rows.references],
            "row": rows.row,
            "template": rows.template,
        },
        schema=_SCHEMA,
    )
    with parquet_writer(folder / _ROWS / f"{file}.parquet", _SCHEMA) as writer:
        writer.write_table(table)
    values = {
        "task": _name(task.task, template),
        "custom_dataset": TaggedScalar(f"{_ROWS}.load", tag="!function"),
        "dataset_kwargs": {"file": f"{file}.parquet"},
        "test_split": "test",
        "num_fewshot": 0,
        **(_ranked(task, rows) if rows.ranked else _generated(task)),
        "metadata": {"version": 1.0},
    }
    _write_yaml(folder / f"{file}.yaml", values)


def _ranked(task: EvaluationTask, rows: EvaluationRows) -> dict[str, Any]:
    metrics = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in _RANKED]
    if "f1" in task.metrics and len(rows.classes) == 2:  # the harness's F1 is that of the second of two
        metrics.append({"metric": "f1", "aggregation": "f1", "higher_is_better": True})
    return {
        "output_type": "multiple_choice",
        "doc_to_text": "prompt",
        "doc_to_choice": "options",
        "doc_to_target": "label",
        "target_delimiter": "",  # the prompt ends with the separator
        "metric_list": metrics,
    }


def _generated(task: EvaluationTask) -> dict[str, Any]:
    metric = next((_GENERATED[name] for name in task.metrics if name in _GENERATED), _STRIPPED)
    corpus = metric["metric"] == "bleu"
    return {
        "output_type": "generate_until",
        "doc_to_text": "prompt",
        "doc_to_target": "answer" if corpus else "answers",
        "target_delimiter": "",
        "generation_kwargs": {
            "until": [HARNESS_STOP],
            "do_sample": False,
            "max_gen_toks": EvaluateConfig().max_new_tokens,
        },
        "metric_list": [{**metric, "aggregation": "bleu" if corpus else "mean", "higher_is_better": True}],
    }


def _group(name: str, members: list[str], rows: EvaluationRows) -> dict[str, Any]:
    """The templates of one task; where options are ranked, with the mean over templates."""
    means = [{"metric": metric, "aggregation": "mean", "weight_by_size": False} for metric in _RANKED]
    return {"group": name, "task": members, **({"aggregate_metric_list": means} if rows.ranked else {})}


def _difference(task: EvaluationTask, rows: EvaluationRows) -> str:
    """In what the harness's numbers for a task differ from ours; empty where they do not."""
    if rows.ranked:
        others = [name for name in task.metrics if name not in ("accuracy", "f1")]
        return f"the harness has no {', '.join(others)}" if others else ""
    main = task.metrics[0]
    if main in ("accuracy", "exact_match"):
        return ""
    if main == "bleu":
        return "the harness computes BLEU with tokenizer 13a and one reference, flanbuild with intl and all references"
    return f"the harness has no {main}; it computes exact_match"


def _name(task: str, template: int | None = None) -> str:
    return f"{GROUP}_{_file(task)}" + ("" if template is None else f"_t{template}")


def _file(task: str) -> str:
    return task.replace("/", "_")


def _write_yaml(path: Path, value: dict[str, Any]) -> None:
    yaml = YAML()
    yaml.width = 1000
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(value, file)
