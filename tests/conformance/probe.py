"""Runs a snippet inside a consumer's environment and writes what the consumer has read as JSON.

    python -P probe.py SNIPPET DISTRIBUTION OUT [train]

The snippet leaves `rows` (rows of the mixture), or `batches` (tokens with labels or a mask, one example or a batch at a
time). With `train`, the probe also writes what reaches the model while the snippet trains: the examples, and the loss of
each forward pass. A loop whose loss is outside the model leaves these itself, as `trained` and `losses`. Only the standard
library, and torch with `train`, is imported here.
"""

import json
import runpy
import sys
from importlib.metadata import version
from pathlib import Path

FIELDS = ("prompt", "completion", "task", "template", "row", "repeat")
IGNORED = -100
STEPS = 3
"""Forward passes that count, from the last: OLMo-core begins with a dry run on random tokens."""


def main(snippet, distribution, out, train=""):
    seen = watch() if train else {}
    names = runpy.run_path(snippet, run_name="snippet")
    read = {"version": version(distribution)}
    if "rows" in names:
        read["rows"] = [{name: plain(row[name]) for name in FIELDS if name in row} for row in names["rows"]]
    else:
        read["examples"] = [example for batch in names["batches"] for example in examples_of(batch)]
    if train:
        trained = [*seen["trained"], *names.get("trained", [])][-STEPS:]
        read["trained"] = [example for batch in trained for example in examples_of(batch)]
        read["losses"] = [float(loss) for loss in (*seen["losses"], *names.get("losses", []))][-STEPS:]
        read["steps"] = seen["steps"]
    Path(out).write_text(json.dumps(read), encoding="utf-8")


def watch():
    """Batches and losses of the models that take labels, and steps of optimizers, filled in while a snippet trains."""
    from torch.nn.modules.module import register_module_forward_hook
    from torch.optim.optimizer import register_optimizer_step_post_hook

    seen = {"trained": [], "losses": [], "steps": 0}

    def after_forward(module, args, kwargs, output):
        ids = kwargs.get("input_ids", args[0] if args else None)
        if module.training and kwargs.get("labels") is not None and ids is not None and ids.ndim == 2:
            seen["trained"].append(batch_of(module, ids, kwargs))
            seen["losses"].append(output.loss.detach())

    def after_step(optimizer, args, kwargs):
        seen["steps"] += 1

    register_module_forward_hook(after_forward, with_kwargs=True)
    register_optimizer_step_post_hook(after_step)
    return seen


def batch_of(module, ids, kwargs):
    """The tensors of one forward pass; OLMo-core shifts labels before the model, transformers inside it."""
    names = ("labels", "attention_mask", "position_ids")
    batch = {name: kwargs[name].clone() for name in names if kwargs.get(name) is not None}
    batch["input_ids"] = ids.clone()
    if type(module).__module__.startswith("olmo_core"):
        batch["labels"] = batch["labels"].roll(1, dims=-1)
    return batch


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
