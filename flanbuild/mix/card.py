"""The dataset card of a mixture folder: README.md, whose `configs` let `load_dataset(folder)` find the splits."""

import pyarrow as pa

from flanbuild.artifacts.arrow import TRAIN_SCHEMA
from flanbuild.artifacts.records import Manifest

CARD = "README.md"


def card(manifest: Manifest) -> str:
    """The card's text.

    The description is the mixture's digest: `datasets` caches a folder by what `configs` says, so without it a
    rebuilt folder would give the old rows.
    """
    splits = [split for split, shards in manifest.shards.items() if any(shard.rows for shard in shards)]
    lines = [
        "---",
        "configs:",
        "- config_name: default",
        f"  description: {manifest.digest}",
        "  data_files:",
    ]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: {split}/*.arrow"]
    lines += ["dataset_info:", "  features:", *_features(), "  splits:"]
    for split in splits:
        shards = manifest.shards[split]
        lines += [f"  - name: {split}", f"    num_bytes: {sum(shard.bytes for shard in shards)}"]
        lines += [f"    num_examples: {manifest.rows[split]}"]
    holdout = ", ".join(manifest.holdout) or "nothing"
    rows = manifest.rows
    lines += ["---", "", f"# {manifest.name}, {holdout} held out", ""]
    lines += [f"{rows['train']:,} training and {rows['validation']:,} validation examples.", ""]
    lines += [
        "`prompt` + `completion` is the training text. What each task gives, or why it gives nothing:",
        "",
    ]
    lines += ["| task | cluster | license | rows | given | repeats | out because |"]
    lines += ["|---|---|---|--:|--:|--:|---|"]
    for name, task in manifest.tasks.items():
        counts = (f"{task.rows:,}", f"{task.given:,}", str(task.repeats))
        lines.append(table_row(name, task.cluster, task.source.license, *counts, task.out))
    lines += ["", "| license | tasks | given |", "|---|---|--:|"]
    for license_name, count in manifest.licenses.items():
        lines.append(table_row(license_name, ", ".join(count.tasks), f"{count.given:,}"))
    return "\n".join([*lines, *_contamination(manifest), ""])


def _contamination(manifest: Manifest) -> list[str]:
    """What was looked for and what was found, without texts."""
    record = manifest.contamination
    if not record.references:
        return []
    looked = sum(count.rows for count in record.references.values())
    lines = ["", "## Contamination", ""]
    lines += [
        f"Training rows were compared with {looked:,} evaluation rows of {len(record.references)} held-out tasks or "
        f"files (`rule: {record.rule}`, n-grams of {record.ngram} words, threshold {record.threshold})."
    ]
    if not record.found:
        return [*lines, "No training row carries one of them."]
    lines += ["", "| training task | held out | item | question | passage only | exact | test rows found |"]
    lines += ["|---|---|--:|--:|--:|--:|--:|"]
    for match in record.found:
        counts = (match.item, match.question, match.passage, match.exact, match.test_items)
        lines.append(table_row(match.task, match.reference, *(f"{count:,}" for count in counts)))
    removed = sum(task.removed for task in manifest.tasks.values())
    return [*lines, "", f"{removed:,} training rows with an item or a question were left out."]


def _features() -> list[str]:
    """The columns as the `datasets` library names them."""
    lines = []
    for field in TRAIN_SCHEMA:
        is_list = pa.types.is_list(field.type)
        kind = field.type.value_type if is_list else field.type
        lines += [f"  - name: {field.name}", f"    {'list' if is_list else 'dtype'}: {kind}"]
    return lines


def table_row(*cells: str) -> str:
    """A row of a Markdown table; a cell is one line without bars."""
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |"
