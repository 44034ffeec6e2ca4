"""Rows as examples: labels and answers in their range, the first row that an expression cannot read, one row at a time."""

import zipfile

import polars as pl
import pyarrow as pa
import pytest
from conftest import ROOT

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.task_files import load_task_file, load_tasks
from flanbuild.errors import SourceError
from flanbuild.render.examples import ANSWER, DROPPED, check_ranges, examples, row_errors
from flanbuild.sample import sample_table
from flanbuild.sources.local import LocalFiles

TASKS = load_tasks([ROOT / "mixtures" / "tasks"])

LABELLED = """\
source: {files: {train: x.csv}, license: mit}
columns: {text: string, label: class_label}
labels: [world, sports, business, tech]
splits: {train: train}
fields: {text: text}
options: {world: w, sports: s, business: b, tech: t}
metrics: [accuracy]
templates: [{inputs: "{text} {options_}", targets: "{answer}"}]
"""
CHOICE = """\
source: {files: {train: x.csv}, license: mit}
columns: {text: string, ch: [string], right: int64}
splits: {train: train}
fields: {text: text}
options: ch
answer: right
metrics: [accuracy]
templates: [{inputs: "{text} {options_}", targets: "{answer}"}]
"""


def evaluated(task, rows):
    return examples(task, pl.DataFrame(pa.Table.from_pylist(rows, arrow_schema(task))).lazy()).collect()


def dropped(task, rows):
    return dict(evaluated(task, rows)[DROPPED].drop_nulls().value_counts().iter_rows())


@pytest.fixture
def task(pages):
    def make(text):
        return load_tasks([pages(text, name="d")])["d"]

    return make


@pytest.mark.parametrize("unlabelled", [None, -1])
def test_null_and_minus_one_mean_unlabelled(task, unlabelled):
    labelled, choice = task(LABELLED), task(CHOICE)

    assert dropped(labelled, [{"text": "a", "label": unlabelled}]) == {"no answer": 1}
    assert dropped(choice, [{"text": "a", "ch": ["x", "y"], "right": unlabelled}]) == {"no answer": 1}
    check_ranges(labelled, "'train'", {"no answer": 1})


def test_labels_that_count_from_1_are_a_fault_that_says_what_was_found(task):
    labelled = task(LABELLED)
    rows = [{"text": f"t{i}", "label": i + 1} for i in range(4)]

    with pytest.raises(SourceError) as caught:
        check_ranges(labelled, "'train'", dropped(labelled, rows))

    assert str(caught.value).endswith(
        "d.yaml:3: labels: split 'train' has the label 4 in 1 row; allowed are 0 to 3, and null or -1 for a row without "
        "one. Does the label count from 1?"
    )


@pytest.mark.parametrize("label", [4, 99, -5, 2**40])
def test_no_label_out_of_range_is_taken_for_unlabelled(task, label):
    labelled = task(LABELLED.replace("fields:", "where: {labelled: label IS NOT NULL}\nfields:"))

    with pytest.raises(SourceError, match=rf"has the label {label} in 2 rows"):
        check_ranges(labelled, "'train'", dropped(labelled, [{"text": "a", "label": label}] * 2))


def test_answers_that_count_from_1_are_a_fault_that_says_what_was_found(task):
    choice = task(CHOICE)
    rows = [{"text": "a", "ch": ["x", "y"], "right": right} for right in (1, 2, 2)]

    with pytest.raises(SourceError) as caught:
        check_ranges(choice, "'train'", dropped(choice, rows))

    assert str(caught.value).endswith(
        "d.yaml:6: answer: split 'train' has the answer 2 of 2 in 2 rows; allowed are 0 to the number of options minus "
        "one, and null or -1 for a row without one. Does the answer count from 1? Then subtract 1 in the expression."
    )


def test_an_answer_of_a_row_that_a_condition_drops_is_not_looked_at(task):
    choice = task(CHOICE.replace("fields:", "where: {asked: right < 2}\nfields:"))

    assert dropped(choice, [{"text": "a", "ch": ["x", "y"], "right": 9}]) == {"not asked": 1}


