"""Every fault of docs/downloading.md, injected for real between the stand-in hub and the real client.

The outcome is always one of two: the identical bytes, or one SourceError or ExecutionError and nothing half-written
that could be taken for the file.
"""

import contextlib
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hub_server import Handler, Hub, Repo

from flanbuild.errors import DeclarationError, ExecutionError, FlanbuildError, SourceError
from flanbuild.sources.client import Client, Patience, Remote
from flanbuild.sources.hub import HubSource
from flanbuild.sources.lock import declared, read_lock

BODY = random.Random(0).randbytes(400_000)
PATH = "data/train-00000-of-00001.parquet"
FILE = r"/resolve/.*train"
INFO = r"^/api/datasets/"
PATIENCE = Patience(timeout=1.0, reach=1.0, tries=4, wait=0.01, longest=0.05, retry_after=3, window=0.5)


@pytest.fixture
def hub():
    with Hub({"org/rows": Repo({"main": {PATH: BODY}})}).serving() as hub:
        yield hub


@pytest.fixture
def client(hub, tmp_path):
    return Client(PATIENCE, endpoint=hub.address, cache=tmp_path / "cache")


@pytest.fixture
def remote(client) -> Remote:
    return client.listing("org/rows", "main")[1][0]


def fetched(client: Client, remote: Remote) -> bytes:
    return client.fetch(remote).read_bytes()


def leftovers(client: Client) -> list[Path]:
    """Files of the cache that could pass for a whole one."""
    blobs = client.cache.rglob("blobs/*")
    return [path for path in blobs if not path.name.endswith(".incomplete")]


