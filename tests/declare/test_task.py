"""A task file with a fault: the message has the position, what was found and what is allowed."""

import json
import subprocess
import sys

import pytest
from conftest import PAGE
from ruamel.yaml import YAML

from flanbuild.declare.task import Template, placeholders, select
from flanbuild.declare.task_checks import RESERVED
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DeclarationError
from flanbuild.render import examples
from flanbuild.render.examples import check_expressions
from flanbuild.render.preprocessors import SOURCE_ROW


def faults(folder):
    try:
        return check_expressions(load_tasks([folder]).values())
    except DeclarationError as error:
        return list(error.faults)


def test_a_good_task_file_has_no_fault(pages):
    assert faults(pages()) == []


BROKEN = {
    "an unknown placeholder": ("{hypothesis}", "{hypotheses}", "rte.yaml:10: templates[0].inputs: no field 'hypotheses'. Did you mean 'hypothesis'?"),
    "a column that is not declared": ("hypothesis: hypothesis}", "hypothesis: hypotesis}", "rte.yaml:6: fields.hypothesis: no column 'hypotesis' in `hypotesis`. Did you mean 'hypothesis'?"),
    "labels in the wrong number": ("[entailment, not_entailment]", "[entailment]", "rte.yaml:7: options.not_entailment: no class 'not_entailment'. Did you mean 'entailment'?"),
    "a class without option": ("options: {entailment: yes, not_entailment: no}", "options: {entailment: yes}", "rte.yaml:7: options: class 'not_entailment' has no option: 2 labels, 1 options."),
    "no template": (PAGE[PAGE.index("templates:"):], "templates: []", "rte.yaml:9: templates: a task needs at least one template."),
    "a tab": ("  - inputs: |\n      Wording one", "\t- inputs: |\n      Wording one", "rte.yaml:10: found character that cannot start any token. Indent with spaces, not tabs."),
    "a duplicate key": ("metrics: [accuracy]", "metrics: [accuracy]\nmetrics: [f1]", "rte.yaml:9: found duplicate key \"metrics\""),
    "an unknown key": ("metrics:", "metric:", "rte.yaml:8: metric: no key 'metric' is known here. Did you mean 'metrics'?"),
    "an unknown metric": ("[accuracy]", "[accurasy]", "rte.yaml:8: metrics[0]: no metric 'accurasy' is known here. Did you mean 'accuracy'?"),
    "a duplicate template": ("Wording two", "wording  ONE", "rte.yaml:15: templates[1]: the same inputs and targets as templates[0], apart from white space and case."),
    "an unknown type": ("premise: string,", "premise: sting,", "rte.yaml:2: columns.premise: no type 'sting'. Did you mean 'string'?"),
    "broken SQL": ("label IS NOT NULL", "label IS NOT NOLL", "rte.yaml:5: where.labelled: `label IS NOT NOLL` is not a"),
    "a condition that is no condition": ("label IS NOT NULL", "label", "rte.yaml:5: where.labelled: `label` is of type String; needed is true or false."),
    "a target that can't be ranked": ('targets: "{answer}"', 'targets: "{answer}!"', "rte.yaml:14: templates[0].targets: with options, a forward target is {answer} alone, so that it can be ranked."),
    "an unknown preprocessor": ("where:", "preprocess: answer_kee\nwhere:", "rte.yaml:5: preprocess: no preprocessor 'answer_kee'. Did you mean 'answer_key'?"),
    "an old key": ("license: unknown", "licence: unknown", "rte.yaml:1: source.licence: no key 'licence' is known here; it is now called 'license'."),
    "another old key": ("config: rte", "enough: 5", "rte.yaml:1: source.enough: no key 'enough' is known here; it is now called 'max_rows'."),
    "a prompt without its row": ("{premise}\n      {hypothesis}\n      {options_}", "x", "rte.yaml:10: templates[0].inputs: a prompt without a field is the same for every row."),
    "doubled braces around a field": ("{premise}", "{{ premise }}", "rte.yaml:10: templates[0].inputs: doubled braces are literal text; write {premise} for the field."),
    "a prompt with its answer": ("{premise}", "{premise} {answer}", "rte.yaml:10: templates[0].inputs: a forward template must not show the {answer} that it asks for."),
    "options that differ in a space": ("entailment: yes, not_entailment: no}", "entailment: no, not_entailment: 'no '}", "rte.yaml:7: options: two classes share the option 'no'."),
    "a class without a name": ("[entailment, not_entailment]", "[entailment, not_entailment, '']", "rte.yaml:3: labels: a class name needs text; an empty cell means unlabelled."),
    "braces of Jinja with a filter": ("{premise}", "{hypothesis} {{ premise | upper }}", "rte.yaml:10: templates[0].inputs: doubled braces are literal text; write {premise} for the field."),
    "braces of Jinja with a method": ("{premise}", "{hypothesis} {{premise.strip()}}", "rte.yaml:10: templates[0].inputs: doubled braces are literal text; write {premise} for the field."),
    "a date that cannot be": ("license: unknown", "license: 2020-99-99", "rte.yaml:1: a value cannot be read as YAML: month must be in 1..12."),
    "a number of 5,000 digits": ("license: unknown", f"license: unknown, rows: {{train: {'9' * 5000}}}", "rte.yaml:1: a value cannot be read as YAML: Exceeds the limit"),
    "a boolean in place of a number": ("license: unknown", "license: unknown, rows: {train: true}", "rte.yaml:1: source.rows: expected a number (found {'train': True})."),
    "rows of a split that nothing reads": ("license: unknown", "license: unknown, rows: {trian: 5}", "rte.yaml:1: source.rows.trian: no split reads 'trian'. Did you mean 'train'?"),
    "files of a split that nothing reads": ("license: unknown", "license: unknown, files: {tset: x.csv}", "rte.yaml:1: source.files.tset: no split reads 'tset'."),
    "an absolute path": ("license: unknown", "license: unknown, files: {train: /etc/passwd}", "rte.yaml:1: source.files.train: expected a path relative to the task file or the repository (found '/etc/passwd')."),
    "one character for two purposes": ("license: unknown", "license: unknown, csv: {quote: ','}", "rte.yaml:1: source.csv: delimiter and quote are the same character"),
    "a split of no upstream split": ("{train: train,", "{train: [],", "rte.yaml:4: splits.train: expected a list of at least 1 item(s) (found [])."),
    "a split that names one twice": ("{train: train,", "{train: [train, train],", "rte.yaml:4: splits.train: 'train' is named 2 times, which repeats its rows."),
    "two splits of the same rows": ("test: validation}", "test: train}", "rte.yaml:4: splits.test: 'train' takes all rows of 'train' too; set rows aside with {of: train, rows: N}."),
    "no split": ("{train: train, validation: {of: train, rows: 20}, test: validation}", "{}", "rte.yaml:4: splits: a task needs at least one of train, validation and test."),
    "a field that is the label in a prompt with options": ("fields: {premise: premise,", "fields: {premise: label,", "rte.yaml:10: templates[0].inputs: a forward template must not show {premise}, which is the answer."),
    "an empty option": ("entailment: yes", "entailment: ''", "rte.yaml:7: options.entailment: an option needs text."),
    "a field that rendering needs": ("fields: {premise: premise,", "fields: {_row: premise, premise: premise,", "rte.yaml:6: fields._row: a field's name is an identifier that is not reserved; found '_row'."),
    "a field with FLAN's name of the answer": ("fields: {premise: premise,", "fields: {answer_str: premise, premise: premise,", "rte.yaml:6: fields.answer_str: a field cannot be called 'answer_str', which flanbuild fills in itself."),
    "a role for an unknown field": ("options:", "roles: {passage: premis}\noptions:", "rte.yaml:7: roles.passage: no field or string column 'premis'. Did you mean 'premise'?"),
    "a role for a column without text": ("options:", "roles: {answer: [label]}\noptions:", "rte.yaml:7: roles.answer: no field or string column 'label'."),
    "a role for the answer, which has one": ("options:", "roles: {answer: answer}\noptions:", "rte.yaml:7: roles.answer: {answer} always has the role answer and is not listed."),
    "two roles for one field": ("options:", "roles: {passage: premise, question: [hypothesis, premise]}\noptions:", "rte.yaml:7: roles.question: 'premise' already has the role passage."),
    "an unknown role": ("options:", "roles: {questions: premise}\noptions:", "rte.yaml:7: roles.questions: no key 'questions' is known here. Did you mean 'question'?"),
    "a control character": ("Wording one", "Wording\x0bone", "rte.yaml:11: character U+000B is not allowed in YAML."),
    "a placeholder with a format": ("{premise}", "{premise:>8}", "rte.yaml:10: templates[0].inputs: '{premise}' is not a plain {name}"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_faulty_task_file_is_refused_with_its_position(pages, name):
    was, becomes, sentence = BROKEN[name]
    assert was in PAGE

    found = faults(pages(PAGE.replace(was, becomes, 1)))

    assert any(sentence in fault for fault in found), found


def test_all_faults_of_all_task_files_are_reported_together(pages):
    pages(PAGE.replace("[accuracy]", "[accurasy]"), name="first")
    folder = pages(PAGE.replace("premise: string", "premise: sting"), name="second")

    found = faults(folder)

    assert len(found) == 2
    assert "first.yaml" in found[0]
    assert "second.yaml" in found[1]


@pytest.mark.parametrize("text", [PAGE.replace("{hypothesis}", "{x}"), "\tx: 1", PAGE + "labels: [a]\n"])
def test_a_faulty_task_file_ends_the_command_with_2_and_writes_nothing(pages, tmp_path, text):
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


def test_a_task_file_of_a_later_folder_replaces_a_built_in_one(pages, tmp_path):
    built_in = pages()
    own = tmp_path / "own" / "nli"
    own.mkdir(parents=True)
    (own / "rte.yaml").write_text(PAGE.replace("Wording one", "My wording"), encoding="utf-8")

    loaded = load_tasks([built_in, own.parent])

    assert loaded["rte"].templates[0].inputs.startswith("My wording")


def test_a_role_is_one_name_or_a_list(pages):
    folder = pages(PAGE + "roles: {passage: premise, question: [hypothesis]}\n")

    roles = load_tasks([folder])["rte"].roles

    assert (roles.passage, roles.question, roles.answer) == (("premise",), ("hypothesis",), ())


def test_a_subset_replaces_the_roles(pages):
    folder = pages(PAGE + "roles: {passage: premise}\nsubsets:\n  a: {}\n  b: {roles: {question: premise}}\n")

    loaded = load_tasks([folder])

    assert (loaded["rte/a"].roles.passage, loaded["rte/b"].roles.passage) == (("premise",), ())
    assert loaded["rte/b"].roles.question == ("premise",)


def test_a_subset_replaces_whole_keys_and_is_a_task(pages):
    folder = pages(PAGE + "subsets:\n  a: {}\n  b: {metrics: [f1]}\n")

    loaded = load_tasks([folder])

    assert {name: task.metrics for name, task in loaded.items()} == {"rte/a": ("accuracy",), "rte/b": ("f1",)}


def test_yes_and_no_are_text(pages):
    assert load_tasks([pages()])["rte"].options == {"entailment": "yes", "not_entailment": "no"}


def test_a_task_is_found_by_its_name_its_dataset_and_its_cluster(tasks):
    assert [task.name for task in select(tasks, "anli/r1")] == ["anli/r1"]
    assert [task.name for task in select(tasks, "anli")] == ["anli/r1", "anli/r2", "anli/r3"]
    assert [task.name for task in select(tasks, "nli/rte")] == ["rte"]
    with pytest.raises(DeclarationError, match=r"No task, dataset or cluster 'rtee'. Did you mean 'rte'\?"):
        select(tasks, "rtee")


ONE = """\
source: {files: {train: x.csv}, license: mit}
columns: {text: string, other: string}
splits: {train: train}
fields: {text: text, other: other}
metrics: [bleu]
templates:
"""
TRANSLATION = """\
  - {inputs: "In English: {text}. In French:", targets: "{other}"}
  - {inputs: "In French: {other}. In English:", targets: "{text}"}
"""


@pytest.mark.parametrize(
    "templates",
    [
        pytest.param(TRANSLATION.splitlines()[0], id="one template"),
        pytest.param(TRANSLATION, id="both directions of a translation"),
        pytest.param('  - {inputs: "{text}\\n{other}", targets: "{text}"}\n  - {inputs: "{other}\\n{text}", targets: "{text}"}', id="fields in another order"),
        pytest.param('  - {inputs: "{text}", targets: "{text}"}\n  - {inputs: "{text}", targets: "{other}"}', id="another target"),
    ],
)  # fmt: skip
def test_a_task_file_of_any_cluster_may_have_few_templates_that_are_alike_in_words(pages, templates):
    assert faults(pages(ONE + templates, cluster="my-cluster")) == []


def test_inverted_templates_may_be_many_and_show_options(pages):
    inverted = PAGE.replace('"{answer}"', '"{answer}"\n    kind: inverted').replace(
        "\n    kind: inverted", "", 1
    )

    assert faults(pages(inverted)) == []


@pytest.mark.parametrize("cluster", ["my cluster", "ä"])
def test_a_cluster_is_a_folder_whose_name_fits_a_path(pages, cluster):
    assert "a task file lies in the folder of its cluster" in faults(pages(cluster=cluster))[0]


def test_a_fault_in_a_key_of_a_subset_has_its_line(pages):
    folder = pages(PAGE + "subsets:\n  a: {}\n  b:\n    metrics: [accurasy]\n")

    assert faults(folder)[0].partition(": ")[2].startswith("subsets.b.metrics[0]: no metric 'accurasy'")
    assert faults(folder)[0].partition(": ")[0].endswith("rte.yaml:63")


def test_a_file_with_many_faults_is_parsed_once_for_their_lines(pages, monkeypatch):
    parsed = []
    monkeypatch.setattr(
        YAML, "load", lambda self, text, load=YAML.load: parsed.append(text) or load(self, text)
    )

    assert len(faults(pages(PAGE.replace("{answer}", "{answers}") + "# once\n"))) > 10
    assert len(parsed) == 2  # the data, then the same with lines


def test_rendering_reserves_the_columns_that_a_task_file_may_not_name():
    assert set(RESERVED) == {
        examples.ROW,
        examples.DROPPED,
        examples.CHOICES,
        examples.ANSWERS,
        examples.LABEL_ID,
        SOURCE_ROW,
    }


def test_flan_s_names_of_answer_and_options_mean_ours(pages):
    ours = load_tasks([pages()])["rte"]
    flan_s = load_tasks(
        [pages(PAGE.replace("{answer}", "{answer_str}").replace("{options_}", "{options_str}"))]
    )["rte"]

    assert flan_s.templates == ours.templates


def test_flan_s_names_in_literal_braces_stay_as_they_are():
    template = Template(inputs="{{answer_str}} {{{answer_str}}} {x}", targets="{answer_str}")

    assert template.inputs == "{{answer_str}} {{{answer}}} {x}"
    assert template.targets == "{answer}"


def test_doubled_braces_are_no_placeholder():
    assert placeholders("{a} {{b}} {c}") == ["a", "c"]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden"])
def test_a_split_name_can_not_leave_its_folder(pages, name):
    assert faults(pages(PAGE.replace("test: validation", f"test: {name}")))


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("Review Text", """column 'Review Text' is quoted in SQL: write '"Review Text"'."""),
        ("a-b", """column 'a-b' is quoted in SQL: write '"a-b"'."""),
        ("1st", """column '1st' is quoted in SQL: write '"1st"'."""),
        ("lower(Review Text)", """column 'Review Text' is quoted in SQL: write "Review Text" in `lower(Review Text)`."""),
        ("Adelie", "no column 'Adelie' in `Adelie`. Allowed: 1st, Review Text, a-b, text. A fixed text is written in single quotes: \"'Adelie'\"."),
        ("_row", "no column '_row' in `_row`."),
        ("CAST(1 + 1 AS VARCHAR)", "`CAST(1 + 1 AS VARCHAR)` reads no column; a field that is always the same is a text: 'French'."),
        ("MAX(text)", "`MAX(text)`: function max is not allowed."),
        ("text || CAST(NOW() AS VARCHAR)", "is not allowed"),
        ("text || '\x1b[31m' || nope", "no column 'nope' in `text || ' [31m' || nope`."),
    ],
)  # fmt: skip
def test_a_field_that_is_no_expression_over_its_row_is_a_fault(pages, sql, sentence):
    columns = "columns: {text: string, other: string, Review Text: string, a-b: string, 1st: string}"
    task = ONE.replace("columns: {text: string, other: string}", columns.replace("other: string, ", ""))
    task = task.replace("fields: {text: text, other: other}", f"fields:\n  text: {json.dumps(sql)}")

    found = faults(pages(task + '  - {inputs: "{text}", targets: "{text}"}'))

    assert any(sentence in fault for fault in found), found
    assert not any("_source_row" in fault for fault in found)
    assert not any("\x1b" in fault for fault in found)