def test_fixed_options_have_a_range_too(task):
    choice = task(CHOICE.replace("options: ch", "options: [\"'yes'\", \"'no'\"]"))

    with pytest.raises(SourceError, match="has the answer 2 of 2 in 1 row;"):
        check_ranges(choice, "'train'", dropped(choice, [{"text": "a", "ch": [], "right": 2}]))


@pytest.mark.parametrize(
    ("sql", "values", "sentence"),
    [
        ("CAST(CAST(text AS BIGINT) AS VARCHAR)", ["1", "2", "x", "y"], "fails at row 2 of split 'train', where text is 'x': "),
        ("CAST(CAST(text AS INT) + 1 AS VARCHAR)", ["9", "99999999999"], "fails at row 1 of split 'train', where text is '99999999999': "),
        ("CAST(CAST(split_part(text, ' ', 1) AS TINYINT) AS VARCHAR)", ["1 a"] * 900 + ["300 b"], "fails at row 900 of split 'train', where text is '300 b': "),
    ],
)  # fmt: skip
def test_an_expression_that_fails_names_its_field_and_the_first_row(task, sql, values, sentence):
    broken = task(LABELLED.replace("fields: {text: text}", f'fields: {{text: "{sql}"}}'))
    raw = pl.DataFrame({"text": values, "label": [0] * len(values)})

    with pytest.raises(SourceError) as caught, row_errors(broken, "'train'", raw.lazy):
        examples(broken, raw.lazy()).collect()

    assert f"d.yaml:5: fields.text: `{sql}` {sentence}" in str(caught.value)
    assert str(caught.value).endswith("TRY_CAST gives null where CAST fails.")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", TASKS)
def test_a_row_gives_the_same_example_among_half_of_the_rows(name):
    task = TASKS[name]
    split = task.upstream_splits()[0]
    table = sample_table(task, split, rows=60)
    half = table.slice(0, table.num_rows // 2)

    of_all = examples(task, pl.DataFrame(table).lazy()).collect()
    of_half = examples(task, pl.DataFrame(half).lazy()).collect()

    assert of_half.height > 0
    assert of_all.head(of_half.height).equals(of_half)


def test_gigaword_drops_unknown_words_in_either_spelling_as_upstream_writes_its_archive(tmp_path):
    (declared,), _ = load_task_file(TASKS["gigaword"].path)
    source = declared.source.model_copy(update={"repo": "./gigaword"})
    local = declared.model_copy(
        update={"source": source, "path": tmp_path / "summarization" / "gigaword.yaml"}
    )
    archive = tmp_path / "summarization" / "data" / "ggw_data.zip"
    archive.parent.mkdir(parents=True)
    pairs = [
        ("police arrested two men on monday .", "two men arrested"),
        ("the <unk> fell on monday .", "something fell"),
        ("shares rose on monday .", "<unk> shares rise"),
        ("the UNK fell on monday .", "something fell"),
        ("shares rose # percent .", "shares rise"),
    ]
    with zipfile.ZipFile(archive, "w") as file:  # as Harvard/gigaword: a folder, one row per line
        for split in ("train", "dev", "test"):
            file.writestr(f"org_data/{split}.src.txt", "".join(f"{source}\n" for source, _ in pairs))
            file.writestr(f"org_data/{split}.tgt.txt", "".join(f"{target}\n" for _, target in pairs))

    upstream = LocalFiles().split(local, "train")
    rows = pl.DataFrame(pa.concat_tables(upstream.tables))
    result = examples(local, rows.lazy()).collect()

    assert result[DROPPED].to_list() == [
        None,
        "not of_known_words",
        "not of_known_words",
        "not of_known_words",
        "not of_known_digits",
    ]
    assert result["summary"][0] == "two men arrested"
    assert ANSWER not in result.columns
