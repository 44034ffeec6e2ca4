"""Downloads from the Hugging Face Hub with its own client, and adds what that client leaves to its user.

huggingface_hub provides the session, the token, the error types, the URL of a file and the cache. This module
checks every file against the digest that its commit promises, retries temporary faults and resumes a transfer
where it was cut, also in the next process, cuts transfers that stall, and reports every error as one
sentence. docs/downloading.md lists the faults and their outcomes. Needs the extra `hub`.
"""

import errno
import hashlib
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import WeakFileLock, build_hf_headers, get_session, hf_raise_for_status

from flanbuild.artifacts.files import sha256_of
from flanbuild.errors import ExecutionError, FlanbuildError, SourceError
from flanbuild.progress import log
from flanbuild.sources import WITHOUT

if TYPE_CHECKING:
    import httpx2 as httpx
else:  # huggingface_hub 1 uses httpx, huggingface_hub 2 httpx2: the same names in both
    httpx = import_module(HfHubHTTPError.__bases__[0].__module__.partition(".")[0])

T = TypeVar("T")
Report = Callable[[int], None]
"""Called with the number of bytes that arrived; negative when bytes are discarded."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries."""

    timeout: float = float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
    """seconds to wait for a response, and for the next bytes"""
    reach: float = 4.0
    """seconds to wait for the first connection, which shows whether there is a network"""
    tries: int = 6
    """consecutive tries without progress before giving up"""
    wait: float = 1.0
    """seconds before the second try; doubles with each further try, up to `longest`"""
    longest: float = 30.0
    retry_after: float = 300.0
    """the longest Retry-After, in seconds, that is obeyed"""
    window: float = 30.0
    slowest: float = 1024.0
    """bytes per second over `window` seconds; a slower transfer is cut and retried"""


@dataclass(frozen=True)
class Remote:
    """One file of a commit, with the size and digest that the repository promises."""

    repo: str
    commit: str
    path: str
    bytes: int
    algorithm: str
    """`sha256` (large files) or `git_sha1` (the name of the git blob)"""
    digest: str

    def __post_init__(self) -> None:
        """Checks the path: it becomes a local file name and must stay inside its folder."""
        if not _is_inside(self.path):
            raise SourceError(f"hub: {self.repo}: '{self.path}' is not a path inside a repository.")

    def matches(self, path: Path) -> bool:
        """Returns whether the file at `path` has the promised bytes; reads all of them."""
        if not path.is_file() or path.stat().st_size != self.bytes:
            return False
        return self.digest == (sha256_of(path) if self.algorithm == "sha256" else _git_sha1(path))


class UnknownRevision(SourceError):  # noqa: N818  its base class names it an error
    """The repository has no such branch or commit."""


class Unreachable(SourceError):  # noqa: N818
    """The hub cannot be reached, so no other request will succeed either."""


class _Cut(Exception):  # noqa: N818
    """The transfer ended early; it can be resumed."""


