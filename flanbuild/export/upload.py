"""A folder as one commit of a dataset repository on the hub.

The client of huggingface_hub uploads; it reads the token and HF_ENDPOINT from the environment.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from flanbuild.errors import DeclarationError, SourceError, require

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_URL = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)")
_OF_HUB = frozenset({".gitattributes", "README.md"})
"""What a new repository may hold."""


def repository(url: str) -> str:
    """`USER/NAME` of `hf://datasets/USER/NAME`. Raises DeclarationError for any other URL."""
    match = _URL.fullmatch(url.rstrip("/"))
    if match is None:
        raise DeclarationError(f"{url}: expected hf://datasets/USER/NAME.")
    return match["repo"]


def open_hub() -> "HfApi":
    """The client. Raises FlanbuildError if huggingface_hub is not installed."""
    require("upload to the hub", "hub", ("huggingface_hub",))
    from huggingface_hub import HfApi
    from huggingface_hub.constants import ENDPOINT

    return HfApi(endpoint=ENDPOINT)


def check_repository(api: "HfApi", url: str, record: str) -> list[str]:
    """The files of the repository; none if it does not exist. Raises DeclarationError if no export wrote them."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = api.dataset_info(repository(url), revision="main")
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return []
    except _client_errors() as error:
        raise SourceError(f"{url}: {_reason(error)}") from error
    files = [file.rfilename for file in info.siblings or ()]
    if record not in files and (foreign := sorted(set(files) - _OF_HUB)):
        raise DeclarationError(
            f"{url}: it holds {foreign[0]}, which no export has written (there is no {record}); name another repository."
        )
    return files


def commit(api: "HfApi", url: str, folder: Path, present: list[str]) -> None:
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
        api.create_repo(repository(url), repo_type="dataset", private=True, exist_ok=True)
        api.create_commit(
            repository(url),
            operations,
            commit_message="Published by flanbuild",
            repo_type="dataset",
            revision="main",
        )
    except _client_errors() as error:
        raise SourceError(f"{url}: {_reason(error)}") from error


def _client_errors() -> tuple[type[Exception], ...]:
    """What the client raises for a refusal, an unreachable hub, a missing token and offline mode."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    http_error = HfHubHTTPError.__bases__[0]  # of httpx or httpx2, whichever the client uses
    return (HfHubHTTPError, http_error, LocalTokenNotFoundError, OfflineModeIsEnabled)


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"the upload failed: {(lines[0] if lines else type(error).__name__).rstrip('.')}."
