"""A page with a fault is told where, what was found, what is allowed; and nothing else happens."""

import subprocess
import sys

import pytest
from conftest import PAGE

from flanbuild.declare.task import load_tasks, placeholders, select
from flanbuild.errors import DeclarationError
from flanbuild.render.examples import check_expressions


def faults(folder):
    try:
        return check_expressions(load_tasks([folder]).values())
    except DeclarationError as error:
        return list(error.faults)


def test_a_page_without_fault_has_none(pages):
    assert faults(pages()) == []


BROKEN = {
    "an unknown placeholder": ("{hypothesis}", "{hypotheses}", "rte.yaml:10: templates[0].inputs: no field 'hypotheses'. Did you mean 'hypothesis'?"),
    "a column that is not declared": ("hypothesis: hypothesis}", "hypothesis: hypotesis}", "rte.yaml:6: fields.hypothesis: no column 'hypotesis' in `hypotesis`. Did you mean 'hypothesis'?"),
    "labels in the wrong number": ("[entailment, not_entailment]", "[entailment]", "rte.yaml:7: options.not_entailment: no class 'not_entailment'. Did you mean 'entailment'?"),
    "a class without option": ("options: {entailment: yes, not_entailment: no}", "options: {entailment: yes}", "rte.yaml:7: options: class 'not_entailment' has no option: 2 labels, 1 options."),
    "nine templates": (PAGE[PAGE.rindex("  - inputs"):], "", "rte.yaml:9: templates: 9 templates; a page has at least 10."),
    "a tab": ("  - inputs: |\n      Wording one", "\t- inputs: |\n      Wording one", "rte.yaml:10: found character that cannot start any token. Indent with blanks, not tabs."),
    "a duplicate key": ("metrics: [accuracy]", "metrics: [accuracy]\nmetrics: [f1]", "rte.yaml:9: found duplicate key \"metrics\""),
    "an unknown key": ("metrics:", "metric:", "rte.yaml:8: metric: no key 'metric' is known here. Did you mean 'metrics'?"),
    "an unknown metric": ("[accuracy]", "[accurasy]", "rte.yaml:8: metrics[0]: no 'accurasy' is known here. Did you mean 'accuracy'?"),
    "a duplicate template": ("Wording two", "wording  ONE", "rte.yaml:15: templates[1]: says the same as templates[0]."),
    "an unknown type": ("premise: string,", "premise: sting,", "rte.yaml:2: columns.premise: no type 'sting'. Did you mean 'string'?"),
    "broken SQL": ("label IS NOT NULL", "label IS NOT NOLL", "rte.yaml:5: where.labelled: `label IS NOT NOLL` is not an expression over the columns"),
    "a condition that is no condition": ("label IS NOT NULL", "label", "rte.yaml:5: where.labelled: `label` is of type String; needed is true or false."),
    "a target that can't be ranked": ('targets: "{answer}"', 'targets: "{answer}!"', "rte.yaml:14: templates[0].targets: with options, a forward target is {answer} alone, so that it can be ranked."),
    "an unknown preprocessor": ("where:", "preprocess: answer_kee\nwhere:", "rte.yaml:5: preprocess: no preprocessor 'answer_kee'. Did you mean 'answer_key'?"),
    "a placeholder with a format": ("{premise}", "{premise:>8}", "rte.yaml:10: templates[0].inputs: '{premise}' is not a plain {name}"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_page_is_refused_with_its_place(pages, name):
    was, becomes, sentence = BROKEN[name]
    assert was in PAGE

    found = faults(pages(PAGE.replace(was, becomes, 1)))

    assert any(sentence in fault for fault in found), found


def test_all_faults_of_all_pages_are_reported_together(pages):
    pages(PAGE.replace("[accuracy]", "[accurasy]"), name="first")
    folder = pages(PAGE.replace("premise: string", "premise: sting"), name="second")

    found = faults(folder)

    assert len(found) == 2
    assert "first.yaml" in found[0]
    assert "second.yaml" in found[1]


@pytest.mark.parametrize("text", [PAGE.replace("{hypothesis}", "{x}"), "\tx: 1", PAGE + "labels: [a]\n"])
def test_a_faulty_page_ends_the_command_with_2_and_writes_nothing(pages, tmp_path, text):
    folder = pages(text)
    data = tmp_path / "data"

    command = [
        sys.executable,
        "-c",
        "from flanbuild.cli.app import main; main()",
        "mixture",
        "--tasks",
        folder,
        "--data",
        data,
    ]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)

    assert run.returncode == 2
    assert "rte.yaml" in run.stderr
    assert "Traceback" not in run.stderr
    assert not data.exists()


def test_a_later_folder_stands_in_for_a_built_in_page(pages, tmp_path):
    built_in = pages()
    own = tmp_path / "own" / "nli"
    own.mkdir(parents=True)
    (own / "rte.yaml").write_text(PAGE.replace("Wording one", "My wording"), encoding="utf-8")

    loaded = load_tasks([built_in, own.parent])

    assert loaded["rte"].templates[0].inputs.startswith("My wording")


def test_a_subset_replaces_whole_keys_and_is_a_task(pages):
    folder = pages(PAGE + "subsets:\n  a: {}\n  b: {metrics: [f1]}\n")

    loaded = load_tasks([folder])

    assert {name: task.metrics for name, task in loaded.items()} == {"rte/a": ("accuracy",), "rte/b": ("f1",)}


def test_yes_and_no_are_words(pages):
    assert load_tasks([pages()])["rte"].options == {"entailment": "yes", "not_entailment": "no"}


def test_a_task_is_found_by_its_name_its_dataset_and_its_cluster(tasks):
    assert [task.name for task in select(tasks, "anli/r1")] == ["anli/r1"]
    assert [task.name for task in select(tasks, "anli")] == ["anli/r1", "anli/r2", "anli/r3"]
    assert [task.name for task in select(tasks, "nli/rte")] == ["rte"]
    with pytest.raises(DeclarationError, match=r"No task, dataset or cluster 'rtee'. Did you mean 'rte'\?"):
        select(tasks, "rtee")


def test_doubled_braces_are_no_placeholder():
    assert placeholders("{a} {{b}} {c}") == ["a", "c"]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden"])
def test_a_split_name_can_not_leave_its_folder(pages, name):
    assert faults(pages(PAGE.replace("test: validation", f"test: {name}")))
