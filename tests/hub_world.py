"""All pages' rows twice: as repositories of a hub, in the layouts that the hub has, and as a mirror.

Real rows where there is a folder of them, sample rows elsewhere: the pages that no program may fetch have none.
"""

import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hub_server import Repo

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.task import Task
from flanbuild.sample import sample_table
from flanbuild.sources.hub import CONVERSION
from flanbuild.sources.layout import MEMBER

SCRIPTS = {
    "CogComp/trec",
    "allenai/cosmos_qa",
    "ybisk/piqa",
    "stanfordnlp/sentiment140",
}
"""Repositories that hold a script; their rows are on the conversion branch. So are those of GEM."""

BY_HAND = {"story_cloze", "opinion_abstracts_idebate", "opinion_abstracts_rotten_tomatoes"}


def write_world(tasks: Iterable[Task], real: Path | None, folder: Path, rows: int = 40) -> dict[str, Repo]:
    """Repositories by name; the same rows lie below `folder` as a mirror."""
    repos: dict[str, Repo] = {}
    for task in tasks:
        for split in task.upstream_splits():
            table = _real(task, split, real) if real else None
            table = _sample(task, split, rows) if table is None else table
            table = _one_line(table) if task.source.files else table
            files = _hub_files(task, split, table)
            branch = CONVERSION if _is_converted(task) else task.source.revision
            repo = repos.setdefault(task.source.repo, Repo({task.source.revision: {".gitattributes": b""}}))
            _add(repo.branches.setdefault(branch, {}), files)
            place = folder / task.source.repo / task.source.config / f"{split}-00000-of-00001.parquet"
            place.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, place)
    return repos


def write_repos(repos: Mapping[str, Repo], folder: Path) -> None:
    """As `python tests/hub_server.py FOLDER` serves them."""
    for name, repo in repos.items():
        for branch, files in repo.branches.items():
            for path, body in files.items():
                place = folder / name / f"@{branch.replace('/', '--')}" / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(body)


def fewer_rows(task: Task, **changed: object) -> Task:
    """The page without what it says of upstream's size, which the stand-in does not have."""
    return task.model_copy(update={"source": task.source.model_copy(update={"rows": {}, **changed})})


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def _real(task: Task, split: str, real: Path) -> pa.Table | None:
    folder = f"{task.source.repo}/{task.source.config}"
    found = sorted((real / folder).glob(f"{split}-*.parquet"))
    return pq.read_table(found[0]) if found else None


def _sample(task: Task, split: str, rows: int) -> pa.Table:
    return sample_table(task, split, rows=rows)


def _one_line(table: pa.Table) -> pa.Table:
    """Texts as files of lines have them."""
    return pa.table(
        {
            name: pc.replace_substring(column, "\n", " NEWLINE_CHAR ")
            if pa.types.is_string(column.type)
            else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )


def _is_converted(task: Task) -> bool:
    by_hand = task.source.manual is not None and bool(task.source.files)
    return by_hand or task.source.repo in SCRIPTS or task.source.repo.startswith("GEM/")


def _hub_files(task: Task, split: str, table: pa.Table) -> dict[str, bytes]:
    declared = task.source.files.get(split)
    if isinstance(declared, Mapping) and "translation.en" not in declared:  # which nobody has on the hub
        return _text_files(declared, table)
    if declared and not isinstance(declared, Mapping) and declared[0].endswith(".csv"):
        return {declared[0]: _as_csv(task, table)}
    config = task.source.config
    if _is_converted(task):
        return {f"{config}/{split}/0000.parquet": parquet(table)}
    folder = "data" if config == "default" else config
    halves = (table.slice(0, len(table) // 2), table.slice(len(table) // 2))
    return {f"{folder}/{split}-{i:05}-of-00002.parquet": parquet(half) for i, half in enumerate(halves)}


def _text_files(declared: Mapping[str, str], table: pa.Table) -> dict[str, bytes]:
    """A line a row, in an archive where the page says so."""
    files = {}
    for column, pattern in declared.items():
        lines = table.column(column).to_pylist()
        assert not any("\n" in line for line in lines)
        body = "".join(f"{line}\n" for line in lines).encode()
        path, bang, member = pattern.partition(MEMBER)
        files[f"{path}{bang}{member.replace('*', 'org_data/')}"] = body
    return files


def _add(files: dict[str, bytes], more: Mapping[str, bytes]) -> None:
    for path, body in more.items():
        archive, bang, member = path.partition(MEMBER)
        if not bang:
            files[path] = body
            continue
        out = io.BytesIO(files.get(archive, b""))
        with zipfile.ZipFile(out, "a") as opened:
            opened.writestr(zipfile.ZipInfo(member), body)
        files[archive] = out.getvalue()


def given_files(task: Task, folder: Path, rows: int = 20) -> list[str]:
    """Files such as a person would bring for a page of BY_HAND, with the names that their authors gave them."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = {split: _sample(task, split, rows) for split in task.upstream_splits()}
    if task.name == "story_cloze":
        return [
            _csv(task, folder / f"cloze_{split[:3]}_{split[:4].rstrip('i')}.csv", t)
            for split, t in tables.items()
        ]
    [table] = tables.values()
    path = folder / "opinion_abstracts.zip"
    member = task.source.files["train"][0].partition(MEMBER)[2].replace("*", "opinion/")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, json.dumps([_as_upstream(row) for row in table.to_pylist()]))
    return [str(path)]


def _csv(task: Task, path: Path, table: pa.Table) -> str:
    path.write_bytes(_as_csv(task, table))
    return str(path)


def _as_csv(task: Task, table: pa.Table) -> bytes:
    import csv

    back = {ours: theirs for theirs, ours in task.source.rename.items()}
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, [back.get(name, name) for name in table.column_names])
    writer.writeheader()
    writer.writerows(
        {back.get(name, name): value for name, value in row.items()} for row in table.to_pylist()
    )
    return file.getvalue().encode()


def _as_upstream(row: dict[str, object]) -> dict[str, object]:
    """Lists of {key, value} are objects in the authors' JSON."""
    return {
        name: {item["key"]: item["value"] for item in value} if isinstance(value, list) else value
        for name, value in row.items()
    }


def as_json_lines(task: Task, table: pa.Table, path: Path) -> str:
    rows = table.select(arrow_schema(task).names).to_pylist()
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return str(path)
