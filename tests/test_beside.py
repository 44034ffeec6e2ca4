"""The table of what flanbuild installs beside is that of benchmarks/beside.py."""

import importlib.util

from conftest import ROOT

SPEC = importlib.util.spec_from_file_location("beside", ROOT / "benchmarks" / "beside.py")
beside = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(beside)


def test_the_docs_have_a_row_for_each_consumer():
    table = beside.PAGE.read_text(encoding="utf-8").split(beside.START)[1].split(beside.END)[0]
    header, _, *rows = table.strip().splitlines()

    assert header == beside.HEADER.splitlines()[0]
    assert [row.split("|")[1].strip() for row in rows] == list(beside.CONSUMERS)


def test_what_forbids_an_environment_is_one_requirement_of_each_side():
    explanation = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because old-trainer==1.1 depends on pydantic<2 and flanbuild depends on
      old-trainer==1.1, we can conclude that flanbuild depends on pydantic<2.
      And because flanbuild depends on pydantic>=2.10, we can conclude that
      your requirements are unsatisfiable."""

    assert (
        beside.reason("old-trainer", explanation) == "it needs `pydantic<2`, flanbuild needs `pydantic>=2.10`"
    )


def test_an_explanation_of_another_form_is_kept():
    assert beside.reason("trainer", "error: no index\n  is reachable") == "error: no index is reachable"
