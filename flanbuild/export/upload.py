"""A folder as one commit of a dataset or model repository on the hub.

The client of huggingface_hub uploads; it reads the token and HF_ENDPOINT from the environment.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from flanbuild.errors import DeclarationError, SourceError, require

if TYPE_CHECKING:
    from huggingface_hub import HfApi

RepoType = Literal["dataset", "model"]
_PREFIXES: dict[RepoType, str] = {"dataset": "hf://datasets/", "model": "hf://"}
_REPO = re.compile(r"(?!datasets/|models/|spaces/)[^/@]+/[^/@]+")
_OF_HUB = frozenset({".gitattributes", "README.md"})
"""What a new repository may hold."""


@dataclass(frozen=True)
class Repository:
    """A repository on the hub."""

    type: RepoType
    name: str

    @property
    def url(self) -> str:
        """As a person writes it."""
        return f"{_PREFIXES[self.type]}{self.name}"


def repository(url: str, repo_type: RepoType) -> Repository:
    """The repository of `hf://datasets/USER/NAME` or `hf://USER/NAME`. Raises DeclarationError for any other URL."""
    prefix = _PREFIXES[repo_type]
    name = url.rstrip("/").removeprefix(prefix)
    if not url.startswith(prefix) or not _REPO.fullmatch(name):
        raise DeclarationError(f"{url}: a {repo_type} goes to {prefix}USER/NAME.")
    return Repository(repo_type, name)


def open_hub() -> "HfApi":
    """The client. Raises FlanbuildError if huggingface_hub is not installed."""
    require("upload to the hub", "hub", ("huggingface_hub",))
    from huggingface_hub import HfApi
    from huggingface_hub.constants import ENDPOINT

    return HfApi(endpoint=ENDPOINT)


def check_repository(api: "HfApi", repo: Repository, record: str) -> list[str]:
    """The files of the repository; none if it does not exist. Raises DeclarationError if no export wrote them."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        ask = api.dataset_info if repo.type == "dataset" else api.model_info
        info = ask(repo.name, revision="main")
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return []
    except _client_errors() as error:
        raise SourceError(f"{repo.url}: {_reason(error)}") from error
    files = [file.rfilename for file in info.siblings or ()]
    if record not in files and (foreign := sorted(set(files) - _OF_HUB)):
        raise DeclarationError(
            f"{repo.url}: it holds {foreign[0]}, which no export has written (there is no {record}); name another repository."
        )
    return files


def commit(api: "HfApi", repo: Repository, folder: Path, present: list[str]) -> None:
    """Makes the repository's files those of `folder` in one commit. A repository that does not exist is created private.

    Raises SourceError, one sentence, if the hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    paths = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()
    }
    stale = sorted(set(present) - set(paths) - {".gitattributes"})
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *(CommitOperationAdd(name, str(path)) for name, path in paths.items()),
        *(CommitOperationDelete(name) for name in stale),
    ]
    try:
        api.create_repo(repo.name, repo_type=repo.type, private=True, exist_ok=True)
        api.create_commit(
            repo.name,
            operations,
            commit_message="Published by flanbuild",
            repo_type=repo.type,
            revision="main",
        )
    except _client_errors() as error:
        raise SourceError(f"{repo.url}: {_reason(error)}") from error


def _client_errors() -> tuple[type[Exception], ...]:
    """What the client raises for a refusal, an unreachable hub, a missing token and offline mode."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    http_error = HfHubHTTPError.__bases__[0]  # of httpx or httpx2, whichever the client uses
    return (HfHubHTTPError, http_error, LocalTokenNotFoundError, OfflineModeIsEnabled)


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"the upload failed: {(lines[0] if lines else type(error).__name__).rstrip('.')}."
