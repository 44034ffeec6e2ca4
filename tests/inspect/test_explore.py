"""The page of a mixture says what manifest, shards and raw rows say, and shows every text as a text."""

import json
import subprocess
import sys
from collections import Counter

import polars as pl
import pytest
from conftest import PAGE
from few import few
from html_tables import number, parse

from flanbuild.artifacts.executor import Workers
from flanbuild.builder import Build
from flanbuild.declare.task_files import load_tasks
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.inspect.difference import compare
from flanbuild.inspect.explore import explore
from flanbuild.progress import silent
from flanbuild.read import load
from flanbuild.sources.sample import SampleSource

EVIL = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>"
BY_TASK = (
    "Rows asked and given: rate is the examples of one pass, repeats how often the most drawn row comes again"
)


def written(build, folder, out, **options):
    explore(folder, out, tasks=build.tasks, raw=build.addresses.raw, **options)
    return out.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    build = few(tmp_path_factory.mktemp("explore"))
    return build, build.mix(["nli"]).folder


@pytest.fixture(scope="module")
def html(built, tmp_path_factory):
    return written(*built, tmp_path_factory.mktemp("page") / "page.html")


@pytest.fixture(scope="module")
def page(html):
    return parse(html)


@pytest.fixture(scope="module")
def manifest(built):
    return load(built[1]).manifest


def test_the_rows_of_each_task_are_those_of_the_manifest(page, manifest):
    rows = {row["task"]: row for row in page.tables[BY_TASK]}

    assert set(rows) == {name for name, task in manifest.tasks.items() if task.given}
    for name, row in rows.items():
        task = manifest.tasks[name]
        assert number(row["rows at the source"]) == task.available
        assert number(row["can be drawn"]) == task.rows
        assert number(row["rate"]) == task.rate
        assert number(row["examples"]) == task.given
        assert number(row["repeats"]) == task.repeats
        left_out = sum(
            number(row[key]) for key in ("dropped", "to other splits", "over the cap", "contaminated")
        )
        assert task.available == left_out + task.rows


def test_clusters_add_up_to_the_training_examples(page, manifest):
    rows = page.tables["From sources to clusters"]

    assert sum(number(row["examples"]) for row in rows) == manifest.rows["train"]
    assert sum(float(row["share"].rstrip("%")) for row in rows) == pytest.approx(100, abs=0.1)


def test_what_is_held_out_is_named_with_its_rule(page, manifest):
    rows = {row["task"]: row["rule"] for row in page.tables["Tasks that are held out"]}

    assert rows == {task: group.rule for group in manifest.held_out.values() for task in group.tasks}


def test_templates_and_characters_are_counted_from_the_shards(page, built):
    examples = list(load(built[1]))
    used = {row.pop("task"): row for row in page.tables["Examples by template"]}
    characters = {row["task"]: row for row in page.tables["Characters, by task"]}

    for task in ("copa", "coqa"):
        own = [row for row in examples if row["task"] == task]
        assert {int(n): number(count) for n, count in used[task].items()} == Counter(
            r["template"] for r in own
        )
        assert number(characters[task]["prompt total"]) == sum(len(row["prompt"]) for row in own)
        assert number(characters[task]["completion longest"]) == max(len(row["completion"]) for row in own)


def test_licenses_are_those_of_the_manifest(page, manifest):
    rows = {row["license"]: number(row["examples"]) for row in page.tables["Licenses"]}

    assert rows == {name: entry.given for name, entry in manifest.licenses.items()}


def test_sampled_rows_are_the_first_of_each_task(page, built):
    first = next(row for row in load(built[1]) if row["task"] == "copa")

    sampled = [attributes["data-task"] for name, attributes in page.tags if name == "article"]
    assert Counter(sampled) == {"copa": 8, "coqa": 8}
    assert first["prompt"] in page.texts
    assert first["completion"] in page.texts


