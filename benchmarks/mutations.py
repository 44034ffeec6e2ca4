"""Damages input files at random and counts what flanbuild does with each: kind of input × tries × outcome.

    python benchmarks/mutations.py                            # a fresh seed, 60 tries of each kind
    python benchmarks/mutations.py --seed 7 --kind csv --try 12   # one try again, with its details

Each try damages one file of a small project in one to three ways and builds from it, in a worker process that is
killed after 20 seconds. The outcomes, and what counts as a fault, are described in docs/robustness.md. The exit code
is 1 if there is a fault. Equal seeds give equal tables.
"""

import argparse
import csv
import gzip
import io
import json
import logging
import multiprocessing
import random
import secrets
import shutil
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from damages import Damage
from ruamel.yaml import YAML

import flanbuild
from flanbuild.artifacts.executor import Workers
from flanbuild.builder import Build
from flanbuild.declare.mixture import Mixture, load_mixture
from flanbuild.declare.requirements import check_mixture
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError, FlanbuildError
from flanbuild.progress import silent
from flanbuild.render.examples import check_expressions
from flanbuild.sources.local import LocalFiles, check_local_files
from flanbuild.sources.raw import download_all

SECONDS = 20
LONGEST_SENTENCE = 1000
"""Characters of an error message, which must not repeat a damaged file"""
UNDAMAGED = -1
"""Number of the try of each kind that damages nothing, and must give the same rows"""
OUTCOMES = ("refused", "healed", "same", "changed", "wrong", "traceback", "endless")
FAULTS = ("wrong", "traceback", "endless")
LABELS = ["entailment", "not_entailment"]
ROWS: list[dict[str, Any]] = [
    {
        "id": number,
        "premise": f"Row {number}: it rains, “{'and rains, ' * (number % 4)}” said Ana; and Ben's dog slept.",
        "hypothesis": f"It is {number} degrees\nand dry." if number % 5 == 4 else f"Ben has {number} dogs.",
        "label": number % 2,
        "score": number / 4,
    }
    for number in range(40)
]
FLAT = [row | {"hypothesis": row["hypothesis"].replace("\n", " ")} for row in ROWS]
"""The same without newlines in cells, which TSV and text cannot hold."""
TASK = """\
source: {files: {train: FILES}, license: cc0-1.0}
columns: {id: int32, premise: string, hypothesis: string, label: class_label, score: float64}
labels: [entailment, not_entailment]
splits: {train: train, validation: {of: train, rows: 4}, test: {of: train, rows: 4}}
where: {short: length(premise) < 200}
fields: {premise: premise, hypothesis: hypothesis}
options: {entailment: yes, not_entailment: no}
metrics: [accuracy]
templates:
  - inputs: |
      {premise}
      Does it follow that "{hypothesis}"?
      {options_}
    targets: "{answer}"
  - inputs: |
      Premise: {premise} Hypothesis: {hypothesis} {options_}
    targets: "{answer}"
"""
PAIRS = """\
source: {files: {train: FILES}, license: cc0-1.0}
columns: {premise: string, hypothesis: string}
splits: {train: train, validation: {of: train, rows: 4}, test: {of: train, rows: 4}}
fields: {premise: premise, hypothesis: hypothesis}
metrics: [bleu]
templates:
  - {inputs: "What follows from {premise}?", targets: "{hypothesis}"}
"""
MIXTURE = """\
tasks: [own]
clusters: [nli]
cap: 100
rate: {scheme: proportional, max: 2000}
size: {passes: 2}
templates: 2
seed: 5
shards: 2
related:
  - [nli, nli]
"""


# --- files of rows ---------------------------------------------------------------------------------------------------


def _csv(rows: list[dict[str, Any]], delimiter: str = ",", **options: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n", **options)
    writer.writeheader()
    writer.writerows(row | {"label": LABELS[row["label"]]} for row in rows)
    return text.getvalue().encode()


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    schema = pa.schema({"id": pa.int32(), "premise": "string", "hypothesis": "string", "label": pa.int64(), "score": pa.float64()})  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema), buffer, row_group_size=15, write_page_checksum=True)
    return buffer.getvalue()


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("deep/rows.csv"), content)
        archive.writestr(zipfile.ZipInfo("deep/readme.md"), b"Rows.")
    return buffer.getvalue()


