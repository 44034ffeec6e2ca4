"""What rendering does to rows: nothing is lost uncounted, and every choice depends on names alone."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import PAGE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_rows import build_raw

from flanbuild.artifacts.arrow import RENDERED_SCHEMA, read_table
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import RECORD, ROWS_FILE, RawRecord, read_record
from flanbuild.declare.mixture import ContaminationRule, Size
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import DamagedError, DeclarationError
from flanbuild.render import training_rows
from flanbuild.render.training_rows import fingerprint, render
from flanbuild.sources.sample import SampleSource


@pytest.fixture
def rendered(tasks, flan2021, tmp_path):
    """Renders a task of the project from sample rows; returns its record and its tables by split."""

    def run(name, rows=100, *, trained=True, prompts=True, **changed):
        task, mixture = tasks[name], flan2021.model_copy(update=changed)
        build_raw(task, SampleSource(rows), tmp_path / "raw")
        out = tmp_path / "out"
        for path in out.glob("*"):
            path.unlink()
        record = render(task, tmp_path / "raw", mixture, out, trained=trained, prompts=prompts)
        return record, {path.stem: read_table(path) for path in out.glob("*.arrow")}

    return run


def rows_of(table):
    return table.column("row").to_pylist()


def test_no_row_is_lost_uncounted(rendered):
    record, _ = rendered("snli", cap=50)

    for counts in record.splits.values():
        kept = counts.upstream - sum(counts.dropped.values())
        assert kept == counts.to_other_splits + counts.capped + counts.rows


def test_carved_rows_are_not_trained_on(rendered):
    _, tables = rendered("rte")

    assert not set(rows_of(tables["train"])) & set(rows_of(tables["validation"]))


def test_each_template_gets_the_same_share_to_within_one_row(rendered):
    _, tables = rendered("rte", rows=100, size=Size(passes=1))
    used = Counter(tables["train"].column("template").to_pylist())

    assert len(used) == 10
    assert max(used.values()) - min(used.values()) <= 1


def test_a_split_of_its_own_may_take_all_its_rows(rendered):
    record, _ = rendered("snli", rows=100)

    counts = record.splits["validation"]
    assert counts.rows == counts.upstream - sum(counts.dropped.values()) <= 200


def test_the_cap_keeps_the_same_rows_when_it_grows(rendered):
    few, many = (rows_of(rendered("rte", cap=cap, size=Size(passes=1))[1]["train"]) for cap in (20, 40))

    assert many[:20] == few


def test_another_task_name_orders_rows_otherwise(rendered):
    assert rows_of(rendered("anli/r1")[1]["train"]) != rows_of(rendered("anli/r2")[1]["train"])


def test_a_prompt_ends_with_the_separator(rendered):
    _, tables = rendered("rte", separator=" => ")

    assert all(prompt.endswith(" => ") for prompt in tables["train"].column("prompt").to_pylist())


def test_an_inverted_prompt_has_no_options(rendered, tasks):
    _, tables = rendered("rte")
    inverted = {i for i in range(10) if tasks["rte"].templates[i].kind == "inverted"}

    rows = [row for row in tables["train"].to_pylist() if row["template"] in inverted]

    assert rows
    assert all(row["options"] == [] and "OPTIONS:" not in row["prompt"] for row in rows)


def test_a_rendered_file_is_one_record_batch(rendered, tmp_path):
    rendered("rte")

    with pa.memory_map(str(tmp_path / "out" / "train.arrow")) as source:
        assert pa.ipc.open_file(source).num_record_batches == 1


def test_the_record_names_every_file_with_its_digest(rendered, tmp_path):
    record, tables = rendered("rte")

    assert record.files().keys() == {f"{name}.arrow" for name in tables}
    assert {name: xxh3_of(tmp_path / "out" / name) for name in record.files()} == record.files()
    assert tables["train"].schema == tables["validation"].schema == RENDERED_SCHEMA


def test_the_list_of_training_rows_has_their_order_and_is_cut_by_the_cap(rendered):
    record, tables = rendered("rte", cap=20, size=Size(passes=1))

    rows = tables["train.rows"].column("row")
    assert len(rows) == record.splits["train"].rows == 20
    assert rows.to_pylist() == tables["train"].column("row").to_pylist()[:20]
    _, other_tables = rendered("rte", cap=30, size=Size(passes=1))
    assert other_tables["train.rows"].slice(0, 20).equals(tables["train.rows"])


def test_of_a_task_that_is_not_trained_on_test_rows_are_counted(rendered):
    record, tables = rendered("rte", trained=False)

    assert tables == {}
    assert list(record.splits) == ["test"]
    assert record.splits["test"].rows == record.splits["test"].upstream


def test_counting_gives_the_numbers_of_rendering_and_writes_no_prompt(rendered):
    counted, tables = rendered("rte", prompts=False, cap=20)
    written, _ = rendered("rte", cap=20)

    assert set(tables) == {"train.rows"}
    for split, counts in counted.splits.items():
        for key in ("of", "upstream", "dropped", "to_other_splits", "capped", "rows", "rows_digest"):
            assert getattr(counts, key) == getattr(written.splits[split], key), (split, key)


def test_a_comment_in_a_task_file_changes_no_byte(pages, flan2021, tmp_path):
    contents = []
    for text in (PAGE, "# a comment\n" + PAGE):
        task = load_tasks([pages(text)])["rte"]
        out = tmp_path / f"out{len(contents)}"
        build_raw(task, SampleSource(50), tmp_path / "raw")
        record = render(task, tmp_path / "raw", flan2021, out)
        contents.append((record, {path.name: path.read_bytes() for path in sorted(out.iterdir())}))

    assert contents[0] == contents[1]


@pytest.fixture
def key(rendered, tasks, flan2021, tmp_path):
    """The fingerprint of rte after other keys of the mixture; its record has 100 training rows less validation."""
    record, _ = rendered("rte")
    raw = read_record(tmp_path / "raw" / RECORD, RawRecord)

    def of(*, trained=True, prompts=True, **changed):
        mixture = flan2021.model_copy(update=changed)
        return fingerprint(tasks["rte"], raw, mixture, record, trained=trained, prompts=prompts)

    assert of() == record.fingerprint
    return of


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"templates": 3},
        {"style": "none"},
        {"separator": " "},
        {"cap": 10},
        {"size": Size(passes=2)},
        {"trained": False},
        {"prompts": False},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_rows_changes_the_fingerprint(key, changed):
    assert key(**changed) != key()


@pytest.mark.parametrize(
    "changed",
    [
        {"cap": 20_000},
        {"shards": 3},
        {"contamination": ContaminationRule(rule="drop")},
        {"compression": "zstd"},
        {"name": "other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_what_changes_no_row_does_not_change_the_fingerprint(key, changed):
    assert key(**changed) == key()


def test_of_a_task_that_is_not_trained_on_the_mixture_does_not_count(key):
    assert key(trained=False, seed=1, cap=3, separator=" ") == key(trained=False)


def test_a_damaged_raw_file_is_not_rendered(tasks, flan2021, tmp_path):
    build_raw(tasks["rte"], SampleSource(50), tmp_path / "raw")
    path = tmp_path / "raw" / "train.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(DamagedError, match=r"train.parquet: damaged"):
        render(tasks["rte"], tmp_path / "raw", flan2021, tmp_path / "out")


def test_the_faults_of_all_tasks_are_told_before_any_work(tasks, flan2021, tmp_path, build):
    wrong = [
        tasks[name].model_copy(update={"where": {"odd": "no_such_column > 1"}}) for name in ("rte", "copa")
    ]

    with pytest.raises(DeclarationError) as caught:
        training_rows.render_all(
            wrong, tmp_path / "raw", tmp_path / "out", flan2021, ["rte"], build().workers
        )
    assert len(caught.value.faults) == 2
    assert not (tmp_path / "out").exists()


def test_rows_with_braces_quotes_and_newlines_come_through_as_they_are(pages, flan2021, tmp_path):
    odd = ['{premise} "a" \\n', "two\nlines", "{{x}}", "żółć 日本", ""]
    schema = pa.schema([("premise", pa.string()), ("hypothesis", pa.string()), ("label", pa.int64())])
    table = pa.table({"premise": odd, "hypothesis": odd, "label": [0, 1, 0, 1, -1]}, schema=schema)
    for name in ("train", "validation", "test"):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    text = PAGE.replace(
        'source: {repo: aps/super_glue, config: rte, license: unknown, homepage: "https://example.org"}',
        "source: {files: {train: ../../train.parquet, validation: ../../validation.parquet, "
        "test: ../../test.parquet}, license: mit}",
    )
    text = text.replace("{of: train, rows: 20}", "validation").replace("test: validation", "test: test")
    task = load_tasks([pages(text)])["rte"]
    build_raw(task, SampleSource(1), tmp_path / "raw")

    record = render(task, tmp_path / "raw", flan2021.model_copy(update={"templates": 1}), tmp_path / "out")

    rows = read_table(tmp_path / "out" / "train.arrow").to_pylist()
    assert {row["row"]: row["prompt"] for row in rows} == {
        i: f"Wording one: {odd[i]}\n{odd[i]}\nOPTIONS:\n- yes\n- no\n" for i in range(4)
    }
    assert record.splits["train"].dropped == {"not labelled": 1}
    assert ROWS_FILE in record.files()


@pytest.fixture
def own(pages, flan2021, tmp_path):
    """Renders a task of these premises, by upstream split; returns its record and the tables by split."""

    def run(train, test, **changed):
        text = PAGE.replace(
            "repo: aps/super_glue, config: rte", "files: {train: train.jsonl, validation: test.jsonl}"
        )
        folder = pages(text, name="own")
        for name, premises in (("train", train), ("test", test)):
            rows = [{"premise": premise, "hypothesis": "So it is.", "label": 0} for premise in premises]
            (folder / "nli" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        task = load_tasks([folder])["own"]
        build_raw(task, SampleSource(1), tmp_path / "raw")
        out = tmp_path / "out"
        record = render(task, tmp_path / "raw", flan2021.model_copy(update=changed), out)
        return record, {path.stem: read_table(path) for path in out.glob("*.arrow")}

    return run


def premises(table):
    return {text.split("\n")[0].partition(": ")[2].lower() for text in table.column("prompt").to_pylist()}


def test_a_carved_split_shares_no_item_with_train(own):
    # 80 rows, 40 of them distinct apart from case; 20 rows are carved.
    record, tables = own([f"rain {i}" for i in range(40)] + [f"RAIN {i}" for i in range(40)], ["sun"])

    assert not premises(tables["train"]) & premises(tables["validation"])
    assert record.splits["validation"].in_train == 0
    assert (record.splits["validation"].rows, record.splits["train"].rows) == (20, 60)
    assert (record.splits["validation"].duplicates, record.splits["train"].duplicates) == (10, 30)


@given(st.lists(st.integers(0, 12), min_size=4, max_size=40), st.lists(st.integers(0, 12), max_size=10))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_of_equal_rows_add_up(own, train, test):
    record, tables = own([f"rain {i}" for i in train], [f"Rain {i}!" for i in (*test, 99)])
    splits = record.splits
    distinct = {name: split.rows - split.duplicates for name, split in splits.items()}

    trained = premises(tables["train"]) if splits["train"].rows else set()
    assert distinct["train"] + distinct["validation"] == len(set(train))
    assert distinct["train"] == len(trained)
    assert splits["test"].in_train == sum(f"rain {i}" in trained for i in test)
    assert splits["validation"].in_train == splits["train"].in_train == 0


def test_a_tasks_own_test_rows_in_train_are_counted(own):
    record, tables = own([f"rain {i}" for i in range(60)], ["sun", "Rain  7.", "rain 8", "rain 8", "snow"])
    test = record.splits["test"]

    in_train = {"rain 7": 1, "rain 8": 2}  # rows of test; a premise that was carved is not in train
    assert test.in_train == sum(in_train.get(premise, 0) for premise in premises(tables["train"]))
    assert test.duplicates == 1


@pytest.mark.parametrize("cap", [10, 1000])
def test_only_rows_that_can_be_drawn_count(own, cap):
    train = [f"rain {i}" for i in range(60)]

    record, tables = own(train, train, cap=cap)

    assert record.splits["test"].in_train == len(premises(tables["train"])) == record.splits["train"].rows
