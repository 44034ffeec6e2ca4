"""The Hugging Face Hub, through its own client."""

import fnmatch
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild.errors import SourceError
from flanbuild.sources import Kind, Upstream
from flanbuild.tasks import Source as Declared


class HubSource:
    """Parquet files on the page's revision, or on the hub's own conversion of script datasets."""

    kind: Kind = "hub"
    conversion = "refs/convert/parquet"

    def commit(self, declared: Declared) -> str:
        """The commit sha that the revision names now."""
        return _listing(declared.repo, declared.revision)[0]

    def fingerprint(self, declared: Declared, splits: tuple[str, ...]) -> str:  # noqa: ARG002  a commit fixes all splits
        """A commit never changes."""
        return self.commit(declared)

    def split(self, declared: Declared, split: str, columns: list[str]) -> Upstream | None:
        """The split's files: on the revision by the names that hub datasets use, else on the conversion branch."""
        for revision in (declared.revision, self.conversion):
            commit, files = _listing(declared.repo, revision)
            paths = [path for path in sorted(files) if _is_of(path, declared.config, split)]
            if paths:
                local = [_fetch(declared.repo, commit, path) for path in paths]
                described = [
                    {"path": path, "bytes": files[path][0], "sha256": files[path][1]} for path in paths
                ]
                return Upstream(pq.ParquetFile(local[0]).schema_arrow, _tables(local, columns), described)
        return None


def _is_of(path: str, config: str, split: str) -> bool:
    patterns = [f"{config}/{split}-*.parquet", f"{config}/{split}/*.parquet"]
    if config == "default" or "/" not in path.removeprefix("data/"):
        patterns += [f"data/{split}-*.parquet", f"{split}-*.parquet"]
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


@cache
def _listing(repo: str, revision: str) -> tuple[str, dict[str, tuple[int, str | None]]]:
    """(commit, file -> (bytes, sha256 where the hub states it))."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    api = HfApi()
    try:
        commit = api.dataset_info(repo, revision=revision).sha or revision
        entries = api.list_repo_tree(repo, repo_type="dataset", revision=commit, recursive=True)
        return commit, {e.path: (e.size, e.lfs.sha256 if e.lfs else None) for e in entries if hasattr(e, "size")}
    except RevisionNotFoundError:
        return revision, {}
    except RepositoryNotFoundError:
        raise SourceError(f"hub: no dataset '{repo}', or it is private; see its page's homepage.") from None
    except (HfHubHTTPError, OSError) as error:
        raise SourceError(
            f"hub: {repo} can't be reached ({type(error).__name__}); `source: sample` and a mirror need no network."
        ) from error


def _fetch(repo: str, commit: str, path: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(hf_hub_download(repo, path, repo_type="dataset", revision=commit))
    except (HfHubHTTPError, OSError) as error:
        raise SourceError(f"hub: {repo}/{path} did not arrive ({type(error).__name__}: {error}).") from error


def _tables(paths: list[Path], columns: list[str]) -> Iterator[pa.Table]:
    for path in paths:
        file: Any = pq.ParquetFile(path, memory_map=True)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)