FILES: dict[str, tuple[str, bytes, list[dict[str, Any]]]] = {
    "CSV": ("rows.csv", _csv(ROWS), ROWS),
    "TSV": ("rows.tsv", _csv(FLAT, "\t", quoting=csv.QUOTE_NONE, quotechar=None), FLAT),
    "JSON lines": ("rows.jsonl", _jsonl(ROWS), ROWS),
    "JSON": ("rows.json", json.dumps(ROWS, indent=1).encode(), ROWS),
    "text pairs": ("rows.src", "".join(f"{row['premise']}\n" for row in FLAT).encode(), FLAT),
    "Parquet": ("rows.parquet", _parquet(ROWS), ROWS),
    "gzip": ("rows.jsonl.gz", gzip.compress(_jsonl(ROWS), mtime=0), ROWS),
    "zip": ("rows.zip", _zip(_csv(ROWS)), ROWS),
}
"""Kind → name of the file to damage, its bytes, its rows"""


def read_plainly(kind: str, data: bytes) -> list[dict[str, Any]]:
    """The rows of a text file as Python's own readers have them, for comparison; any exception if it has none."""
    text = data.decode("utf-8-sig")
    if kind == "text pairs":
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        return [
            {"premise": line, "hypothesis": row["hypothesis"]} for line, row in zip(lines, FLAT, strict=True)
        ]
    if kind in ("CSV", "TSV"):
        if kind == "CSV":
            table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        else:
            table = [
                line.removesuffix("\r").split("\t") if line.removesuffix("\r") else []
                for line in text.split("\n")
            ]
        header, *cells = [row for row in table if row]
        rows = [dict(zip(header, row, strict=True)) for row in cells]
    elif kind == "JSON lines":
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    else:
        value = json.loads(text)
        rows = list(value.values()) if isinstance(value, dict) else value
    return [{name: _cell(name, row.get(name)) for name in ROWS[0]} for row in rows]


def _cell(name: str, value: Any) -> Any:
    if name in ("premise", "hypothesis") or value in (None, ""):
        return None if value is None or name not in ("premise", "hypothesis") else value
    if name == "score":
        return float(value)
    if name == "label" and value in LABELS:
        return LABELS.index(value)
    return None if name == "label" and float(value) == -1 else int(float(value))


def try_rows(kind: str, damage: Damage, folder: Path) -> str:
    """Downloads a damaged local file, and compares its rows with the undamaged ones."""
    name, data, rows = FILES[kind]
    damaged = damage(data)
    pairs = kind == "text pairs"
    columns = ("premise", "hypothesis") if pairs else tuple(ROWS[0])
    files = "{premise: ../../rows.src, hypothesis: ../../rows.tgt}" if pairs else f'"../../{name}{"!deep/*.csv" if kind == "zip" else ""}"'  # fmt: skip
    tasks = _write_tasks(folder, (PAIRS if pairs else TASK).replace("FILES", files))
    (folder / name).write_bytes(damaged)
    if pairs:
        (folder / "rows.tgt").write_text("".join(f"{row['hypothesis']}\n" for row in FLAT), encoding="utf-8")
    faults = check_local_files(tasks["own"])
    download_all(list(tasks.values()), LocalFiles(), folder / "raw", "error", Workers())
    if faults:
        raise AssertionError(f"check finds a fault that the download does not: {faults}")
    found = pq.read_table(folder / "raw" / "nli" / "own" / "train.parquet").to_pylist()
    if _equal(found, [{name: row[name] for name in columns} for row in rows]):
        return "same"
    if kind in ("Parquet", "gzip", "zip"):
        return "wrong"
    return "changed" if _equal(found, read_plainly(kind, damaged)) else "wrong"


def _equal(one: Any, two: Any) -> bool:
    return repr(one) == repr(two)  # NaN equals itself


# --- declarations ----------------------------------------------------------------------------------------------------


def _write_tasks(folder: Path, text: str | bytes) -> dict[str, Task]:
    path = folder / "tasks" / "nli" / "own.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_tasks([folder / "tasks"])


def _project(folder: Path) -> tuple[dict[str, Task], Mixture]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.csv").write_bytes(_csv(ROWS))
    (folder / "mix.yaml").write_text(MIXTURE)
    return _write_tasks(folder, TASK.replace("FILES", "../../rows.csv")), load_mixture(folder / "mix.yaml")


def _build(tasks: dict[str, Task], mixture: Mixture, data: Path) -> Build:
    return Build(tasks, mixture, LocalFiles(), data, "error", Workers(), silent, evaluation_rows=5)


