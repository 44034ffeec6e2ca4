"""The checks of the conformance suite find each fault; the pages follow the table of consumers and its snippets."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "conformance"))

import checks
import page
from consumers import CONSUMERS, ENVIRONMENTS, SNIPPETS

BEGIN, END, PAD = 0, 1, 2
ROW = {"prompt": "ab\n", "completion": "yes"}


class Characters:
    """A tokenizer whose tokens are characters; 0, 1 and 2 are begin, end and pad."""

    bos_token_id, eos_token_id, pad_token_id = BEGIN, END, PAD

    def decode(self, tokens, **_):
        return "".join(map(chr, tokens))


def example(prompt="ab\n", completion="yes", before=(BEGIN,), end=(END,), pad=()):
    without_loss = [*before, *map(ord, prompt)]
    with_loss = [*map(ord, completion), *end]
    ids = [*without_loss, *with_loss, *pad]
    return {"input_ids": ids, "labels": [-100] * len(without_loss) + with_loss + [-100] * len(pad)}


def faults(*examples, rows=(ROW,)):
    return dict(checks.label_faults(examples, rows, Characters()))


@pytest.mark.parametrize("right", [example(), example(before=()), example(pad=(PAD, PAD))])
def test_an_example_with_loss_on_the_completion_and_one_end_token_is_right(right):
    assert faults(right) == {}


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (example(before=(BEGIN, BEGIN)), "begin token twice"),
        (example(completion=chr(BEGIN) + "yes", before=()), "begin token not at the start"),
        (example(end=()), "no end token"),
        (example(end=(END, END)), "end token twice"),
    ],
)
def test_begin_and_end_tokens_are_counted(wrong, fault):
    assert faults(wrong) == {fault: 1}


def test_an_end_token_without_loss_is_a_fault():
    wrong = example()
    wrong["labels"][-1] = -100
    assert "end token without loss" in faults(wrong)


def test_labels_that_are_shifted_are_a_fault():
    wrong = example()
    wrong["labels"] = [*wrong["labels"][1:], -100]
    assert "a label is another token than its input" in faults(wrong)


def test_a_gap_in_the_loss_is_a_fault():
    wrong = example()
    wrong["labels"][-3] = -100
    assert faults(wrong) == {"the loss has gaps": 1}


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (example(prompt="ab", completion="\nyes"), "the border of the loss is not that of the completion"),
        (example(completion=" yes"), "a space is added before the completion"),
        (example(prompt="ab"), "white space differs"),
        (example(prompt="b\n"), "the text differs"),
    ],
)
def test_the_text_with_loss_is_the_completion_and_the_rest_the_prompt(wrong, fault):
    assert faults(wrong) == {fault: 1}


def test_a_row_that_comes_twice_is_no_substitute_for_another():
    other = {"prompt": "cd\n", "completion": "no"}
    assert faults(example(), example(), rows=(ROW, other)) == {"the row came before": 1}


def test_a_row_that_does_not_come_is_missing():
    assert faults(example(), rows=(ROW, ROW)) == {"rows are missing": 1}


def test_rows_are_compared_as_a_set_with_repeats():
    rows = [{"prompt": "a", "completion": "b", "row": n} for n in (0, 0, 1)]
    assert checks.row_faults(rows[::-1], rows) == []
    assert checks.row_faults(rows[1:], rows) == ["1 rows are missing"]
    assert checks.row_faults([*rows, rows[2]], rows) == ["1 rows are not in the mixture"]


def test_reading_nothing_is_a_fault():
    assert checks.row_faults([], [ROW]) == ["no row was read"]


def test_every_consumer_has_a_snippet_and_an_environment():
    assert {consumer.environment for consumer in CONSUMERS} == set(ENVIRONMENTS)
    assert sorted(consumer.snippet for consumer in CONSUMERS) == sorted(SNIPPETS.glob("*.py"))


def test_the_page_has_a_row_for_each_consumer_and_each_snippet_as_it_runs():
    written = page.PAGE.read_text(encoding="utf-8").split(page.START)[1].split(page.END)[0]
    rows = [line.split(" | ") for line in written.splitlines() if line.startswith("| ")][1:]

    assert [row[0].removeprefix("| ") for row in rows] == [consumer.name for consumer in CONSUMERS]
    assert [(row[2], row[3]) for row in rows] == [(c.view, str(c.glue)) for c in CONSUMERS]
    assert written.rstrip().endswith(page.snippets().rstrip())


def test_the_readme_names_each_consumer_once():
    table = page.README.read_text(encoding="utf-8").split(page.README_START)[1].split(page.README_END)[0]
    assert [table.count(f"[{consumer.name}]") for consumer in CONSUMERS] == [1] * len(CONSUMERS)


def training(**changes):
    return {
        "steps": 3,
        "losses": [2.0, 1.5, 1.4],
        "examples": [example()],
        "trained": [example()] * 3,
    } | changes


def test_three_steps_on_compared_examples_are_right_whatever_the_padding():
    padded = [example(pad=(PAD, PAD))] * 3
    assert checks.step_faults(training(), Characters()) == []
    assert checks.step_faults(training(trained=padded), Characters()) == []


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"steps": 2}, "2 steps instead of 3"),
        ({"losses": []}, "0 losses instead of 3"),
        ({"losses": [2.0, float("nan"), 1.4]}, "the loss is not finite"),
        ({"trained": [example(), example(end=())]}, "1 of 2 examples in training are not those compared"),
    ],
)
def test_steps_with_a_fault_are_not_right(wrong, fault):
    assert checks.step_faults(training(**wrong), Characters()) == [fault]


READING = (page.PAGE.parent / "reading.md").read_text(encoding="utf-8")
FOLDER = "data/mixtures/flan2021-without-nli"


def snippet(name):
    return (SNIPPETS / f"{name}.py").read_text(encoding="utf-8")


def blocks(section):
    """The indented blocks of a section of docs/reading.md."""
    text = READING.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return [block.strip("\n") for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)]


@pytest.mark.parametrize(
    ("reader", "names"),
    [
        ("polars", ["polars"]),
        ("pyarrow", ["pyarrow"]),
        ("pandas", ["pandas"]),
        ("DuckDB", ["duckdb"]),
        ("`datasets`, without flanbuild", ["datasets_folder", "datasets_streaming"]),
    ],
)
def test_the_recipe_of_a_reader_is_what_its_snippets_run(reader, names):
    how = next(line for line in READING.splitlines() if line.startswith(f"| {reader} |")).split(" | ")[1]
    recipes = [
        code.replace('"DIR', f'"{FOLDER}').replace("DIR", f'"{FOLDER}"')
        for code in re.findall("`(.+?)`", how)
    ]
    assert recipes
    assert [code for code in recipes if not any(code in snippet(name) for name in names)] == []


def test_the_recipe_of_trl_is_what_its_snippet_runs():
    lines = [line.strip() for line in snippet("trl_text").splitlines()]
    assert [line for line in blocks("TRL")[0].splitlines() if line.strip() not in lines] == []


def test_the_recipe_of_llamafactory_is_what_its_snippet_runs():
    source, template = blocks("LLaMA-Factory")
    world = ast.parse((page.FOLDER / "world.py").read_text(encoding="utf-8"))
    values = {node.targets[0].id: node.value for node in world.body if isinstance(node, ast.Assign)}

    dataset = json.loads(source)["flan"]
    assert dataset["hf_hub_url"] == FOLDER
    assert json.dumps(dataset["columns"]) in snippet("llamafactory")
    assert template.strip() == ast.literal_eval(values["TEMPLATE"])
