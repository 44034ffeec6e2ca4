"""Bounds of files that people write: size, depth, aliases, and time that grows with the number of faults and no faster."""

import pytest
from conftest import PAGE

from flanbuild.declare.document import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, Faults, read
from flanbuild.declare.metrics import METRICS
from flanbuild.declare.task_files import load_task_file
from flanbuild.errors import DeclarationError, nearest


@pytest.fixture
def file(tmp_path):
    """Writes a task file and returns its path."""

    def write(text):
        path = tmp_path / "nli" / "d.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


BOMB = "columns:\n  a0: &a0 [string]\n" + "".join(
    f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 11)
)
TOO_MUCH = {
    "a hundred thousand brackets": ("a: " + "[" * 100_000, f":1: lists and mappings are nested more than {MAX_DEPTH} levels deep."),
    "two thousand mappings": ("a: " + "{b: " * 2000, f":1: lists and mappings are nested more than {MAX_DEPTH} levels deep."),
    "deep blocks": ("\n".join("  " * i + f"a{i}:" for i in range(60)), f":{MAX_DEPTH + 1}: lists and mappings are nested"),
    "aliases of aliases": (BOMB, ":3: alias *a0 is inside a value with an anchor of its own; write the value out."),
    "many aliases": (f"a: &a x\nb: [{', '.join(['*a'] * 200)}]", f":2: the file has more than {MAX_ALIASES} aliases; write the values out."),
    "a large file": ("# " + "x" * MAX_BYTES, f": the file has more than {MAX_BYTES:,} bytes."),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_file_beyond_its_bounds_is_one_fault(name, file):
    text, sentence = TOO_MUCH[name]
    path = file(text)

    tasks, faults = load_task_file(path)

    assert tasks == []
    assert [fault for fault in faults if not fault.startswith(f"{path}{sentence}")] == []
    assert len(faults) == 1


def test_a_few_aliases_are_read(file):
    faults = Faults(path := file("a: &a [x, y]\nb: *a\nc: *a\n"))

    assert read(path, faults) == {"a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]}
    assert faults == []


MANY = {
    "unknown keys": (lambda n: PAGE + "".join(f"k{i}: 1\n" for i in range(n)), 60),
    "templates": (lambda n: PAGE + "".join(f'  - {{inputs: "{{nope}} {i}", targets: "{{answer}}"}}\n' for i in range(n)), 60),
}  # fmt: skip


@pytest.mark.parametrize("name", MANY)
def test_each_of_many_faults_has_its_line_and_the_file_is_read_once_for_all(name, file, monkeypatch):
    text, first = MANY[name]
    path = file(text(2000))
    opened = []
    monkeypatch.setattr(type(path), "open", _recording(type(path).open, opened))

    _, faults = load_task_file(path)

    assert [fault.partition(": ")[0] for fault in faults] == [f"{path}:{first + i}" for i in range(2000)]
    assert len(opened) <= 3


def _recording(function, calls):
    def record(*arguments, **options):
        calls.append(arguments)
        return function(*arguments, **options)

    return record


def test_a_file_without_read_permission_or_with_another_encoding_is_one_sentence(file, tmp_path):
    latin = file("")
    latin.write_bytes("a: é".encode("latin-1"))
    faults = Faults(latin)

    assert read(latin, faults) is None
    assert faults == [f"{latin}: byte 3 is not UTF-8."]

    folder = Faults(tmp_path)
    assert read(tmp_path, folder) is None
    assert folder == [f"{tmp_path}: Is a directory."]


def test_a_name_that_differs_in_its_code_points_is_explained():
    assert nearest("gru\u0308n", ["gr\u00fcn", "rot"]) == (
        " Did you mean 'gr\u00fcn', which looks the same but has other Unicode code points (NFC and NFD)?"
    )


@pytest.mark.parametrize("text", ["source: {files: {train: a.csv}", "a: [1,\n2", "a:\n  b: [\tx,\n"])
def test_a_bracket_that_is_open_at_the_end_of_the_file_is_one_sentence(file, text):
    faults = Faults(path := file(text))

    assert read(path, faults) is None
    assert len(faults) == 1
    assert faults[0].startswith(f"{path}:")


def test_a_message_is_bounded_however_long_the_names_of_a_damaged_file_are(file):
    _, faults = load_task_file(file(PAGE.replace("accuracy", "a" * 100_000)))

    error = DeclarationError(*faults)

    assert all(len(fault) <= 1000 for fault in error.faults)
    assert str(error).endswith(nearest("a" * 100_000, METRICS))


def test_names_that_a_message_lists_stay_on_one_line():
    assert nearest("id", ["id\nx"]) == " Did you mean 'id\\nx'?"
    assert nearest("id", ["y" * 100]) == f" Allowed: {'y' * 59}…."