def try_task_file(_kind: str, damage: Damage, folder: Path) -> str:
    """Loads, checks and builds a damaged task file; what differs in YAML must differ in the task."""
    before, mixture = _project(folder)
    original = (folder / "tasks" / "nli" / "own.yaml").read_bytes()
    damaged = damage(original, lines=True)
    tasks = _write_tasks(folder, damaged)
    if faults := check_expressions(tasks.values()) + check_local_files(tasks["own"]):
        raise DeclarationError(*faults)
    _build(tasks, mixture, folder / "data").mix([])
    return _same_declaration(original, damaged, before["own"] == tasks["own"])


def try_mixture_file(_kind: str, damage: Damage, folder: Path) -> str:
    """The same for a mixture file."""
    tasks, before = _project(folder)
    damaged = damage(MIXTURE.encode(), lines=True)
    (folder / "mix.yaml").write_bytes(damaged)
    mixture = load_mixture(folder / "mix.yaml")
    check_mixture(mixture, tasks.values())
    _build(tasks, mixture, folder / "data").mix([])
    return _same_declaration(MIXTURE.encode(), damaged, before == mixture)


def _same_declaration(original: bytes, damaged: bytes, equal: bool) -> str:
    one, two = (YAML(typ="safe").load(text.decode("utf-8")) for text in (original, damaged))
    if equal:
        return "same" if _stripped(one) == _stripped(two) else "wrong"
    return "changed" if repr(one) != repr(two) else "wrong"


def _stripped(value: Any) -> Any:
    """Without the newlines at the end of texts, which flanbuild removes from templates."""
    if isinstance(value, dict):
        return {key: _stripped(item) for key, item in value.items()}
    return (
        [*map(_stripped, value)]
        if isinstance(value, list)
        else value.rstrip("\n")
        if isinstance(value, str)
        else value
    )


# --- artifacts -------------------------------------------------------------------------------------------------------


@cache
def _clean() -> tuple[dict[str, Task], Mixture, Path, tuple[Any, dict[str, bytes]]]:
    """A built project, and its result."""
    folder = Path(tempfile.mkdtemp(dir=_WORK[0]))
    tasks, mixture = _project(folder)
    built = _build(tasks, mixture, folder / "data").mix([])
    return tasks, mixture, folder / "data", _result(built.folder)


def _result(folder: Path) -> tuple[Any, dict[str, bytes]]:
    """The content of the manifest, and the bytes of the shards by path."""
    shards = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.arrow"))}
    return json.loads((folder / "manifest.json").read_bytes()), shards


def try_artifact(kind: str, damage: Damage, folder: Path) -> str:
    """Damages a file that a mixture is made of and builds the mixture again: the result must be equal."""
    tasks, mixture, clean, expected = _clean()
    data = folder / "data"
    shutil.copytree(clean, data)
    file = damage.choose(
        {
            "raw rows": sorted(data.glob("raw/*/*/*.parquet")),
            "rendered rows": sorted(data.glob("rendered/*/*/*/*.arrow")),
            "records": sorted(data.glob("r*/**/record.json")),
            "manifests": sorted(data.glob("mixtures/*/manifest.json")),
        }[kind]
    )
    damaged = damage(file.read_bytes(), lines=file.suffix == ".json")
    if kind != "manifests":
        shutil.rmtree(data / "mixtures")
    if file.is_relative_to(data / "raw"):
        shutil.rmtree(data / "rendered")
    file.write_bytes(damaged)
    built = _build(tasks, mixture, data).mix([])
    if not _equal(_result(built.folder), expected):
        return "wrong"
    return "same" if file.read_bytes() == damaged else "healed"


def try_reading(kind: str, damage: Damage, folder: Path) -> str:
    """Reads a mixture folder in which a shard or the manifest is damaged."""
    _, _, clean, _ = _clean()
    shutil.copytree(clean / "mixtures", folder / "mixtures")
    mixture = next((folder / "mixtures").iterdir())
    expected = list(flanbuild.load(mixture, "train"))
    shards = sorted(mixture.glob("train/*.arrow"))
    file = mixture / "manifest.json" if kind == "manifests, read" else damage.choose(shards)
    file.write_bytes(damage(file.read_bytes(), lines=file.suffix == ".json"))
    return "same" if _equal(list(flanbuild.load(mixture, "train")), expected) else "wrong"


KINDS: dict[str, Callable[[str, Damage, Path], str]] = {
    **dict.fromkeys(FILES, try_rows),
    "task files": try_task_file,
    "mixture files": try_mixture_file,
    **dict.fromkeys(("raw rows", "rendered rows", "records", "manifests"), try_artifact),
    **dict.fromkeys(("manifests, read", "shards"), try_reading),
}


