"""The code a user would write with `datasets` instead: one function per comparison, without flanbuild.

python benchmarks/peers.py mix RENDERED OUT
"""

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

SHARDS = 16
MANY, FEW = 300_000, 20_000


def mix(rendered: Path, out: Path) -> None:
    """Concatenates, shuffles and saves. Files are mapped, not copied to a cache first, which saves a pass."""
    from datasets import Dataset, concatenate_datasets

    shutil.rmtree(out, ignore_errors=True)
    opened = [
        Dataset(pa.ipc.open_file(pa.memory_map(str(path))).read_all(), fingerprint=path.parent.name)
        for path in sorted(rendered.rglob("train.arrow"))
    ]
    concatenate_datasets(opened).shuffle(seed=0).save_to_disk(str(out), num_shards=SHARDS)


def render_jinja(raw: Path, out: Path) -> None:
    """Maps row by row, with templates compiled once."""
    from jinja2 import Environment

    language = Environment(keep_trailing_newline=True)
    templates = {
        name: [[language.from_string(text) for text in pair] for pair in shape["jinja"]]
        for name, shape in _shapes(raw).items()
    }

    def under(name: str) -> Callable[[dict[str, Any], int], dict[str, Any]]:
        def one(row: dict[str, Any], index: int) -> dict[str, Any]:
            number = index % len(templates[name])
            prompt, completion = templates[name][number]
            fields = FIELDS[name](row)
            return {
                "prompt": prompt.render(fields),
                "completion": completion.render(fields),
                "template": number,
            }

        return one

    _map(raw, out, under, batched=False)


def render_batched(raw: Path, out: Path) -> None:
    """Maps batches of a thousand rows with `str.format`; the templates are data, as in flanbuild."""
    templates = {name: shape["format"] for name, shape in _shapes(raw).items()}

    def under(name: str) -> Callable[[dict[str, list[Any]], list[int]], dict[str, Any]]:
        def many(columns: dict[str, list[Any]], indices: list[int]) -> dict[str, Any]:
            prompts, completions, numbers = [], [], []
            rows = (dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True))
            for row, index in zip(rows, indices, strict=True):
                number = index % len(templates[name])
                fields = FIELDS[name](row)
                prompts.append(templates[name][number][0].format_map(fields))
                completions.append(templates[name][number][1].format_map(fields))
                numbers.append(number)
            return {"prompt": prompts, "completion": completions, "template": numbers}

        return many

    _map(raw, out, under, batched=True)


def read(folder: Path, _: Path) -> None:
    """Iterates over rows as dictionaries, reads some at random, then skips to the middle and continues."""
    from datasets import Dataset, concatenate_datasets

    start = time.perf_counter()
    parts = [
        Dataset(pa.ipc.open_file(pa.memory_map(str(path))).read_all(), fingerprint=path.name)
        for path in sorted(folder.glob("train/*.arrow"))
    ]
    rows = concatenate_datasets(parts)
    opened = time.perf_counter() - start
    print(json.dumps({"open": opened} | measure_reading(rows)))


def measure_reading(rows: Any) -> dict[str, float]:
    """Rows per second in order and at random, for anything with `len`, `iter` and `[]`."""
    many, few = min(MANY, len(rows)), min(FEW, len(rows))
    start = time.perf_counter()
    for number, _ in enumerate(rows):
        if number == many - 1:
            break
    in_order = time.perf_counter() - start
    places = [Random(0).randrange(len(rows)) for _ in range(few)]
    start = time.perf_counter()
    for place in places:
        rows[place]
    return {"in order": many / in_order, "at random": few / (time.perf_counter() - start)}


def _shapes(raw: Path) -> dict[str, Any]:
    shapes: dict[str, Any] = json.loads((raw / "templates.json").read_text(encoding="utf-8"))
    return shapes


def _map(raw: Path, out: Path, under: Callable[[str], Any], *, batched: bool) -> None:
    from datasets import Dataset, disable_caching

    disable_caching()
    shutil.rmtree(out, ignore_errors=True)
    for name in _shapes(raw):
        (parquet,) = (raw / "raw").glob(f"*/{name}/train.parquet")
        rows = Dataset.from_parquet(str(parquet), cache_dir=str(out / "cache"))
        rows.map(
            under(name), with_indices=True, batched=batched, remove_columns=rows.column_names
        ).save_to_disk(str(out / name))


def _options(words: list[str]) -> str:
    return "OPTIONS:" + "".join(f"\n- {word}" for word in words)


def _rte(row: dict[str, Any]) -> dict[str, Any]:
    words = ["yes", "no"]
    return {**row, "options_": _options(words), "answer": words[row["label"]]}


def _copa(row: dict[str, Any]) -> dict[str, Any]:
    words = [row["choice1"], row["choice2"]]
    return {**row, "options_": _options(words), "answer": words[row["label"]]}


def _squad(row: dict[str, Any]) -> dict[str, Any]:
    given = {"title": row["title"].replace("_", " "), "question": row["question"].strip()}
    return {**row, **given, "answer": row["answers"]["text"][0]}


def _aeslc(row: dict[str, Any]) -> dict[str, Any]:
    return {"body": " ".join(row["email_body"].split()), "subject": " ".join(row["subject_line"].split())}


FIELDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "rte": _rte,
    "copa": _copa,
    "squad": _squad,
    "aeslc": _aeslc,
}
"""The SQL of the task files, in Python."""

if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
