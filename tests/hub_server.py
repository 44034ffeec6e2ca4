"""A hub on this machine, for the real client: repositories with commits, ranges, redirects and faults on demand.

It answers what huggingface_hub asks for in `dataset_info(files_metadata=True)`, under `resolve/`, and in `create_repo` and
`create_commit`. Run as a
script it serves a folder, `<repository>/@<branch>/<path>` with the slashes of a branch written `--`:

    python tests/hub_server.py FOLDER --latency 0.05        # prints its address; end it with its standard input
"""

import argparse
import base64
import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

Files = dict[str, bytes]


@dataclass
class Repo:
    """Branch -> path -> bytes; its commits are digests of their files."""

    branches: dict[str, Files] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()
    """paths that lie in git itself, not as large files"""

    history: dict[str, Files] = field(default_factory=dict)
    """former commits that can still be read"""

    def commit(self, branch: str) -> str:
        listed = "".join(f"{path} {_sha256(body)}\n" for path, body in sorted(self.branches[branch].items()))
        return hashlib.sha1(f"{branch}\n{listed}".encode()).hexdigest()

    def at(self, revision: str) -> tuple[str, Files] | None:
        for branch, files in self.branches.items():
            if revision in (branch, self.commit(branch)):
                return self.commit(branch), files
        return (revision, self.history[revision]) if revision in self.history else None


@dataclass
class Request:
    """What was asked, for tests to look at."""

    method: str
    path: str
    range: str | None
    token: str | None


@dataclass
class Fault:
    """What goes wrong with requests whose path matches, `times` times over."""

    on: str
    act: Callable[["Handler"], bool]
    """does the wrong thing; true when that was the answer"""
    times: int = 1
    method: str = "GET"