# --- tries -----------------------------------------------------------------------------------------------------------

_WORK: list[Path] = []
"""The worker's folder for projects"""


def work(connection: Any, folder: Path) -> None:
    """A worker: receives (seed, kind, number), sends (outcome, details)."""
    logging.getLogger("flanbuild").addHandler(logging.NullHandler())
    _WORK.append(folder)
    while True:
        connection.send(run(*connection.recv()))


def run(seed: int, kind: str, number: int) -> tuple[str, str]:
    """One try: its outcome, and details for a person."""
    damage = Damage(random.Random(f"{seed}/{kind}/{number}"), none=number == UNDAMAGED)
    with tempfile.TemporaryDirectory(dir=_WORK[0]) as folder:
        try:
            outcome, details = KINDS[kind](kind, damage, Path(folder)), ""
        except FlanbuildError as error:
            faults = error.faults if isinstance(error, DeclarationError) else (str(error),)
            outcome = "refused" if faults and all(map(_is_sentence, faults)) else "traceback"
            details = "\n".join(faults)
        except Exception:
            outcome, details = "traceback", traceback.format_exc(limit=-12)
    return outcome, f"{', '.join(damage.done)}: {details.replace(folder, '.')}"


def _is_sentence(message: str) -> bool:
    return 0 < len(message) < LONGEST_SENTENCE and "\n" not in message and message[-1] in ".?"


class Result(NamedTuple):
    """One try."""

    kind: str
    number: int
    outcome: str
    details: str


class Worker:
    """A process that makes one try after the other, and is replaced when a try does not end or ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, self.folder), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, seed: int, kind: str, number: int, seconds: float) -> tuple[str, str]:
        """The outcome and the details of one try."""
        self.connection.send((seed, kind, number))
        try:
            if self.connection.poll(seconds):
                return self.connection.recv()
            result = ("endless", f"no end in {seconds:g} seconds")
        except EOFError:
            result = ("traceback", "the process died")
        self.close()
        self._start()
        return result

    def close(self) -> None:
        """Ends the process."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def main() -> int:
    """Makes the tries, prints the table and the faults, and returns the exit code."""
    options = _options()
    print(f"seed {options.seed}\n", flush=True)
    kinds = [options.kind] if options.kind else list(KINDS)
    numbers = range(options.tries) if options.number is None else [options.number]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as threads:
        tries = partial(_tries, options.seed, numbers=numbers, folder=Path(folder))
        shares = [kinds[start :: options.jobs] for start in range(options.jobs)]
        results = [result for results in threads.map(tries, shares) for result in results]
    results.sort(key=lambda result: (kinds.index(result.kind), result.number))
    print(f"| kind | tries | {' | '.join(OUTCOMES)} |\n|---|{'---|' * (len(OUTCOMES) + 1)}")
    for kind in [*kinds, "all"]:
        counts = Counter(result.outcome for result in results if kind in (result.kind, "all"))
        print(f"| {kind} | {counts.total()} | {' | '.join(str(counts[name]) for name in OUTCOMES)} |")
    faults = [result for result in results if result.outcome in FAULTS]
    for kind, number, outcome, details in faults if options.number is None else results:
        print(f"\n{kind}, try {number}: {outcome}: {details}")
        print(f"again: python benchmarks/mutations.py --seed {options.seed} --kind '{kind}' --try {number}")
    return 1 if faults else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="Seed of all damages.")
    parser.add_argument("--tries", type=int, default=60, help="Number of tries per kind.")
    parser.add_argument("--kind", choices=KINDS, help="Kind to try; all by default.")
    parser.add_argument("--try", dest="number", type=int, help="Number of the only try, shown with details.")
    parser.add_argument("--jobs", type=int, default=2, help="Number of worker processes.")
    return parser.parse_args()


def _tries(seed: int, kinds: Sequence[str], numbers: Iterable[int], folder: Path) -> list[Result]:
    """The tries of some kinds. Raises AssertionError if an undamaged input does not give its own rows."""
    worker = Worker(folder)
    results = []
    try:
        for kind in kinds:
            # The first try also waits for the start of the process and for its imports.
            outcome, details = worker.run(seed, kind, UNDAMAGED, 5 * SECONDS)
            if outcome != "same":
                raise AssertionError(f"{kind}: the undamaged input gives '{outcome}': {details}")
            results += [Result(kind, number, *worker.run(seed, kind, number, SECONDS)) for number in numbers]
    finally:
        worker.close()
    return results


if __name__ == "__main__":
    sys.exit(main())
