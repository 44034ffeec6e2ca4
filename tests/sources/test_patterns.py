"""The pattern language: glob, in which a name that exists is that file."""

import os

import pytest

from flanbuild.sources.patterns import find_files, matching, matching_members, split_member


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "deep/a.csv", False),
        ("b-?.csv", "b-1.csv", True),
        ("b-?.csv", "b-10.csv", False),
        ("b-?.csv", "b-/.csv", False),
        ("b-[12].csv", "b-2.csv", True),
        ("b-[12].csv", "b-3.csv", False),
        ("b-[!12].csv", "b-3.csv", True),
        ("b-[!12].csv", "b-1.csv", False),
        ("b-[a-c].csv", "b-b.csv", True),
        ("b-[]].csv", "b-].csv", True),
        ("b-[z-a].csv", "b-b.csv", False),
        ("b-[^x].csv", "b-^.csv", True),
        ("b-[.csv", "b-[.csv", True),
        ("**/a.csv", "a.csv", True),
        ("**/a.csv", "x/y/a.csv", True),
        ("x/**/a.csv", "x/a.csv", True),
        ("x/**", "x/y/z.csv", True),
        ("x/**", "y/z.csv", False),
        ("x/*/a.csv", "x/y/z/a.csv", False),
        ("*.csv", ".hidden.csv", False),
        ("**/a.csv", ".git/a.csv", False),
        (".*.csv", ".hidden.csv", True),
        ("a+(b).csv", "a+(b).csv", True),
        ("data/../a.csv", "a.csv", True),
        ("./a*.csv", "ab.csv", True),
    ],
)
def test_a_pattern_is_a_glob(pattern, path, matches):
    assert matching(pattern, [path]) == ([path] if matches else [])


def test_a_name_that_exists_is_that_file_and_no_pattern():
    paths = ["data[1].csv", "data1.csv"]

    assert matching("data[1].csv", paths) == ["data[1].csv"]
    assert matching("data[1].csv", paths[1:]) == ["data1.csv"]


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("a.zip!b.csv", ("a.zip", "b.csv")),
        ("A*.ZIP!deep/*.csv", ("A*.ZIP", "deep/*.csv")),
        ("wow!.csv", ("wow!.csv", "")),
        ("b-[!1].csv", ("b-[!1].csv", "")),
        ("a.zip!b!c.csv", ("a.zip", "b!c.csv")),
    ],
)
def test_a_member_follows_the_name_of_a_zip_archive(path, parts):
    assert split_member(path) == parts


def test_a_member_without_a_slash_is_compared_with_file_names():
    names = ["org/train.src.txt", "org/", "org/dev.src.txt", "__MACOSX/org/train.src.txt"]

    assert matching_members("*train.src.txt", names) == ["org/train.src.txt"]
    assert matching_members("org/*.txt", names) == ["org/train.src.txt", "org/dev.src.txt"]
    assert matching_members("*/train.src.txt", names) == ["org/train.src.txt"]


@pytest.fixture
def folder(tmp_path):
    """A folder whose own name looks like a pattern."""
    for path in (
        "exp[1]/tasks/nli/x.yaml",
        "exp[1]/data/b-1.csv",
        "exp[1]/data/b-2.csv",
        "exp1/data/b-3.csv",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    return tmp_path / "exp[1]" / "tasks" / "nli"


@pytest.mark.parametrize(
    "pattern",
    [
        "../../data/b-?.csv",
        "../../data/b-[12].csv",
        ".././../data/*.csv",
        "../..//data/b*",
        "../../**/b-*.csv",
    ],
)
def test_files_are_found_and_placed_by_one_language(pattern, folder):
    assert find_files(folder, pattern) == ["../../data/b-1.csv", "../../data/b-2.csv"]
    assert matching(pattern, find_files(folder, pattern)) == find_files(folder, pattern)


def test_a_pipe_is_no_file(folder):
    os.mkfifo(folder / "pipe.csv")

    assert find_files(folder, "*.csv") == []
    assert find_files(folder, "pipe.csv") == []


def test_a_name_that_is_too_long_for_the_file_system_matches_nothing(tmp_path):
    assert find_files(tmp_path, "x" * 10_000) == []
    assert find_files(tmp_path, "x" * 10_000 + "/a.csv") == []