def says(status: int, **headers: str):
    def act(handler: Handler) -> bool:
        handler.say(status, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return act


def cut_after(count: int):
    def act(handler: Handler) -> bool:
        handler.send_file(BODY, upto=count)
        return True

    return act


def with_bytes(body: bytes, **headers: str):
    def act(handler: Handler) -> bool:
        handler.send_file(body, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return act


def truncated(handler: Handler) -> bool:
    """The right status and length, then less, and a connection that closes as if all were well."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY[:1000])
    handler.close_connection = True
    return True


def short(handler: Handler) -> bool:
    """A whole answer about a file that is too short."""
    handler.send_file(BODY[:1000])
    return True


def silent(handler: Handler) -> bool:
    time.sleep(1.6)
    handler.close_connection = True
    return True


def dripping(handler: Handler) -> bool:
    """A byte now and then: no pause is ever as long as the time-out."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    with contextlib.suppress(OSError):
        for byte in BODY[:200]:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            time.sleep(0.05)
    handler.close_connection = True
    return True


flipped = BODY[:1000] + bytes([BODY[1000] ^ 1]) + BODY[1001:]

PASSING = {
    "429 with Retry-After": (FILE, says(429, Retry_After="1"), 1),
    "429 with Retry-After on the listing": (INFO, says(429, Retry_After="1"), 1),
    "three times 500": (FILE, says(500), 3),
    "three times 503": (FILE, says(503), 3),
    "503 on the listing": (INFO, says(503), 3),
    "cut before the first byte": (FILE, cut_after(0), 2),
    "cut once in the middle": (FILE, cut_after(200_000), 1),
    "cut at every tenth": (FILE, cut_after(len(BODY) // 10), 9),
    "truncated body with right status": (FILE, truncated, 2),
    "whole answer that is too short": (FILE, short, 1),
    "one byte flipped, once": (FILE, with_bytes(flipped), 1),
    "other bytes of the right length, once": (FILE, with_bytes(BODY[::-1]), 1),
    "longer than promised, once": (FILE, with_bytes(BODY + b"more"), 1),
    "wrong ETag": (FILE, with_bytes(BODY, ETag='"' + "0" * 64 + '"', X_Linked_Etag='"' + "0" * 64 + '"'), 9),
    "silent for longer than the time-out": (FILE, silent, 1),
    "slow loris, once": (FILE, dripping, 1),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_waited_out_to_the_identical_bytes(fault, hub, client):
    on, act, times = PASSING[fault]
    hub.fault(on, act, times=times)

    _, [remote] = client.listing("org/rows", "main")

    assert fetched(client, remote) == BODY
    assert not list(client.cache.rglob("*.incomplete"))


LASTING = {
    "503 for ever": (says(503), "the hub returned a server error"),
    "429 that asks for an hour": (says(429, Retry_After="3600"), "come back in 3600 s"),
    "cut before the first byte, for ever": (cut_after(0), "was not received completely"),
    "truncated for ever": (truncated, "was not received completely"),
    "one byte flipped, for ever": (with_bytes(flipped), "other bytes than commit"),
    "other bytes of the right length, for ever": (with_bytes(BODY[::-1]), "other bytes than commit"),
    "401": (says(401), r"HF_TOKEN is missing, wrong, or may not read it \(HTTP 401\)"),
    "403": (says(403), r"HF_TOKEN is missing, wrong, or may not read it \(HTTP 403\)"),
    "gated, no token": (
        says(401, X_Error_Code="GatedRepo"),
        r"gated: accept its terms on \S+/datasets/org/rows and give a token .* \(HF_TOKEN, or `hf auth login`\)",
    ),
    "gated, token without access": (says(403, X_Error_Code="GatedRepo"), "gated: accept its terms"),
    "the file is gone": (says(404, X_Error_Code="EntryNotFound"), "no such file at this commit"),
}


@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_is_one_sentence_and_leaves_nothing_that_passes_for_the_file(
    fault, hub, client, remote
):
    act, message = LASTING[fault]
    hub.fault(FILE, act, times=99)

    with pytest.raises(SourceError, match=message) as caught:
        client.fetch(remote)

    assert "\n" not in str(caught.value)
    assert leftovers(client) == []


@pytest.mark.slow
def test_a_server_that_drips_is_left(hub, client, remote):
    hub.fault(FILE, dripping, times=99)

    with pytest.raises(SourceError, match=r"received only \d+ bytes in"):
        client.fetch(remote)


def test_an_unknown_revision_and_an_unknown_dataset_are_told_apart(client):
    with pytest.raises(SourceError, match="org/rows at nowhere: no such revision"):
        client.listing("org/rows", "nowhere")
    with pytest.raises(SourceError, match="org/none at main: no such dataset"):
        client.listing("org/none", "main")


def test_a_cut_transfer_goes_on_where_it_was_cut(hub, client, remote):
    hub.fault(FILE, cut_after(300_000))

    assert fetched(client, remote) == BODY

    ranges = [request.range for request in hub.requests if "resolve" in request.path]
    assert ranges == [None, "bytes=300000-"]


def test_the_token_goes_to_the_hub_and_follows_no_redirect_to_another_host(hub, client, remote, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with Hub({"org/rows": hub.repos["org/rows"]}).serving() as elsewhere:

        def away(handler: Handler) -> bool:
            handler.say(302, {"Location": elsewhere.address + handler.path})
            return True

        hub.fault(FILE, away, times=99)

        assert fetched(client, remote) == BODY
        assert [r.token for r in hub.requests if "resolve" in r.path] == ["Bearer hf_secret"]
        assert [r.token for r in elsewhere.requests] == [None]


def test_a_cached_file_is_not_asked_for_again_and_a_damaged_one_is(hub, client, remote):
    path = client.fetch(remote)
    asked = len(hub.requests)
    again = Client(PATIENCE, endpoint=hub.address, cache=client.cache)
    assert fetched(again, remote) == BODY
    assert len(hub.requests) == asked

    path.resolve().write_bytes(flipped)
    afresh = Client(PATIENCE, endpoint=hub.address, cache=client.cache)

    assert fetched(afresh, remote) == BODY
    assert len(hub.requests) > asked


def test_the_cache_is_the_hub_clients_own(hub, client, remote):
    """What we fetched, huggingface_hub finds, and the other way round."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    ours = client.fetch(remote)
    found = try_to_load_from_cache(
        "org/rows", PATH, repo_type="dataset", revision=remote.commit, cache_dir=client.cache
    )
    assert found == str(ours)

    other = client.cache.with_name("other")
    hf_hub_download(
        "org/rows", PATH, repo_type="dataset", revision=remote.commit, cache_dir=other, endpoint=hub.address
    )
    asked = len(hub.requests)
    assert fetched(Client(PATIENCE, endpoint=hub.address, cache=other), remote) == BODY
    assert len(hub.requests) == asked


def test_offline_a_cached_file_is_there_and_another_is_a_sentence(hub, tmp_path):
    program = (
        "from hub_server import Repo; import sys; from pathlib import Path\n"
        "from flanbuild.sources.client import Client, Remote\n"
        "import test_hub_faults as t\n"
        "client = Client(cache=Path(sys.argv[1])); digest = __import__('hashlib').sha256(t.BODY).hexdigest()\n"
        "remote = Remote('org/rows', sys.argv[2], t.PATH, len(t.BODY), 'sha256', digest)\n"
        "print(len(client.fetch(remote).read_bytes()))\n"
        "client.listing('org/rows', 'main')\n"
    )
    client = Client(PATIENCE, endpoint=hub.address, cache=tmp_path)
    commit, [remote] = client.listing("org/rows", "main")
    client.fetch(remote)

    ran = in_subprocess(program, str(tmp_path), commit, HF_HUB_OFFLINE="1", HF_ENDPOINT=hub.address)

    assert ran.stdout.split() == [str(len(BODY))]
    assert "is not in the cache, and HF_HUB_OFFLINE forbids downloading it; `source: sample`" in ran.stderr


DOWNLOAD = (
    "import sys, test_hub_faults as t; from pathlib import Path; from flanbuild.sources.client import Client\n"
    "client = Client(t.PATIENCE, endpoint=sys.argv[1], cache=Path(sys.argv[2]))\n"
    "remote = client.listing('org/rows', 'main')[1][0]; print('begun', flush=True)\n"
    "assert client.fetch(remote).read_bytes() == t.BODY\n"
)


def environment(**changed: str) -> dict[str, str]:
    here = Path(__file__).parents[1]
    paths = os.pathsep.join(map(str, (here / "sources", here, here.parent)))
    return os.environ | {"PYTHONPATH": paths, "HF_HUB_DISABLE_XET": "1"} | changed


def in_subprocess(program: str, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment(**changed), capture_output=True, text=True, timeout=60)


def test_a_killed_download_goes_on_in_the_next_process(hub, client, remote):
    half = threading.Event()

    def stall_halfway(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
        handler.wfile.write(BODY[:200_000])
        handler.wfile.flush()
        half.set()
        time.sleep(0.5)
        return True

    hub.fault(FILE, stall_halfway)
    command = [sys.executable, "-c", DOWNLOAD, hub.address, str(client.cache)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert half.wait(30)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    assert leftovers(client) == []
    [part] = client.cache.rglob("*.incomplete")
    have = part.stat().st_size
    assert have > 100_000

    assert fetched(client, remote) == BODY
    assert [r.range for r in hub.requests if "resolve" in r.path] == [None, f"bytes={have}-"]
    assert not list(client.cache.rglob("*.incomplete"))


def test_two_processes_that_want_one_file_fetch_it_once(hub, client):
    def slowly(handler: Handler) -> bool:
        time.sleep(0.5)
        return False

    hub.fault(FILE, slowly, times=9)
    command = [sys.executable, "-c", DOWNLOAD, hub.address, str(client.cache)]
    processes = [subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) for _ in range(2)]

    assert [process.wait(60) for process in processes] == [0, 0]
    assert len([request for request in hub.requests if "resolve" in request.path]) == 1


def test_threads_that_want_one_file_fetch_it_once(hub, client, remote):
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetched(client, remote))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [BODY] * 4
    assert len([request for request in hub.requests if "resolve" in request.path]) == 1


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no right to mount a small disk ({error})")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_that_is_too_small_is_told_before_the_first_byte(hub, remote, small_disk):
    client = Client(PATIENCE, endpoint=hub.address, cache=small_disk)

    with pytest.raises(ExecutionError, match=r"No space left on device, for org/rows/.* of 400,000 bytes"):
        client.fetch(remote)

    assert not [r for r in hub.requests if "resolve" in r.path]
    assert list(small_disk.rglob("blobs/*")) == []


def test_a_disk_that_fills_up_on_the_way_is_told_and_what_was_begun_is_given_back(hub, remote, small_disk):
    client = Client(PATIENCE, endpoint=hub.address, cache=small_disk)

    def while_another_fills_it(handler: Handler) -> bool:
        (small_disk / "other").write_bytes(b"x" * 250_000)
        return False

    hub.repos["org/rows"].branches["main"][PATH] = BODY[:200_000]
    smaller = client.listing("org/rows", "main")[1][0]
    hub.fault(FILE, while_another_fills_it)

    with pytest.raises(ExecutionError, match="No space left on device"):
        client.fetch(smaller)

    assert list(small_disk.rglob("blobs/*")) == []


def test_a_cache_that_may_not_be_written_is_a_sentence(hub, remote, tmp_path):
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(FlanbuildError, match="Not a directory, for org/rows"):
        Client(PATIENCE, endpoint=hub.address, cache=tmp_path / "file").fetch(remote)


def test_with_no_network_the_message_comes_within_seconds_and_names_what_needs_none(tmp_path):
    began = time.monotonic()

    with pytest.raises(
        SourceError, match=r"cannot be reached .*`source: sample` needs no network, and `source: mirror`"
    ):
        Client(endpoint="http://127.0.0.1:9", cache=tmp_path).listing("org/rows", "main")

    assert time.monotonic() - began < 5


def test_a_download_that_is_stopped_ends_at_once_and_keeps_what_came(hub, client, remote):
    hub.fault(FILE, dripping, times=99)
    threading.Timer(0.3, client.close).start()
    began = time.monotonic()

    with pytest.raises(ExecutionError, match="run the command again to resume"):
        client.fetch(remote)

    assert time.monotonic() - began < 2
    assert [path.stat().st_size > 0 for path in client.cache.rglob("*.incomplete")] == [True]


def test_a_path_that_leads_out_of_its_repository_is_refused():
    with pytest.raises(SourceError, match="not a path inside a repository"):
        Remote("org/rows", "0" * 40, "../../elsewhere", 1, "sha256", "0" * 64)


def test_a_file_that_lies_in_git_itself_is_checked_by_gits_digest(hub, client):
    hub.repos["org/text"] = Repo({"main": {"train.txt": b"a\nb\n"}}, plain=frozenset({"train.txt"}))
    _, [remote] = client.listing("org/text", "main")
    assert (remote.algorithm, len(remote.digest)) == ("git_sha1", 40)
    hub.fault(r"/resolve/.*txt", lambda handler: bool(handler.send_file(b"a\nc\n")) or True)

    assert fetched(client, remote) == b"a\nb\n"
    assert len([request for request in hub.requests if "txt" in request.path]) == 2


# --- answers with bounds ---------------------------------------------------------------------------------------------


def endless(handler: Handler) -> bool:
    """As many bytes as the client will take, without a length."""
    handler.send_response(200)
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(1000):
            handler.wfile.write(BODY)
    handler.close_connection = True
    handler.connection.close()
    return True


def test_a_download_stops_at_the_promised_size(hub, client, remote):
    hub.fault(FILE, endless, times=2)
    received = []

    with pytest.raises(SourceError, match=r"came twice with other bytes .* found 400,001 bytes"):
        client.fetch(remote, received.append)

    assert sum(max(0, count) for count in received) < 4 * len(BODY)
    assert not leftovers(client)


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_a_compressed_answer_is_refused(encoding, hub, client, remote):
    hub.fault(FILE, with_bytes(gzip.compress(bytes(400_000)), Content_Encoding=encoding))

    with pytest.raises(SourceError, match=f"the server compressed the file .Content-Encoding {encoding}."):
        client.fetch(remote)
    assert not leftovers(client)


@pytest.mark.parametrize("answered", ["bytes 5-14/400000", "bytes 0-9/300000", "items 0-9/400000"])
def test_a_range_that_was_not_asked_for_is_refused(answered, hub, client, remote):
    def other_range(handler: Handler) -> bool:
        handler.say(206, {"Content-Range": answered}, BODY[5:15])
        return True

    hub.fault(FILE, other_range)

    with pytest.raises(SourceError, match="the server sent another range than bytes 0- of 400000"):
        client.read(remote, 0, 10)


def test_ten_bytes_of_a_server_without_ranges_are_read_without_the_rest(hub, client, remote):
    sent = []

    def whole(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(1000 * len(BODY)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                handler.wfile.write(BODY)
                sent.append(len(BODY))
        handler.close_connection = True
        return True

    hub.fault(FILE, whole)

    assert client.read(remote, 0, 10) == BODY[:10]
    assert len(sent) < 100


def info(body: bytes, kind: str = "application/json"):
    def act(handler: Handler) -> bool:
        handler.say(200, {"Content-Type": kind}, body)
        return True

    return act


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"[]",
        b"5",
        b'{"id": "org/rows", "sha": "x", "siblings": [5]}',
        b'{"siblings": 7}',
    ],
)
def test_a_listing_that_is_not_the_hubs_is_one_sentence(body, hub, client):
    hub.fault(INFO, info(body), times=9)

    with pytest.raises(
        SourceError, match=r"hub: org/rows at main: the answer of http://127.* is not the hub's"
    ):
        client.listing("org/rows", "main")


def test_a_name_that_leads_out_of_a_listing_stops_no_dataset_that_does_not_need_it(hub, client):
    hub.repos["org/rows"].branches["main"]["../evil.parquet"] = b"x"

    assert [file.path for file in client.listing("org/rows", "main")[1]] == [PATH]


def test_a_password_in_the_address_is_not_shown(tmp_path):
    client = Client(PATIENCE, endpoint="http://ana:secret@127.0.0.1:9", cache=tmp_path)

    with pytest.raises(SourceError, match="cannot be reached") as caught:
        client.listing("org/rows", "main")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("ftp://example.org/x", "an address that is no http:// or https:// URL"),
        ("http://127.0.0.2:9/x", "the hub redirects to 127.0.0.2, which cannot be reached"),
    ],
)
def test_a_redirect_that_fails_blames_its_target(target, message, hub, client, remote):
    hub.fault(FILE, says(302, Location=target), times=9)

    with pytest.raises(SourceError, match=message):
        client.fetch(remote)


# --- the lock --------------------------------------------------------------------------------------------------------

GOOD = {"path": "a.parquet", "bytes": 5, "sha256": "0" * 64}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ({"path": "../a.parquet"}, "is not a path inside a folder"),
        ({"path": "/a.parquet"}, "is not a path inside a folder"),
        ({"path": "x/../../a.parquet"}, "is not a path inside a folder"),
        ({"bytes": -1}, "expected a number of at least 0"),
        ({"sha256": None}, "one of sha256 and git_sha1 is needed"),
        ({"sha256": "0" * 63}, "expected a match of the pattern"),
    ],
)
def test_a_file_of_the_lock_has_a_size_a_digest_and_a_path_that_stays_inside(file, message, tmp_path):
    (tmp_path / "lock.json").write_text(json.dumps(locked_as({"files": [GOOD | file]})))

    with pytest.raises(DeclarationError, match=rf"lock.json: tasks.rte.splits.train.files\[0\].*{message}"):
        read_lock(tmp_path / "lock.json")


@pytest.mark.parametrize("repo", ["../../x", "http://example.org/x", "a/b/c", "/etc"])
def test_a_repository_of_the_lock_is_a_name(repo, tmp_path):
    (tmp_path / "lock.json").write_text(json.dumps(locked_as({"files": [GOOD]}, repo=repo)))

    with pytest.raises(DeclarationError, match=r"lock.json: tasks.rte.repo: "):
        read_lock(tmp_path / "lock.json")


def test_the_lock_names_the_repository_of_the_task_file(tasks, tmp_path):
    entry = locked_as({"files": [GOOD]}, repo="evil/rows", declared=declared(tasks["rte"]))
    (tmp_path / "lock.json").write_text(json.dumps(entry))

    with pytest.raises(
        SourceError, match=r"tasks.rte: names evil/rows \(rte\), but .*rte.yaml declares aps/super_glue"
    ):
        read_lock(tmp_path / "lock.json").entry(tasks["rte"])


@pytest.mark.parametrize("body", [b"[]", b"{", b"\xff", b"null", b'{"format": 1, "tasks": 5}'])
def test_a_file_that_is_no_lock_is_one_sentence(body, tmp_path):
    (tmp_path / "lock.json").write_bytes(body)

    with pytest.raises(DeclarationError, match=r"lock.json: .*`flanbuild lock` writes a valid one"):
        read_lock(tmp_path / "lock.json")


def test_locked_files_that_fit_no_layout_are_a_fault(tasks, client, tmp_path):
    split = {"files": [GOOD | {"path": "elsewhere/rows.parquet"}]}
    entry = locked_as(split, repo="aps/super_glue", declared=declared(tasks["rte"]))
    (tmp_path / "lock.json").write_text(json.dumps(entry))
    source = HubSource(read_lock(tmp_path / "lock.json"), client)

    with pytest.raises(
        SourceError, match=r"tasks.rte.splits.train: its files fit neither .* elsewhere/rows.parquet"
    ):
        source.split(tasks["rte"], "train")


def locked_as(split: dict, *, repo: str = "aps/super_glue", declared: str = "x") -> dict:
    entry = {
        "repo": repo,
        "config": "rte",
        "commit": "0" * 40,
        "branch": "main",
        "declared": declared,
        "splits": {"train": split},
    }
    return {"format": 1, "tasks": {"rte": entry}}
