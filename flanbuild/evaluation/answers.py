"""The answers of one model to one task, computed once: an evaluation that was killed continues from what it has.

Answers are kept in the folder `.NAME.answers` beside the folder NAME of the evaluation, under a digest of all that
decides them, until the evaluation is written. Another model, protocol or evaluation set has other digests, so that
nothing stale is ever used.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from flanbuild.artifacts.arrow import read_table, write_table
from flanbuild.artifacts.files import digest_of
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.record import ModelRun, Split
from flanbuild.evaluation.rows import EvaluationRows, EvaluationTask
from flanbuild.evaluation.scores import Answers, chosen
from flanbuild.model.record import model_versions
from flanbuild.progress import Advance

if TYPE_CHECKING:
    from flanbuild.evaluation.models import EvalModel
    from flanbuild.evaluation.ranking import Method

_SCHEMA = pa.schema([("prediction", pa.string()), ("logliks", pa.list_(pa.float64()))])
_COUNTS = b"counts"
_SETTINGS = ("protocol", "prompt_length", "max_new_tokens", "template")
"""Settings that decide answers. Batch sizes do not, up to float noise, so that they may be lowered for a second try."""


@dataclass(frozen=True)
class Answered:
    """Answers with what tokenization did to the texts, by name of a field of ModelRun."""

    answers: Answers
    counts: Mapping[str, int]


@dataclass(frozen=True)
class AnswerStore:
    """The answers that an evaluation has so far."""

    folder: Path

    def find(self, key: str) -> Answered | None:
        """The answers under a key, if they were stored."""
        path = self.folder / f"{key}.arrow"
        if not path.is_file():
            return None
        table = read_table(path)
        answers = Answers(table["prediction"].to_pylist(), table["logliks"].to_pylist())
        return Answered(answers, json.loads(table.schema.metadata[_COUNTS]))

    def keep(self, key: str, answered: Answered) -> None:
        """Stores answers under a key."""
        columns = {"prediction": answered.answers.predictions, "logliks": answered.answers.logliks}
        schema = _SCHEMA.with_metadata({_COUNTS: json.dumps(dict(answered.counts))})
        write_table(self.folder / f"{key}.arrow", pa.table(columns, schema=schema))


def answers_key(
    run: ModelRun,
    device: str,
    task: EvaluationTask,
    split: Split,
    rows: EvaluationRows,
    config: EvaluateConfig,
) -> str:
    """The digest of all that decides the answers of a model to the rows of a task."""
    settings = {name: value for name, value in asdict(config).items() if name in _SETTINGS}
    return digest_of(
        [
            run.model_dump(mode="json"),
            device,
            model_versions(),
            settings,
            task.task,
            split,
            task.digests[split],
            rows.count,
            sorted(set(rows.template)),
        ]
    )


def answer(
    model: "EvalModel", method: "Method", rows: EvaluationRows, task: str, advance: Advance
) -> Answered:
    """Asks a model: ranks the options of each row, or generates text where a row has none.

    Raises ExecutionError, naming the task, if the model's scores are not finite.
    """
    from flanbuild.evaluation.generation import generate
    from flanbuild.evaluation.ranking import loglikelihoods
    from flanbuild.evaluation.requests import generation_requests, ranking_requests

    cut = 0
    if rows.ranked:
        asked = ranking_requests(model, rows.prompt, rows.options, task=task)
        logliks = asked.by_row(loglikelihoods(model, asked.requests, method, advance, task=task))
        answers = Answers(chosen(rows, logliks), logliks)
    else:
        asked = generation_requests(model, rows.prompt, task=task)
        generated = generate(model, asked.requests, advance, task=task)
        answers = Answers(generated.texts, [[] for _ in generated.texts])
        cut = generated.cut
    return Answered(
        answers,
        {
            "truncated_prompts": asked.truncated_prompts,
            "border_merges": asked.border_merges,
            "unknown_tokens": asked.unknown_tokens,
            "equal_options": asked.equal_options,
            "cut_answers": cut,
        },
    )
