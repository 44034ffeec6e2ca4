"""A few prompts of each task with the answers of both models, to see what scores are made of."""

import numpy as np

from flanbuild.evaluation.comparison import ScoredRows
from flanbuild.evaluation.record import Sample
from flanbuild.keys import row_keys, task_key

OF_EACH = 2
"""Samples with a right answer of the tuned model, and as many with a wrong one."""


def samples(task: str, scored: ScoredRows) -> tuple[Sample, ...]:
    """OF_EACH right and wrong answers of the tuned model, each of another row; fewer where there are fewer.

    Task, row and template are the key of the choice. Right is an answer that equals a reference up to outer white space, whatever the task's metrics are.
    """
    rows, tuned = scored.rows, scored.answers["tuned"].predictions
    keys = row_keys(task_key(0, "samples", task), np.asarray(rows.row), np.asarray(rows.template))
    right = [
        predicted.strip() in {reference.strip() for reference in references}
        for predicted, references in zip(tuned, rows.references, strict=True)
    ]
    chosen: list[int] = []
    for wanted in (True, False):
        taken: set[int] = set()
        for index in np.argsort(keys, kind="stable").tolist():
            if right[index] is wanted and rows.row[index] not in taken and len(taken) < OF_EACH:
                taken.add(rows.row[index])
                chosen.append(index)
    return tuple(_sample(scored, index, right=right[index]) for index in chosen)


def _sample(scored: ScoredRows, index: int, *, right: bool) -> Sample:
    rows = scored.rows
    return Sample(
        row=rows.row[index],
        template=rows.template[index],
        prompt=rows.prompt[index],
        options=tuple(rows.options[index]),
        answers=tuple(rows.references[index]),
        predictions={role: answers.predictions[index] for role, answers in scored.answers.items()},
        right=right,
    )