@pytest.mark.parametrize(
    ("fields", "inputs"),
    [
        ("{lang: \"'French'\", text: text}", "Translate to {lang}."),
        ("{text: text}", "Judge: {options_}"),
    ],
)
def test_a_prompt_whose_fields_are_the_same_for_every_row_is_a_fault(pages, fields, inputs):
    task = ONE.replace("{text: text, other: other}", fields).replace(
        "metrics:", "options: [\"'a'\", \"'b'\"]\nanswer: other\nmetrics:"
    )

    found = faults(pages(task + f'  - {{inputs: "{inputs}", targets: "{{answer}}"}}'))

    assert any("alone is the same for every row." in fault for fault in found), found


def test_a_field_with_the_sql_of_the_answer_is_the_answer_in_a_forward_prompt(pages):
    task = ONE.replace("metrics:", "answer: other\nmetrics:")

    found = faults(pages(task + '  - {inputs: "{text} {other}", targets: "{other}"}'))

    assert any("a forward template must not show the {other} that it asks for." in fault for fault in found)


def test_hidden_folders_and_folders_of_data_hold_no_task_files(pages):
    folder = pages()
    pages(name="rte-checkpoint", cluster="nli/.ipynb_checkpoints")
    (folder / "data").mkdir()
    (folder / "data" / "train.csv").write_text("text\n")
    (folder / "data" / "meta.yaml").write_text("version: 3\nauthors: [x]\n")

    assert list(load_tasks([folder])) == ["rte"]


def test_a_folder_of_a_cluster_in_place_of_the_folder_above_is_named(pages):
    folder = pages()

    with pytest.raises(DeclarationError, match="--tasks names the folder above the clusters"):
        load_tasks([folder / "nli"])


def test_a_folder_without_task_files_is_named(tmp_path):
    with pytest.raises(DeclarationError, match=r"no task file; one is .*<cluster>/<dataset>.yaml"):
        load_tasks([tmp_path])


def test_a_value_of_several_forms_has_the_fault_of_the_form_that_it_has(pages):
    found = faults(
        pages(PAGE.replace("{entailment: yes, not_entailment: no}", "{entailment: 0, not_entailment: no}"))
    )

    assert [fault.partition(": ")[2] for fault in found] == ["options.entailment: expected text (found 0)."]


def test_a_subset_with_a_newline_in_its_name_is_refused(pages):
    found = faults(pages(PAGE + 'subsets: {"a\\n": {}}\n'))

    assert any("a subset's name has letters" in fault for fault in found), found


def test_a_license_with_a_line_end_is_refused(pages):
    found = faults(pages(PAGE.replace("license: unknown", 'license: "mit\\n# head"')))

    assert any("rte.yaml:1: source.license: expected one line of text" in fault for fault in found), found