class Hub:
    """Serves `repos` in threads; `faults` are tried in order, and requests kept."""

    def __init__(self, repos: dict[str, Repo], *, latency: float = 0.0, port: int = 0) -> None:
        self.repos = repos
        self.latency = latency
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.mutex = threading.Lock()
        self._server = _Server(("127.0.0.1", port), Handler)
        self._server.hub = self
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Hub"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def fault(
        self, on: str, act: Callable[["Handler"], bool], *, times: int = 1, method: str = "GET"
    ) -> None:
        self.faults.append(Fault(on, act, times, method))

    def next_fault(self, handler: "Handler") -> Fault | None:
        with self.mutex:
            for fault in self.faults:
                if fault.times and handler.command == fault.method and re.search(fault.on, handler.asked):
                    fault.times -= 1
                    return fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    hub: Hub


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with suppress(ConnectionError):  # of a client that is gone
            super().handle()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Quiet."""

    @property
    def asked(self) -> str:
        return unquote(self.path)

    @property
    def found(self) -> tuple[str, str, bytes, bool] | None:
        """(commit, path, body, plain) of a file that is asked for."""
        match = re.fullmatch(r"/(?:datasets/)?(.+?)/resolve/([^/]+)/(.+)", urlsplit(self.path).path)
        repo = self.server.hub.repos.get(unquote(match[1])) if match else None
        at = repo.at(unquote(match[2])) if match and repo else None
        path = unquote(match[3]) if match else ""
        return (at[0], path, at[1][path], path in repo.plain) if repo and at and path in at[1] else None

    def _answer(self) -> None:
        hub = self.server.hub
        with hub.mutex:
            said = self.headers
            hub.requests.append(
                Request(self.command, self.asked, said.get("Range"), said.get("Authorization"))
            )
        time.sleep(hub.latency)
        fault = hub.next_fault(self)
        try:
            if fault and fault.act(self):
                return
            self._right_answer()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _right_answer(self) -> None:
        parts = urlsplit(self.path)
        if self.command == "POST":
            self._upload(parts.path)
        elif match := re.fullmatch(r"/api/(?:datasets|models)/(.+)/revision/([^/]+)", parts.path):
            self._info(unquote(match[1]), unquote(match[2]), blobs="blobs" in parse_qs(parts.query))
        elif parts.path.startswith("/datasets/"):
            self._file()
        else:
            self.say(200)

    def _info(self, name: str, revision: str, *, blobs: bool) -> None:
        repo = self.server.hub.repos.get(name)
        at = repo.at(revision) if repo else None
        if repo is None or at is None:
            self.say(404, {"X-Error-Code": "RevisionNotFound" if repo else "RepoNotFound"})
            return
        siblings = [_sibling(path, body, path in repo.plain, blobs) for path, body in sorted(at[1].items())]
        card = _card(at[1].get("README.md", b""))
        body = json.dumps({"id": name, "sha": at[0], "siblings": siblings} | card).encode()
        self.say(200, {"Content-Type": "application/json"}, body)

    def _upload(self, path: str) -> None:
        """Creates a repository, says that every file is sent within the commit, or takes a commit."""
        repos, body = self.server.hub.repos, self._body()
        status, answer = 200, {"errors": [], "warnings": []}
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            status = 409 if name in repos else 200
            repos.setdefault(name, Repo({"main": {}}))
            answer = {"url": f"{self.server.hub.address}/datasets/{name}", "id": name}
        elif match := re.fullmatch(r"/api/(?:datasets|models)/(.+)/preupload/main", path):
            names = [file["path"] for file in json.loads(body)["files"]]
            answer = {
                "files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            }
        elif match := re.fullmatch(r"/api/(?:datasets|models)/(.+)/commit/main", path):
            repo = repos[match[1]]
            repo.branches["main"] = _with_commit(repo.branches["main"], body)
            answer = {
                "commitUrl": f"{self.server.hub.address}/datasets/{match[1]}/commit/{repo.commit('main')}",
                "commitOid": repo.commit("main"),
                "success": True,
            }
        self.say(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _file(self) -> None:
        if self.found is None:
            self.say(404, {"X-Error-Code": "EntryNotFound"})
            return
        self.send_file(self.found[2])

    def send_file(self, body: bytes, headers: dict[str, str] | None = None, upto: int | None = None) -> None:
        """The asked range of a body; `upto` cuts the connection once so many of its bytes have been sent."""
        assert self.found
        commit, _, real, plain = self.found
        start, stop, status = 0, len(body), 200
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, status = int(asked[1]), 206
            stop = min(int(asked[2]) + 1, stop) if asked[2] else stop
        etag = _git(real) if plain else _sha256(real)
        said = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        said |= {} if plain else {"X-Linked-Size": str(len(real)), "X-Linked-Etag": f'"{etag}"'}
        said |= {"Content-Range": f"bytes {start}-{stop - 1}/{len(body)}"} if status == 206 else {}
        part = body[start:stop]
        if upto is None:
            self.say(status, said | (headers or {}), part)
        else:
            self.say(status, said | (headers or {}) | {"Content-Length": str(len(part))})
            self.wfile.write(part[:upto])
            self.cut()

    def say(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self) -> None:
        """Ends the connection the hard way: the other side sees a reset."""
        self.wfile.flush()
        time.sleep(0.02)  # what was sent should be there before the reset is
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _with_commit(files: Files, body: bytes) -> Files:
    """The files after a commit, which is a line of JSON for each operation."""
    changed = dict(files)
    for operation in map(json.loads, body.splitlines()):
        value = operation["value"]
        if operation["key"] == "file":
            changed[value["path"]] = base64.b64decode(value["content"])
        elif operation["key"] == "deletedFile":
            del changed[value["path"]]
    return changed


def _card(readme: bytes) -> dict[str, object]:
    """The license that the header of a card states, as the hub answers it."""
    stated = re.search(r"^license: (.+)$", readme.decode(), re.MULTILINE)
    return {"cardData": {"license": stated[1]}} if stated else {}


def _sibling(path: str, body: bytes, plain: bool, blobs: bool) -> dict[str, object]:
    if not blobs:
        return {"rfilename": path}
    said: dict[str, object] = {"rfilename": path, "size": len(body), "blobId": _git(body)}
    large = {"sha256": _sha256(body), "size": len(body), "pointerSize": 134}
    return said if plain else said | {"lfs": large}


@cache
def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@cache
def _git(body: bytes) -> str:
    return hashlib.sha1(f"blob {len(body)}\0".encode() + body).hexdigest()


def read_repos(folder: Path) -> dict[str, Repo]:
    """`<repository>/@<branch>/<path>` below a folder; `--` in a branch stands for a slash."""
    repos: dict[str, Repo] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name, _, rest = path.relative_to(folder).as_posix().partition("/@")
        branch, _, inner = rest.partition("/")
        files = repos.setdefault(name, Repo()).branches.setdefault(branch.replace("--", "/"), {})
        files[inner] = path.read_bytes()
    return repos


def main() -> None:
    parser = argparse.ArgumentParser(description="A hub that serves a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    given = parser.parse_args()
    with Hub(read_repos(given.folder), latency=given.latency).serving() as hub:
        print(hub.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
