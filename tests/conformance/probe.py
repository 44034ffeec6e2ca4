"""Runs a snippet inside a consumer's environment and writes what the consumer has read as JSON.

    python -P probe.py SNIPPET DISTRIBUTION OUT

Only the standard library is imported here. The snippet leaves `rows` (rows of the mixture), or `batches` (tokens
with labels or a mask, one example or a batch at a time).
"""

import json
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

FIELDS = ("prompt", "completion", "task", "template", "row", "repeat")
IGNORED = -100


def main(snippet, distribution, out):
    names = runpy.run_path(snippet, run_name="snippet")
    read = {"version": version(distribution)}
    if "rows" in names:
        read["rows"] = [{name: plain(row[name]) for name in FIELDS if name in row} for row in names["rows"]]
    else:
        read["examples"] = [example for batch in names["batches"] for example in examples_of(batch)]
    Path(out).write_text(json.dumps(read), encoding="utf-8")


def plain(value):
    """A value of numpy or torch, bytes, or a list of values as JSON has it."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def examples_of(batch):
    """Input ids and labels of each example; positions that restart separate examples that are packed in a row."""
    batch = {name: plain(value) for name, value in batch.items()}
    ids = batch.get("input_ids", batch.get("tokens"))
    if not isinstance(ids[0], list):
        batch = {name: [value] for name, value in batch.items()}
        ids = [ids]
    for number, row in enumerate(ids):
        labels = labels_of(batch, number, row)
        kept = batch["attention_mask"][number] if "attention_mask" in batch else [1] * len(row)
        positions = batch["position_ids"][number] if "position_ids" in batch else range(len(row))
        starts = [index for index, position in enumerate(positions) if position == 0]
        for start, end in zip(starts, [*starts[1:], len(row)], strict=True):
            inside = [index for index in range(start, end) if kept[index]]
            yield {"input_ids": [row[i] for i in inside], "labels": [labels[i] for i in inside]}


def labels_of(batch, number, row):
    """The labels of a row; a mask that is true where the loss applies says the same."""
    if "labels" in batch:
        return batch["labels"][number]
    mask = batch["label_mask"][number]
    return [token if trained else IGNORED for token, trained in zip(row, mask, strict=True)]


if __name__ == "__main__":
    main(*sys.argv[1:])