def test_the_row_of_an_example_is_shown_under_every_template(built, page):
    build, folder = built
    example = next(row for row in load(folder) if row["task"] == "copa")
    raw = pl.read_parquet(build.addresses.raw / "commonsense" / "copa" / "train.parquet").row(
        example["row"], named=True
    )

    assert page.texts.count(example["prompt"]) == 2  # among the sampled rows, and under its template
    assert page.visible.count(f"Template {example['template']} (") >= 1
    assert raw["premise"] in [row["value"] for row in page.tables["Columns at the source"]]
    assert sum(raw["premise"] in text for text in page.texts) >= 10


def test_rows_of_the_sample_are_never_passed_off_as_the_datasets(page):
    assert "The embedded sample world, not the real datasets" in page.visible


def test_the_same_mixture_elsewhere_gives_the_same_bytes(html, tmp_path):
    build = few(tmp_path / "elsewhere", workers=Workers(2))

    assert written(build, build.mix(["nli"]).folder, tmp_path / "other.html") == html


def test_the_page_loads_nothing(page):
    links = [a.get("href") or a.get("src") for _, a in page.tags if a.get("href") or a.get("src")]

    assert links
    assert all(link.startswith("#") for link in links)
    assert not {"link", "img", "iframe", "object", "embed", "base"} & {name for name, _ in page.tags}


def test_every_link_and_label_has_its_target(page):
    ids = [a["id"] for _, a in page.tags if "id" in a]

    assert len(ids) == len(set(ids))
    for _, attributes in page.tags:
        target = (attributes.get("href") or "").removeprefix("#") or attributes.get("aria-labelledby")
        assert target is None or target in ids


def test_every_chart_has_a_description(page):
    charts = [a for name, a in page.tags if name == "svg"]

    assert charts
    assert all(a["role"] == "img" and a["aria-label"] for a in charts)


