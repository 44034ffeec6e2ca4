"""Where an export goes: a local folder, replaced at once, or an fsspec URL, to which a finished folder is copied.

An export replaces an earlier export and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from flanbuild.artifacts.files import locked, staged
from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.export.record import EXPORT
from flanbuild.export.upload import RepoType

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@contextmanager
def destination(out: str, repo_type: RepoType = "dataset") -> Iterator[Path]:
    """Gives a new folder to fill; when the block succeeds, it becomes the folder or URL `out`.

    When the block fails, `out` is what it was. A URL gets its record `export.json` last, and what was uploaded before a
    failure is removed. `repo_type` is the kind of repository that an `hf://` URL must name. Raises DeclarationError if `out` holds something that is no export, or is no usable URL.
    """
    if out.startswith("hf://"):
        with _committed(out, repo_type) as folder:
            yield folder
        return
    if "://" in out or "::" in out:
        with _uploaded(out) as folder:
            yield folder
        return
    path = Path(out)
    _refuse(out, path.exists() and not (path.is_dir() and not any(path.iterdir())), (path / EXPORT).is_file())
    with locked(path), staged(path, (EXPORT, "*")) as folder:
        yield folder


@contextmanager
def _committed(url: str, repo_type: RepoType) -> Iterator[Path]:
    """A folder that becomes one commit of a repository on the hub."""
    from flanbuild.export import upload

    repo = upload.repository(url, repo_type)
    api = upload.open_hub()
    present = upload.check_repository(api, repo, EXPORT)
    with TemporaryDirectory(prefix="flanbuild-export-") as name:
        yield Path(name)
        upload.commit(api, repo, Path(name), present)


@contextmanager
def _uploaded(url: str) -> Iterator[Path]:
    files, top = _open(url)
    try:
        _refuse(url, bool(files.exists(top) and files.find(top)), files.isfile(f"{top}/{EXPORT}"))
        with TemporaryDirectory(prefix="flanbuild-export-") as name:
            yield Path(name)
            _upload(files, top, Path(name))
    except OSError as error:
        raise ExecutionError(f"{url}: {error}; no export was left there.") from error


def _open(url: str) -> "tuple[AbstractFileSystem, str]":
    from fsspec.core import url_to_fs

    try:
        files, top = url_to_fs(url)
    except (ImportError, ValueError) as error:  # a missing package, an unknown protocol
        raise DeclarationError(f"--out {url}: {error}.") from None
    return files, str(top).rstrip("/")


def _upload(files: "AbstractFileSystem", top: str, folder: Path) -> None:
    """Replaces what is at `top`. The record goes first and comes last: without it nothing there is an export."""
    if files.exists(f"{top}/{EXPORT}"):
        files.rm_file(f"{top}/{EXPORT}")
        files.rm(top, recursive=True)
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / EXPORT)
    try:
        for path in (*paths, folder / EXPORT):
            target = f"{top}/{path.relative_to(folder).as_posix()}"
            files.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
            files.put_file(str(path), target)
    except BaseException:
        files.rm(top, recursive=True)
        raise


def _refuse(out: str, occupied: bool, is_export: bool) -> None:
    if occupied and not is_export:
        raise DeclarationError(
            f"--out {out}: it holds something that no export has written (there is no {EXPORT}); name another folder,"
            " or remove it."
        )