class Client:
    """A hub client. Threads may share one; `close` ends the transfers of all of them."""

    def __init__(
        self, patience: Patience | None = None, *, endpoint: str | None = None, cache: Path | None = None
    ) -> None:
        """Uses the hub and the cache of HF_ENDPOINT, HF_HOME and HF_HUB_CACHE unless others are given."""
        self.patience = patience or Patience()
        self.endpoint = endpoint or constants.ENDPOINT
        self.cache = cache or Path(constants.HF_HUB_CACHE)
        self._stop = threading.Event()
        self._reaching = threading.Lock()
        self._reached = False
        self._verified: set[tuple[str, int, int]] = set()

    def close(self) -> None:
        """Ends running transfers; partial files stay for the next run."""
        self._stop.set()

    def listing(self, repo: str, revision: str) -> tuple[str, list[Remote]]:
        """Returns the commit that a revision names now, and its files in path order."""
        from huggingface_hub import HfApi  # imports many modules that a locked download does not need

        what = f"{repo} at {revision}"
        self._reach(what)
        info = self._retry(
            what,
            lambda: HfApi(endpoint=self.endpoint).dataset_info(
                repo, revision=revision, files_metadata=True, timeout=self.patience.timeout
            ),
        )
        commit = info.sha or revision
        return commit, sorted(_remotes(repo, commit, info.siblings or []), key=lambda file: file.path)

    def license(self, repo: str, commit: str) -> str:
        """Returns the license that the dataset card of a commit states, several joined by commas."""
        from huggingface_hub import HfApi

        what = f"{repo} at {commit}"
        self._reach(what)
        info = self._retry(
            what,
            lambda: HfApi(endpoint=self.endpoint).dataset_info(
                repo, revision=commit, timeout=self.patience.timeout
            ),
        )
        stated = info.card_data.get("license") if info.card_data else None
        return ", ".join(map(str, stated)) if isinstance(stated, list) else str(stated or "")

    def fetch(self, file: Remote, report: Report = lambda _: None) -> Path:
        """Returns the verified file in the hub's cache, downloading it if it is not there.

        Another process that wants the same file waits for this one. A damaged cached file is replaced.
        """
        folder = self.cache / f"datasets--{file.repo.replace('/', '--')}"
        pointer = folder / "snapshots" / file.commit / file.path
        if self._verify(file, pointer):
            return pointer
        blob = folder / "blobs" / file.digest
        lock = folder.parent / ".locks" / folder.name / f"{file.digest}.lock"
        with self._cache_errors(file, blob):
            for path in (blob, pointer, lock):
                path.parent.mkdir(parents=True, exist_ok=True)
            with WeakFileLock(lock):
                if not self._verify(file, blob):
                    blob.unlink(missing_ok=True)
                    self._download(file, blob, report)
                if not self._verify(file, pointer):  # another process may be reading it
                    _point(pointer, blob)
        return pointer

    def read(self, file: Remote, start: int, stop: int) -> bytes:
        """Returns bytes `start` to `stop` of a file, unverified: the caller must check them."""
        what = f"{file.repo}/{file.path}"
        self._reach(what)

        def ask() -> bytes:
            headers = build_hf_headers() | {
                "Accept-Encoding": "identity",
                "Range": f"bytes={start}-{stop - 1}",
            }
            with get_session().stream(
                "GET", self._url(file), headers=headers, timeout=self.patience.timeout, follow_redirects=True
            ) as response:
                hf_raise_for_status(response)
                _check_encoding(what, response)
                first = start if response.status_code == 206 else 0
                if response.status_code == 206:
                    _check_range(what, response, start, file.bytes)
                body = bytearray()
                for chunk in response.iter_raw():
                    self._check_stop()
                    body += chunk
                    if len(body) >= stop - first:
                        break
            found = bytes(body[start - first : stop - first])
            if len(found) != stop - start:
                raise _Cut(f"received {len(found)} of {stop - start} bytes")
            return found

        return self._retry(what, ask)

    def _verify(self, file: Remote, path: Path) -> bool:
        """Like `matches`, but reads an unchanged file only once per process."""
        if not path.is_file():
            return False
        stat = path.stat()
        seen = (str(path), stat.st_mtime_ns, stat.st_size)
        if seen not in self._verified and file.matches(path):
            self._verified.add(seen)
        return seen in self._verified

    def _download(self, file: Remote, blob: Path, report: Report) -> None:
        """Downloads to a partial file named by the digest, so that any later run can resume it."""
        part = blob.with_name(f"{blob.name}.flanbuild.incomplete")
        what = f"{file.repo}/{file.path}"
        self._reach(what)
        found = ""
        for _ in range(2):
            _check_room(file, part)
            self._retry(what, lambda: self._stream(file, part, report), lambda: _size(part), file.bytes)
            if file.matches(part):
                part.replace(blob)
                return
            found = f"{_size(part):,} bytes, sha256 {sha256_of(part)[:12]}…"
            report(-_size(part))
            part.unlink()
        raise SourceError(
            f"hub: {what} came twice with other bytes than commit {file.commit[:12]} promises: expected "
            f"{file.bytes:,} bytes, {file.algorithm} {file.digest[:12]}…, found {found}; none of it was kept."
        )

    def _stream(self, file: Remote, part: Path, report: Report) -> None:
        """Appends the missing bytes. Raises _Cut if the transfer ends early or is too slow."""
        have = _size(part)
        if have > file.bytes:
            part.unlink()
            have = 0
        if have == file.bytes and part.exists():
            return
        headers = build_hf_headers() | {"Accept-Encoding": "identity"}
        headers |= {"Range": f"bytes={have}-"} if have else {}
        timeout = self.patience.timeout
        with get_session().stream(
            "GET", self._url(file), headers=headers, timeout=timeout, follow_redirects=True
        ) as response:
            hf_raise_for_status(response)
            _check_encoding(f"{file.repo}/{file.path}", response)
            resumed = response.status_code == 206
            if resumed:
                _check_range(f"{file.repo}/{file.path}", response, have, file.bytes)
            elif have:
                report(-have)
            size = have if resumed else 0
            pace = _Pace(self.patience)
            with part.open("ab" if resumed else "wb") as out:
                for chunk in response.iter_raw():
                    self._check_stop()
                    out.write(chunk[: file.bytes + 1 - size])
                    size += len(chunk)
                    report(len(chunk))
                    pace.check(len(chunk))
                    if size > file.bytes:
                        break  # more than the commit promises; the digest will not match
        if size < file.bytes:
            raise _Cut(f"it ended after {size:,} of {file.bytes:,} bytes")

    def _reach(self, what: str) -> None:
        """Sends one short request first, so that a missing network is reported within seconds."""
        with self._reaching:
            if self._reached:
                return
            try:
                get_session().head(self.endpoint, timeout=self.patience.reach, follow_redirects=False)
            except (
                OfflineModeIsEnabled,
                httpx.ConnectError,
                httpx.ConnectTimeout,
                httpx.ProxyError,
            ) as error:
                raise self._ours(what, error) from None
            except httpx.TransportError:
                pass  # a server answered; the retries of the real request handle other faults
            self._reached = True

    def _retry(
        self, what: str, work: Callable[[], T], have: Callable[[], int] = lambda: 0, size: int = 0
    ) -> T:
        """Calls `work`, again after temporary faults. Only tries without progress count.

        An answer that is not the hub's, such as the page of a proxy, is a SourceError.
        """
        worth = max(1, min(size // 20, 2**20))
        fruitless, before = 0, have()
        while True:
            try:
                return work()
            except (_Cut, httpx.HTTPError, OfflineModeIsEnabled) as error:
                now = have()
                fruitless = 0 if now - before >= worth else fruitless + 1
                before = now
                if fruitless >= self.patience.tries or not _may_pass(error):
                    raise self._ours(what, error) from None
                self._rest(what, error, fruitless)
            except FlanbuildError:
                raise
            except ImportError as error:
                raise SourceError(
                    f"hub: {what}: a proxy of this kind needs another package ({error})."
                ) from None
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                raise SourceError(
                    f"hub: {what}: the answer of {_shown(self.endpoint)} is not the hub's ({reason}); a proxy may "
                    "have sent it."
                ) from None

    def _rest(self, what: str, error: Exception, fruitless: int) -> None:
        asked = _retry_after(error)
        if asked is not None and asked > self.patience.retry_after:
            raise SourceError(f"hub: {what}: too many requests; the hub asks to come back in {asked:.0f} s.")
        grown = min(self.patience.wait * 2 ** max(0, fruitless - 1), self.patience.longest)
        self._stop.wait(grown if asked is None else asked)
        self._check_stop()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise ExecutionError("The download was stopped; run the command again to resume it.")

    def _url(self, file: Remote) -> str:
        return str(
            hf_hub_url(
                file.repo, file.path, repo_type="dataset", revision=file.commit, endpoint=self.endpoint
            )
        )

    @contextmanager
    def _cache_errors(self, file: Remote, blob: Path) -> Iterator[None]:
        """Reports a full or read-only disk as one sentence; on a full disk, deletes the partial file."""
        try:
            yield
        except (FlanbuildError, httpx.HTTPError):
            raise
        except OSError as error:
            if error.errno == errno.ENOSPC:
                blob.with_name(f"{blob.name}.flanbuild.incomplete").unlink(missing_ok=True)
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise ExecutionError(
                f"{self.cache}: {reason}, for {file.repo}/{file.path} of {file.bytes:,} bytes; "
                "nothing was left half-written. HF_HOME moves the cache to another disk."
            ) from error

    def _ours(self, what: str, error: Exception) -> SourceError:
        """Converts an error of the hub to one sentence that says what to do."""
        hub = _shown(self.endpoint)
        if isinstance(error, OfflineModeIsEnabled):
            return Unreachable(
                f"hub: {what} is not in the cache, and HF_HUB_OFFLINE forbids downloading it; {WITHOUT}."
            )
        if isinstance(error, GatedRepoError):
            return SourceError(
                f"hub: {what}: gated: accept its terms on {hub}/datasets/{_repository(what)} and give a token of the "
                "account that accepted them (HF_TOKEN, or `hf auth login`)."
            )
        if isinstance(error, RevisionNotFoundError):
            return UnknownRevision(f"hub: {what}: no such revision.")
        if isinstance(error, RemoteEntryNotFoundError):
            return SourceError(
                f"hub: {what}: no such file at this commit; `flanbuild lock --update` follows a newer commit."
            )
        if isinstance(error, RepositoryNotFoundError):
            return SourceError(f"hub: {what}: no such dataset, or a private one that HF_TOKEN may not read.")
        if isinstance(error, HfHubHTTPError):
            return _ours_by_status(what, error.response.status_code)
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
            address = _address(error)
            if address and address != _host(self.endpoint):
                return SourceError(
                    f"hub: {what}: the hub redirects to {address}, which cannot be reached ({reason})."
                )
            return Unreachable(f"hub: {hub} cannot be reached ({reason}); {WITHOUT}.")
        if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
            return SourceError(
                f"hub: {what}: an address that is no http:// or https:// URL ({reason}); HF_ENDPOINT is {hub}."
            )
        if isinstance(error, httpx.TooManyRedirects):
            return SourceError(f"hub: {what}: {hub} redirects without end.")
        return SourceError(
            f"hub: {what} was not received completely ({reason}); "
            "the partial file is kept, run the command again to resume."
        )


class _Pace:
    """Raises _Cut if a transfer is too slow: the timeout between two bytes does not detect that."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self.since, self.bytes = time.monotonic(), 0

    def check(self, count: int) -> None:
        self.bytes += count
        passed = time.monotonic() - self.since
        if passed < self.patience.window:
            return
        if self.bytes < passed * self.patience.slowest:
            raise _Cut(f"received only {self.bytes:,} bytes in {passed:.0f} s")
        self.since, self.bytes = time.monotonic(), 0


def _remotes(repo: str, commit: str, siblings: list[Any]) -> list[Remote]:
    """The files of a listing; a name that leads out of the repository is no file that a dataset can need."""
    files = []
    for sibling in siblings:
        if _is_inside(sibling.rfilename):
            files.append(_remote(repo, commit, sibling))
        else:
            log(f"hub: {repo}: '{sibling.rfilename}' is not a path inside a repository; ignored.")
    return files


def _is_inside(path: str) -> bool:
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def _check_encoding(what: str, response: Any) -> None:
    """Refuses a compressed answer, which was not asked for and has another size than promised."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise SourceError(f"hub: {what}: the server compressed the file (Content-Encoding {encoding}).")


def _check_range(what: str, response: Any, start: int, size: int) -> None:
    """Raises SourceError if an answer to a request for a range is about other bytes, or about a file of another size."""
    found = response.headers.get("Content-Range", "").strip()
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", found)
    if not match or int(match[1]) != start or match[2] not in ("*", str(size)):
        raise SourceError(
            f"hub: {what}: the server sent another range than bytes {start}- of {size} (Content-Range '{found}')."
        )


def _repository(what: str) -> str:
    """`org/rows` of `org/rows at main` and of `org/rows/train.parquet`, and `rows` of `rows at main`."""
    return "/".join(what.partition(" at ")[0].split("/")[:2])


def _shown(address: str) -> str:
    """An address without the name and password that it may hold."""
    return re.sub(r"//[^/@]*@", "//", address)


def _host(address: str) -> str:
    return re.sub(r"^\w+://([^/@]*@)?", "", address).split("/")[0].split(":")[0]


def _address(error: Exception) -> str:
    """The host of the request that failed, or an empty text."""
    try:
        return str(error.request.url.host)  # type: ignore[attr-defined]
    except (AttributeError, RuntimeError):
        return ""


def _remote(repo: str, commit: str, sibling: Any) -> Remote:
    algorithm, digest = ("sha256", sibling.lfs.sha256) if sibling.lfs else ("git_sha1", sibling.blob_id)
    return Remote(repo, commit, sibling.rfilename, sibling.size or 0, algorithm, digest or "")


def _point(pointer: Path, blob: Path) -> None:
    """Links the commit's path to the blob, as the hub's cache does; a hard link if others are forbidden."""
    link = pointer.with_name(f".{pointer.name}.{os.getpid()}")
    link.unlink(missing_ok=True)
    try:
        link.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:
        link.hardlink_to(blob)
    link.replace(pointer)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _git_sha1(path: Path) -> str:
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _check_room(file: Remote, part: Path) -> None:
    free, needed = shutil.disk_usage(part.parent).free, file.bytes - _size(part)
    if needed > free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _may_pass(error: Exception) -> bool:
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in _PASSING
    return isinstance(error, _Cut | httpx.TransportError)


def _retry_after(error: Exception) -> float | None:
    """Returns the seconds of the Retry-After header, if the hub sent it."""
    if not isinstance(error, HfHubHTTPError):
        return None
    text = error.response.headers.get("Retry-After", "").strip()
    return float(text) if text.isdigit() else None


def _ours_by_status(what: str, status: int) -> SourceError:
    if status in (401, 403):
        how = "is refused: HF_TOKEN is missing, wrong, or may not read it"
    elif status == 429:
        how = "is refused: too many requests; try again later or with fewer --jobs"
    elif status >= 500:
        how = "is unavailable: the hub returned a server error; try again later"
    else:
        how = "is refused"
    return SourceError(f"hub: {what} {how} (HTTP {status}).")