def own_build(folder, rows, license_name="cc0-1.0", **changes):
    """A build of one task of 40 rows of one's own, with texts of its task file to change."""
    pages = folder / "tasks" / "nli"
    pages.mkdir(parents=True)
    (pages / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = {"files": {"train": "rows.jsonl"}, "license": license_name}
    splits = "splits: {train: train, validation: {of: train, rows: 20}}"
    lines = [f"source: {json.dumps(source)}", *PAGE.splitlines()[1:]]
    text = "\n".join(splits if line.startswith("splits:") else line for line in lines)
    for old, new in changes.items():
        text = text.replace(old, new)
    (pages / "own.yaml").write_text(f"{text}\n")
    return few(folder / "data", tasks=load_tasks([folder / "tasks"]), mixture={"tasks": ("own",)})


def test_texts_of_rows_never_become_markup(tmp_path):
    rows = [{"premise": f"{EVIL} {n}", "hypothesis": EVIL, "label": "entailment"} for n in range(40)]
    build = own_build(
        tmp_path,
        rows,
        "<b>own</b>",
        Wording="<b>Wording</b>",
        **{"entailment: yes": "entailment: '<i>yes</i>'"},
    )

    page = parse(written(build, build.mix([]).folder, tmp_path / "page.html"))

    assert [name for name, _ in page.tags].count("script") == 1
    assert not {"b", "i", "img"} & {name for name, _ in page.tags}
    assert any(EVIL in text for text in page.texts)
    assert "<b>own</b>" in page.visible
    assert any("<i>yes</i>" in text for text in page.texts)


def test_raw_rows_that_are_gone_are_said_to_be_gone(built, tmp_path):
    _, folder = built
    out = tmp_path / "page.html"

    explore(folder, out, tasks={}, raw=tmp_path / "nothing")

    page = parse(out.read_text())
    assert page.visible.count("The raw row is not shown") == 2
    assert str(tmp_path) not in page.visible


def test_the_difference_from_another_mixture_is_that_of_diff(built, tmp_path):
    build, folder = built
    other = few(tmp_path, mixture={"cap": 100}).mix(["nli"]).folder

    page = parse(written(build, folder, tmp_path / "page.html", against=other))

    expected = {(r.task, r.split): r.added for r in compare(other, folder).rows}
    shown = page.tables["Examples that differ"]
    assert {(row["task"], row["split"]): number(row["added"]) for row in shown} == expected
    assert "cap" in [row["key"] for row in page.tables["Declared or counted otherwise"]]


def test_a_wrong_folder_to_compare_with_fails_before_any_work(built, tmp_path):
    build, folder = built

    with pytest.raises(ArtifactError, match="no such file"):
        written(build, folder, tmp_path / "page.html", against=tmp_path, progress=None)


def test_contaminated_texts_are_shown_side_by_side_where_the_file_of_matches_is(built, tmp_path):
    build, folder = built
    report = build.data / "contamination" / f"{folder.name}.parquet"
    match = {"task": "copa", "row": 3, "reference": "rte", "split": "test", "item": 5, "kind": "question"}
    texts = {"training_text": f"training {EVIL}", "evaluation_text": f"held out {EVIL}"}
    report.parent.mkdir(exist_ok=True)
    pl.DataFrame([match | {"exact": True, "score": 1.0} | texts]).write_parquet(report)

    page = parse(written(build, folder, tmp_path / "page.html"))
    report.unlink()

    assert "copa row 3, rte test row 5: exact question, score 1.00" in page.visible
    assert set(texts.values()) <= set(page.texts)


def test_a_mixture_that_holds_nothing_out_was_not_searched(tmp_path):
    build = few(tmp_path)

    page = parse(written(build, build.mix([]).folder, tmp_path / "page.html"))

    assert "Not searched: nothing is held out" in page.visible


def test_a_page_inside_the_mixture_folder_is_refused(built):
    build, folder = built

    with pytest.raises(DeclarationError, match="inside the mixture folder"):
        explore(folder, folder / "page.html", tasks=build.tasks, raw=build.addresses.raw)


def test_all_tasks_make_a_page_of_less_than_five_megabytes(tasks, flan2021, tmp_path):
    build = Build(
        tasks=tasks,
        mixture=flan2021,
        evaluation_rows=5,
        source=SampleSource(60),
        data=tmp_path,
        missing="error",
        workers=Workers(),
        progress=silent,
    )
    out = tmp_path / "page.html"

    size = explore(build.mix([]).folder, out, tasks=tasks, raw=build.addresses.raw)

    assert size == out.stat().st_size < 5_000_000
    assert out.read_text().count("<article") >= 8 * 60


def test_long_texts_do_not_make_a_large_page(tmp_path):
    rows = [
        {"premise": f"{n} " + "long " * 40_000, "hypothesis": "x", "label": "entailment"} for n in range(30)
    ]
    build = own_build(tmp_path, rows)

    html = written(build, build.mix([]).folder, tmp_path / "page.html")

    assert len(html) < 100_000  # 70 such tasks are less than 5 MB together
    assert "characters left out" in html


@pytest.mark.needs("train")
def test_tokens_are_those_of_the_named_tokenizer(built, tmp_path):
    from toys import tokenizer

    from flanbuild.model.codec import Codec

    build, folder = built
    made = tokenizer(folder)
    made.save_pretrained(tmp_path / "tokenizer")
    first = [row for row in load(folder) if row["task"] == "copa"][:100]

    page = parse(written(build, folder, tmp_path / "page.html", tokenizer=str(tmp_path / "tokenizer")))

    table = next(rows for caption, rows in page.tables.items() if caption.startswith("Tokens by tokenizer"))
    row = next(row for row in table if row["task"] == "copa")
    lengths = list(map(len, Codec(made, encoder_decoder=False).encode_prompts([r["prompt"] for r in first])))
    assert number(row["examples tokenized"]) == 100
    assert number(row["prompt longest"]) == max(lengths)


def test_the_command_writes_the_page_and_prints_nothing_on_stdout(built, tmp_path):
    _, folder = built
    command = [sys.executable, "-m", "flanbuild", "explore", str(folder)]

    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (run.returncode, run.stdout) == (0, ""), run.stderr
    assert "few-without-nli.html: 0." in run.stderr
    assert (tmp_path / "few-without-nli.html").read_text().startswith("<!doctype html>")
