"""The sample: upstream's columns, the same rows on every run, and the quirks of the upstream texts."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import PAGE

from flanbuild.artifacts.columns import arrow_schema, class_names
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import SourceError
from flanbuild.sample import sample_records, sample_splits, sample_table
from flanbuild.sample.registry import DATASETS

ROOT = Path(__file__).resolve().parents[2]
SPLITS = [(repo, config, split) for repo, config in DATASETS for split in sample_splits(repo, config)]
NAMES = ["/".join(key) for key in SPLITS]


def rows_of(repo: str, config: str, split: str = "train", rows: int = 500) -> list[dict]:
    return sample_records(repo, config, split, rows=rows)


@pytest.fixture
def declared(pages):
    """The task of PAGE, which reads RTE, after replacing text."""

    def task(*changes: tuple[str, str]) -> Task:
        page = PAGE
        for before, after in changes:
            assert before in page
            page = page.replace(before, after)
        return load_tasks([pages(page)])["rte"]

    return task


# ---- columns


def test_a_record_has_the_columns_of_the_mirrored_file(mirror):
    faults = []
    for path in sorted(mirror.glob("*/*/*/*.parquet")):
        owner, name, config = path.relative_to(mirror).parts[:3]
        split = re.sub(r"-\d+-of-\d+$", "", path.stem)
        upstream = sorted(pq.read_schema(path).names)
        ours = sorted(rows_of(f"{owner}/{name}", config, split, rows=1)[0])
        if ours != upstream:
            faults.append(f"{path}: {ours} instead of {upstream}")

    assert faults == []


def test_a_table_has_the_columns_and_types_that_the_task_declares(tasks):
    for task in tasks.values():
        for split in task.upstream_splits():
            assert sample_table(task, split, rows=5).schema.equals(arrow_schema(task)), task.name


def test_a_table_carries_the_class_names_as_the_files_of_the_hub_do(mirror, tasks):
    schema = sample_table(tasks["rte"], "train", rows=5).schema
    upstream = pq.read_schema(next((mirror / "aps/super_glue/rte").glob("train-*.parquet")))

    assert class_names(schema, "label") == class_names(upstream, "label") == ["entailment", "not_entailment"]


def test_a_table_holds_the_values_of_the_records(tasks):
    task = tasks["imdb"]
    records = rows_of(task.source.repo, task.source.config, "train", 90)

    rows = sample_table(task, "train", rows=90).to_pylist()

    assert rows == [{name: record[name] for name in task.columns} for record in records]


def test_a_table_is_sorted_by_class_even_if_the_task_does_not_declare_the_class(tasks):
    task = tasks["imdb"]
    texts = task.model_copy(update={"columns": {"text": "string"}, "labels": ()})

    assert sample_table(texts, "train", rows=90)["text"].equals(sample_table(task, "train", rows=90)["text"])


def test_a_declared_column_that_the_rows_lack_is_an_error_with_the_nearest_name(declared):
    task = declared(
        ("{premise: string", "{premis: string"), ("fields: {premise: premise", "fields: {premise: premis")
    )

    with pytest.raises(SourceError, match=r"rte.yaml: columns.premis: .* no column.*Did you mean 'premise'"):
        sample_table(task, "train", rows=5)


def test_a_declared_type_of_another_kind_is_an_error(declared):
    task = declared(("premise: string", "premise: {text: string}"))

    with pytest.raises(
        SourceError, match=r"columns.premise: expected struct<text: string>, but .* has string"
    ):
        sample_table(task, "train", rows=5)


def test_a_declared_type_that_is_too_narrow_is_an_error(declared):
    task = declared(("label: class_label}", "label: class_label, idx: int8}"))

    with pytest.raises(SourceError, match=r"rte.yaml: columns: .*128"):
        sample_table(task, "train", rows=300)


def test_a_class_id_without_a_class_name_is_an_error(declared):
    task = declared(
        ("labels: [entailment, not_entailment]", "labels: [entailment]"),
        ("options: {entailment: yes, not_entailment: no}", "options: {entailment: yes}"),
    )

    with pytest.raises(SourceError, match=r"labels: 1 classes, but column 'label' of .* has class 1"):
        sample_table(task, "train", rows=60)


# ---- rows


@pytest.mark.parametrize(("repo", "config", "split"), SPLITS, ids=NAMES)
def test_a_larger_sample_extends_a_smaller_one(repo, config, split):
    small, big = (rows_of(repo, config, split, rows) for rows in (40, 90))
    order = DATASETS[repo, config].order
    if order is None:
        assert big[: len(small)] == small
    else:  # sorted by class, as upstream
        assert Counter(map(json.dumps, small)) <= Counter(map(json.dumps, big))
        assert [row[order] for row in big] == sorted(row[order] for row in big)


def test_no_split_has_more_rows_than_upstream():
    assert len(rows_of("aps/super_glue", "cb", "train", 30_000)) == 250
    assert len(rows_of("aps/super_glue", "cb", "validation", 30_000)) == 56
    assert len(rows_of("facebook/anli", "plain_text", "dev_r1", 500)) == 100
    assert len(rows_of("facebook/anli", "plain_text", "train_r2", 500)) == 500


def test_an_unknown_name_is_an_error_with_the_nearest_name():
    with pytest.raises(SourceError, match="Did you mean 'aps/super_glue'"):
        sample_splits("aps/superglue", "rte")
    with pytest.raises(SourceError, match="Did you mean 'rte'"):
        sample_splits("aps/super_glue", "rta")
    with pytest.raises(SourceError, match="Did you mean 'validation'"):
        rows_of("aps/super_glue", "rte", "validations", 10)


def test_rows_do_not_depend_on_the_hash_seed():
    chosen = [key for key in SPLITS if key[2].startswith(("train", "test"))][::7]
    script = (
        "import json; from flanbuild.sample import sample_records\n"
        f"print(json.dumps([sample_records(*key, rows=60) for key in {chosen!r}]))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "4711")
    ]

    assert outputs[0] == outputs[1]
    assert json.loads(outputs[0]) == [rows_of(*key, 60) for key in chosen]


@pytest.mark.parametrize(("repo", "config", "split"), SPLITS, ids=NAMES)
def test_rows_are_mostly_distinct(repo, config, split):
    rows = rows_of(repo, config, split, 400)
    numbering = {"idx", "id", "uid", "ind", "query_id", "gem_id", "gem_parent_id", "question_id", "story_id"}
    contents = {json.dumps({k: v for k, v in row.items() if k not in numbering}) for row in rows}

    assert len(contents) > 0.7 * len(rows)


def test_train_and_test_share_few_rows():
    for repo, config, key in (
        ("aps/super_glue", "rte", "premise"),
        ("stanfordnlp/imdb", "plain_text", "text"),
    ):
        train, test = ({row[key] for row in rows_of(repo, config, split)} for split in ("train", "test"))
        assert len(train & test) < 0.05 * len(test)


# ---- quirks of the upstream texts


def test_hidden_labels_are_hidden():
    assert {row["label"] for row in rows_of("aps/super_glue", "rte", "test")} == {-1}
    assert {row["label"] for row in rows_of("nyu-mll/glue", "mnli", "test_matched")} == {-1}
    assert {row["label"] for row in rows_of("Rowan/hellaswag", "default", "test")} == {""}
    assert {row["answer"] for row in rows_of("allenai/winogrande", "winogrande_xl", "test")} == {""}
    assert {row["target"] for row in rows_of("GEM/gem", "common_gen", "test")} == {""}
    assert {row["label"] for row in rows_of("stanfordnlp/imdb", "plain_text", "unsupervised")} == {-1}
    assert {row["answer"]["value"] for row in rows_of("mandarjoshi/trivia_qa", "rc.nocontext", "test")} == {
        "<unk>"
    }


@pytest.mark.parametrize(
    ("repo", "config", "column", "pattern"),
    [
        ("stanfordnlp/imdb", "plain_text", "text", "<br /><br />"),
        ("fancyzhx/yelp_polarity", "plain_text", "text", r"\\n"),
        ("fancyzhx/yelp_polarity", "plain_text", "text", r'\\""'),
        ("Rowan/hellaswag", "default", "ctx", r"\[header\] .* \[step\]"),
        ("abisee/cnn_dailymail", "3.0.0", "article", r"^[\w ]+, [\w ]+ \(CNN\) -- "),
        ("abisee/cnn_dailymail", "3.0.0", "article", r"2013 \. "),
        ("alexfabbri/multi_news", "default", "document", r" \|\|\|\|\| "),
        ("alexfabbri/multi_news", "default", "document", "NEWLINE_CHAR"),
        ("aps/super_glue", "record", "passage", "\n@highlight\n"),
        ("aps/super_glue", "record", "query", "@placeholder"),
        ("Harvard/gigaword", "default", "document", "#"),
        ("Harvard/gigaword", "default", "document", "UNK"),
        ("knkarthick/samsum", "default", "dialogue", "\r\n"),
        ("knkarthick/samsum", "default", "dialogue", "<file_"),
        ("nyu-mll/glue", "sst2", "sentence", " $"),
        ("Yale-LILY/aeslc", "default", "email_body", "\t"),
        ("Yale-LILY/aeslc", "default", "subject_line", "\n$"),
        ("fancyzhx/ag_news", "default", "text", " #39;"),
    ],
)
def test_texts_have_the_marks_of_upstream(repo, config, column, pattern):
    texts = [row[column] for row in rows_of(repo, config, rows=2000)]
    share = sum(bool(re.search(pattern, text)) for text in texts) / len(texts)

    assert share > 0.01


def test_texts_hold_braces_tabs_and_other_scripts():
    text = "".join(row["premise"] for row in rows_of("facebook/anli", "plain_text", "train_r3", 3000))

    assert {"{", "}", '"', "\t", "\n"} <= set(text)
    assert re.search("[α-ω]", text)
    assert re.search("[а-я]", text)
    assert re.search("[一-鿿]", text)


def test_some_documents_are_very_long():
    lengths = [len(row["document"]) for row in rows_of("EdinburghNLP/xsum", "default", rows=2000)]

    assert 0 < sum(length > 10_000 for length in lengths) < 50


def test_some_rows_repeat_an_earlier_one():
    premises = Counter(
        row["premise"] + row["hypothesis"] for row in rows_of("nyu-mll/glue", "mnli", rows=4000)
    )

    assert 0 < sum(count - 1 for count in premises.values()) < 100


def test_a_few_snli_rows_have_no_gold_label():
    labels = Counter(row["label"] for row in rows_of("stanfordnlp/snli", "plain_text", rows=4000))

    assert 0 < labels[-1] < 60
    assert min(labels[i] for i in range(3)) > 1200


def test_imdb_comes_sorted_by_class():
    labels = [row["label"] for row in rows_of("stanfordnlp/imdb", "plain_text")]

    assert labels == sorted(labels)
    assert set(labels) == {0, 1}


def test_only_the_test_split_has_the_neutral_polarity():
    assert {row["sentiment"] for row in rows_of("stanfordnlp/sentiment140", "sentiment140")} == {0, 4}
    assert {
        row["sentiment"] for row in rows_of("stanfordnlp/sentiment140", "sentiment140", "test", 2000)
    } == {0, 2, 4}


def test_arc_has_mostly_four_choices_and_some_digits():
    rows = rows_of("allenai/ai2_arc", "ARC-Easy", rows=2000)
    counts = Counter(len(row["choices"]["text"]) for row in rows)

    assert set(counts) == {3, 4, 5}
    assert counts[4] > 0.9 * len(rows)
    assert {row["choices"]["label"][0] for row in rows} == {"A", "1"}
    assert all(row["answerKey"] in row["choices"]["label"] for row in rows)
