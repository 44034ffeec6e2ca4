"""What a consumer has read, compared with the mixture: rows as they are, tokens and labels one by one."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

IGNORED = -100
STEPS = 3
"""Steps that each trainer takes."""

Row = Mapping[str, Any]
Example = Mapping[str, list[int]]


def row_faults(read: Sequence[Row], expected: Sequence[Row]) -> list[str]:
    """How the rows that were read differ from the mixture's, as a set with repeats, in the columns that were read."""
    if not read:
        return ["no row was read"]
    columns = tuple(read[0])
    theirs, ours = (
        Counter(tuple(row[name] for name in columns) for row in rows) for rows in (read, expected)
    )
    faults = [f"{(theirs - ours).total()} rows are not in the mixture"] if theirs - ours else []
    return faults + ([f"{(ours - theirs).total()} rows are missing"] if ours - theirs else [])


def in_order(read: Sequence[Row], expected: Sequence[Row]) -> bool:
    """Whether the prompts that were read have the order of the shards."""
    return [row["prompt"] for row in read] == [row["prompt"] for row in expected]


def label_faults(examples: Sequence[Example], expected: Sequence[Row], tokenizer: Any) -> Counter[str]:
    """Fault -> examples that have it. Every row must come whole, as often as the mixture has it."""
    faults: Counter[str] = Counter()
    missing = Counter((row["prompt"], row["completion"]) for row in expected)
    for example in examples:
        faults.update(_token_faults(example, tokenizer))
        prompt, completion = _texts(example, tokenizer)
        if missing[prompt, completion]:
            missing[prompt, completion] -= 1
        else:
            faults[_text_fault(prompt, completion, expected)] += 1
    if len(expected) > len(examples):
        faults["rows are missing"] = len(expected) - len(examples)
    return faults


def step_faults(training: Mapping[str, Any], tokenizer: Any) -> list[str]:
    """What is wrong with the steps of a trainer: their number, the loss, or examples other than those compared.

    `training` has the optimizer's `steps`, the `losses` of the last forward passes, the examples `trained` in them, and
    the `examples` that were compared with the mixture.
    """
    faults = []
    if training["steps"] < STEPS:
        faults.append(f"{training['steps']} steps instead of {STEPS}")
    if len(training["losses"]) != STEPS:
        faults.append(f"{len(training['losses'])} losses instead of {STEPS}")
    if not all(map(math.isfinite, training["losses"])):
        faults.append("the loss is not finite")
    if strange := others(training["trained"], training["examples"], tokenizer):
        faults.append(f"{strange} of {len(training['trained'])} examples in training are not those compared")
    return faults


def others(examples: Sequence[Example], compared: Sequence[Example], tokenizer: Any) -> int:
    """Examples that are none of those compared, whatever the padding."""
    known = {str(_stripped(example, tokenizer)) for example in compared}
    return sum(str(_stripped(example, tokenizer)) not in known for example in examples)


def ends(examples: Sequence[Example], tokenizer: Any) -> int:
    """Examples whose last token is the end token and is trained."""
    return sum(_stripped(example, tokenizer)[1][-1:] == [tokenizer.eos_token_id] for example in examples)


def _token_faults(example: Example, tokenizer: Any) -> list[str]:
    ids, labels = _stripped(example, tokenizer)
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    trained = [label != IGNORED for label in labels]
    faults = {
        "a label is another token than its input": any(
            label not in (IGNORED, token) for token, label in zip(ids, labels, strict=True)
        ),
        "begin token twice": ids.count(begin) > 1,
        "begin token not at the start": begin in ids[1:] and ids.count(begin) == 1,
        "no end token": end not in ids,
        "end token twice": ids.count(end) > 1,
        "end token without loss": end in ids and end not in labels,
        "the loss has gaps": True in trained and False in trained[trained.index(True) :],
    }
    return [name for name, found in faults.items() if found]


def _texts(example: Example, tokenizer: Any) -> tuple[str, str]:
    """The text without loss and the text with loss, special tokens at the start and the end left out."""
    ids, labels = _stripped(example, tokenizer)
    special = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    border = next((n for n, label in enumerate(labels) if label != IGNORED), len(labels))
    before, whole = (
        tokenizer.decode(
            [token for token in part if token not in special], clean_up_tokenization_spaces=False
        )
        for part in (ids[:border], ids)
    )
    return before, whole.removeprefix(before)


def _stripped(example: Example, tokenizer: Any) -> tuple[list[int], list[int]]:
    """Input ids and labels without padding."""
    pairs = [
        pair
        for pair in zip(example["input_ids"], example["labels"], strict=True)
        if pair[0] != tokenizer.pad_token_id
    ]
    return [token for token, _ in pairs], [label for _, label in pairs]


def _text_fault(prompt: str, completion: str, expected: Sequence[Row]) -> str:
    if any((prompt, completion) == (row["prompt"], row["completion"]) for row in expected):
        return "the row came before"
    if any(prompt + completion == row["prompt"] + row["completion"] for row in expected):
        return "the border of the loss is not that of the completion"
    if any(prompt == row["prompt"] and completion == f" {row['completion']}" for row in expected):
        return "a space is added before the completion"
    squeezed = "".join((prompt + completion).split())
    if any(squeezed == "".join((row["prompt"] + row["completion"]).split()) for row in expected):
        return "white space differs"
    return "the text differs"
