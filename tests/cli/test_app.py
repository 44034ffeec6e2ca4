"""The command line teaches, is quick, and is plain in a pipe."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import polars as pl
import pytest
import typer
from conftest import PAGE, ROOT
from typer.testing import CliRunner

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
from flanbuild.cli.app import EXAMPLES, app

COMMANDS = [command.name for command in app.registered_commands]


def flanbuild(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "flanbuild", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_and_shows_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert f"Example: {EXAMPLES[command]}" in result.output


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_a_command_is_one_that_it_takes(command):
    program, name, *arguments = EXAMPLES[command].split(" > ")[0].split()

    assert (program, name) == ("flanbuild", command)
    with typer.main.get_command(app).commands[command].make_context(name, arguments) as context:
        assert context.args == []


def test_help_of_download_offers_no_option_that_it_does_not_use():
    assert "--scheduler" not in CliRunner().invoke(app, ["download", "--help"]).output


def complete(*words, cwd):
    """What a shell gets for the last of the words, by the protocol of its completion script."""
    code = "from flanbuild.cli.app import app; app(prog_name='flanbuild')"
    asked = {"_FLANBUILD_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["flanbuild", *words])}
    asked |= {"COMP_CWORD": str(len(words)), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | asked,
    )
    assert run.stderr == ""
    return run.stdout.split()


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["show", "wmt16_en"], ["wmt16_encs", "wmt16_ende", "wmt16_enfi", "wmt16_enro", "wmt16_enru", "wmt16_entr"]),
        (["preview", "anli"], ["anli", "anli/r1", "anli/r2", "anli/r3"]),
        (["mixture", "--holdout", "sent"], ["sentiment", "sentiment140"]),
        (["evalset", "rte", "clo"], ["closed_book_qa"]),
        (["plan", "fl"], ["flan2021"]),
        (["plan", "mi"], ["mine.yaml"]),
        (["render", "--mixture", "smok"], ["smoke"]),
    ],
    ids=lambda words: " ".join(words),
)  # fmt: skip
def test_a_shell_completes_names_of_tasks_clusters_and_mixtures(tmp_path, words, names):
    (tmp_path / "mine.yaml").write_text("tasks: [rte]\n")

    assert complete(*words, cwd=tmp_path) == names


def test_a_shell_completes_names_of_task_files_of_ones_own(pages, tmp_path):
    pages(name="penguins")

    assert complete("show", "--tasks", "pages", "pen", cwd=tmp_path) == ["penguins"]


def test_completion_is_silent_about_a_fault_in_a_task_file(pages, tmp_path):
    pages("nonsense: [", name="penguins")

    assert complete("show", "--tasks", "pages", "pen", cwd=tmp_path) == []


@pytest.mark.parametrize(("no_color", "colors"), [("", True), ("1", False)])
def test_colors_are_for_terminals_and_not_where_no_color_is_set(no_color, colors):
    shown = CliRunner(env={"NO_COLOR": no_color}).invoke(app, ["show", "rte"], color=True).output

    assert ("\x1b[" in shown) == colors


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "rte"],
        ["check"],
        ["preview", "rte"],
        ["plan", "--data", "DATA"],
        ["mixture", "--data", "DATA"],
        ["evalset", "rte", "--data", "DATA"],
        ["gc", "--data", "DATA"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_looking_and_building_load_no_model_library(arguments, tmp_path):
    (tmp_path / "params.yaml").write_text("source: sample\nsample: {rows: 20}\n")
    arguments = [str(tmp_path) if word == "DATA" else word for word in arguments]
    code = (
        "import sys\nfrom flanbuild.cli.app import app\n"
        f"try: app({arguments!r})\nexcept SystemExit as stop: assert not stop.code, stop.code\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'accelerate', 'altair', 'jinja2'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert run.stdout.splitlines()[-1:] == ["[]"], run.stderr


def test_list_is_tab_separated_in_a_pipe_and_json_for_machines():
    lines = flanbuild("list").stdout.splitlines()
    tasks = json.loads(flanbuild("list", "--json").stdout)

    assert lines[1].split("\t")[:3] == ["cluster", "task", "type"]
    assert len(lines) - 2 == len(tasks)
    assert {"cluster": "nli", "task": "rte", "type": "classification"}.items() <= next(
        t for t in tasks if t["task"] == "rte"
    ).items()


def test_show_prints_a_page_with_its_templates():
    shown = flanbuild("show", "rte").stdout

    assert "aps/super_glue (rte)" in shown
    assert "→ {answer}" in shown
    assert "roles:\n  passage:\n  - premise\n  question:\n  - hypothesis\n" in shown


def test_preview_prints_the_raw_row_and_its_ten_prompts():
    shown = flanbuild("preview", "rte", "--source", "sample").stdout

    assert shown.startswith("# rte, row 0\npremise: ")
    assert all(f"\n[{index}]" in shown for index in range(10))
    assert "{premise}" not in shown


def test_evalset_prints_how_many_rows_each_set_has(tmp_path):
    arguments = ["--data", tmp_path, "--source", "sample", "--sample-rows", "20", "--max-rows", "3"]
    lines = flanbuild("evalset", "rte", "wsc273/wsc273", *arguments).stdout.splitlines()

    assert lines[0] == "# 2 evaluation sets"
    assert lines[1].split("\t") == [
        "cluster",
        "task",
        "test rows",
        "test examples",
        "dev rows",
        "dev examples",
    ]
    assert lines[2].split("\t")[:3] == ["coreference", "wsc273/wsc273", "3"]
    assert lines[2].split("\t")[4:] == ["", ""]
    assert lines[3].split("\t") == ["nli", "rte", "3", "27", "3", "27"]


def test_gc_frees_what_plan_has_counted_and_says_so(tmp_path):
    options = ["--source", "sample", "--sample-rows", "20"]
    (tmp_path / "one.yaml").write_text("tasks: [rte, copa]\n")
    flanbuild("plan", tmp_path / "one.yaml", "--data", tmp_path / "data", *options)

    would, freed, again = (
        flanbuild("gc", "--data", tmp_path / "data", *arguments).stdout.splitlines()
        for arguments in (["--dry-run"], [], [])
    )

    assert len(would) == len(freed) == 3
    assert would[:2] == freed[:2]
    assert "would be freed" in would[2]
    assert again == [f"0.0 MB freed in {tmp_path / 'data'}."]


def test_two_mixture_files_of_one_name_in_one_data_folder_are_one_sentence(tmp_path):
    runs = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "small.yaml"
        path.parent.mkdir()
        path.write_text("tasks: [copa]\n")
        options = ["--data", tmp_path / "data", "--source", "sample", "--sample-rows", "20"]
        runs.append(flanbuild("mixture", path, *options))

    assert runs[0].returncode == 0
    assert runs[1].returncode == 2
    assert f"{tmp_path}/one/small.yaml is a mixture named 'small' too" in runs[1].stderr


def test_verify_compares_the_evaluation_sets_it_is_given(tmp_path):
    options = ["--data", tmp_path, "--source", "sample", "--sample-rows"]
    mixture = tmp_path / "small.yaml"
    mixture.write_text("tasks: [rte, copa]\n")
    flanbuild("mixture", mixture, "--holdout", "copa", *options, 20)
    folder = tmp_path / "mixtures" / "small-without-copa"
    verify = ["verify", folder, "--evaluation", tmp_path / "evaluation"]

    flanbuild("evalset", "copa", *options, 20)
    same = flanbuild(*verify)
    flanbuild("evalset", "copa", *options, 30)
    other = flanbuild(*verify)

    assert same.returncode == 0, same.stderr
    assert other.returncode == 1
    assert "copa/record.json: made of other rows than those that the mixture holds out." in other.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["show", "rtee"], 2, "No task, dataset or cluster 'rtee'. Did you mean 'rte'?"),
        (["plan", "--holdout", "nly"], 2, "--holdout: no cluster, dataset or task 'nly'. Did you mean 'nli'?"),
        (["mixture", "flan2012"], 2, "mixtures/flan2012.yaml: no such mixture. Did you mean 'flan2021'?"),
        (["mixture", "--source", "mirror", "--mirror", "nowhere"], 2, "mirror: nowhere is not a folder"),
        (["preview", "rte", "--split", "dev", "--source", "sample"], 2, "--split: rte has no split 'dev'. Allowed: train, validation, test."),
        (["verify", "nowhere"], 1, "nowhere/manifest.json: no such file."),
        (["check", "--tasks", "nowhere"], 2, "nowhere: no such folder of task files."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_an_exit_code(arguments, code, sentence):
    run = flanbuild(*arguments)

    assert run.returncode == code
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr


def test_params_yaml_gives_the_defaults(tmp_path):
    (tmp_path / "params.yaml").write_text("source: mirror\nmirror: elsewhere\n")

    assert "mirror: elsewhere is not a folder" in flanbuild("preview", "rte", cwd=tmp_path).stderr


def test_a_fault_in_params_yaml_is_placed(tmp_path):
    (tmp_path / "params.yaml").write_text("sauce: sample\n")

    run = flanbuild("list", cwd=tmp_path)

    assert run.returncode == 2
    assert "params.yaml:1: sauce: no key 'sauce' is known here. Did you mean 'source'?" in run.stderr


def test_the_plan_is_the_mixture(tmp_path):
    arguments = ["--holdout", "nli", "--data", tmp_path, "--source", "sample", "--sample-rows", "20"]
    planned = json.loads(flanbuild("plan", "--json", *arguments).stdout)

    flanbuild("mixture", *arguments)
    manifest = read_record(tmp_path / "mixtures" / "flan2021-without-nli" / MANIFEST, Manifest)

    assert {entry["task"]: (entry["given"], entry["duplicates"], entry["in_train"]) for entry in planned} == {
        name: (task.given, task.duplicates, task.in_train) for name, task in manifest.tasks.items()
    }


def test_a_build_of_a_mixture_checks_its_requirements(pages, tmp_path):
    one_template = PAGE[: PAGE.index("  - inputs", PAGE.index("Wording one"))]
    folder = pages(one_template, name="mine")

    ran = flanbuild("mixture", "--tasks", folder, "--data", tmp_path / "data")

    assert ran.returncode == 2
    assert "mine.yaml:9: templates: found 1 template;" in ran.stderr
    assert "flan2021.yaml" in ran.stderr
    assert "(require.templates) needs at least 10." in ran.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--data", "s3://bucket/mix"],
        ["mixture", "--data", "memory://mix"],
        ["list", "--data", "file:///tmp/x"],
        ["gc", "--data", "gs://bucket"],
        ["preview", "rte", "--tasks", "https://example.org/tasks"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_refuses_a_url_and_makes_no_folder_of_that_name(arguments, tmp_path):
    run = flanbuild(*arguments, cwd=tmp_path)

    assert run.returncode == 2
    assert run.stderr.startswith(f"flanbuild: {arguments[-2]} {arguments[-1].partition('/')[0]}//")
    assert "a URL is not supported; name a local folder" in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["mixture", "s3://bucket/mine.yaml"], "MIXTURE s3://bucket/mine.yaml"),
        (["verify", "s3://bucket/mix"], "DIR s3://bucket/mix"),
        (["diff", "here", "s3://bucket/mix"], "B s3://bucket/mix"),
        (["why", "s3://bucket/mix", "0"], "DIR s3://bucket/mix"),
        (["train", "s3://bucket/mix"], "DIR s3://bucket/mix"),
        (["evaluate", "models/nli", "s3://bucket/mix"], "DIR s3://bucket/mix"),
        (["report", "s3://bucket/reports"], "DIR s3://bucket/reports"),
        (["publish", "s3://bucket/mix", "out"], "DIR s3://bucket/mix"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_url_in_place_of_a_mixture_is_refused(arguments, name, tmp_path):
    run = flanbuild(*arguments, cwd=tmp_path)

    assert run.returncode == 2
    assert run.stderr.startswith(f"flanbuild: {name}: a URL is not supported")
    assert run.stderr.endswith(
        "URLs are taken by `mirror DIR`, --mirror, `export --out` and `publish DIR OUT`.\n"
    )


ROWS = "text,label\n" + "".join(f"text {i},{i % 2}\n" for i in range(40))
TASK = """\
source: {files: {train: ../data/train.csv, test: ../data/test.csv}, license: mit}
columns: {text: string, label: class_label}
labels: [bad, good]
splits: {train: train, test: test}
fields: {text: text}
options: {bad: bad, good: good}
metrics: [accuracy]
templates:
  - {inputs: "Judge: {text} {options_}", targets: "{answer}"}
"""


@pytest.fixture
def own(tmp_path):
    """A folder with a task file `d`, its rows, and a mixture of it; runs flanbuild there."""

    def run(*arguments, rows=ROWS, test_rows=ROWS, task=TASK, mixture="tasks: [d]\n"):
        for name, content in (("misc/d.yaml", task), ("data/train.csv", rows), ("data/test.csv", test_rows)):
            path = tmp_path / "t" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        (tmp_path / "mine.yaml").write_text(mixture, encoding="utf-8")
        return flanbuild(*arguments, "--tasks", "t", cwd=tmp_path)

    return run


def test_a_task_file_of_ones_own_builds(own):
    run = own("mixture", "mine.yaml")

    assert run.returncode == 0, run.stderr
    assert "built, 400 train and 0 validation examples." in run.stderr


@pytest.mark.parametrize("command", ["plan", "mixture"])
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"test_rows": "text,label\na,\nb,\n"}, "d: test is empty: all 2 rows of 'test' are dropped (2 no answer).", id="empty test"),
        pytest.param({"mixture": "tasks: [d]\nsize: {examples: 4000, templates_per_row: 1}\n"}, "d: gives 4,000 examples, so that rows come up to 100 times;", id="repeats"),
        pytest.param({"mixture": "tasks: [d]\nstyle: none\ntemplates: 4\n"}, "mine.yaml: style none has one template for each task, so templates: 4 has no effect.", id="templates of a style"),
        pytest.param(
            {"task": TASK.replace("test: test}\nfields", "validation: {of: train, rows: 30}, test: test}\nfields")},
            "d: validation has 20 rows instead of 30: a split takes at most an even share of the 40 rows",
            id="halved split",
        ),
    ],
)  # fmt: skip
def test_plan_and_mixture_warn_in_one_line(own, command, changes, sentence):
    run = own(command, "mine.yaml", **changes)

    assert run.returncode == 0, run.stderr
    assert sum(sentence in line for line in run.stderr.splitlines()) == 1, run.stderr


def test_a_row_may_come_more_often_than_a_16_bit_number_counts(own, tmp_path):
    run = own(
        "mixture", "mine.yaml", rows="text,label\na,1\n", mixture="tasks: [d]\nsize: {examples: 40000}\n"
    )

    assert run.returncode == 0, run.stderr
    paths = sorted((tmp_path / "data" / "mixtures" / "mine" / "train").iterdir())
    repeats = pl.concat([pl.read_ipc(path) for path in paths])["repeat"]
    assert repeats.sort().to_list() == list(range(40_000))


def test_there_are_at_most_as_many_shards_as_examples(own, tmp_path):
    rows = "text,label\na,1\nb,0\nc,1\n"
    run = own("mixture", "mine.yaml", rows=rows, mixture="tasks: [d]\nshards: 10000\nsize: {passes: 1}\n")

    assert run.returncode == 0, run.stderr
    names = sorted(path.name for path in (tmp_path / "data" / "mixtures" / "mine" / "train").iterdir())
    assert names == [f"0000{i}-of-00003.arrow" for i in range(3)]


def test_a_mixture_with_more_examples_than_can_be_put_in_order_is_refused(own):
    run = own("mixture", "mine.yaml", mixture="tasks: [d]\nsize: {passes: 1000000000}\n")

    assert run.returncode == 2
    assert (
        "mine.yaml: size: the mixture has 40,000,000,000 examples; allowed are 1,000,000,000." in run.stderr
    )


def test_a_weight_that_goes_to_other_tasks_is_named(own, tmp_path):
    other = tmp_path / "t" / "misc" / "e.yaml"
    other.parent.mkdir(parents=True)
    other.write_text(TASK.replace("train: ../data/train.csv", "train: ../data/none.csv"))
    (tmp_path / "t" / "data").mkdir()
    (tmp_path / "t" / "data" / "none.csv").write_text("text,label\na,\n")
    weights = "tasks: [d, e]\nrate: {scheme: weights, weights: {d: 1, e: 9}}\nsize: {examples: 20}\n"

    run = own("plan", "mine.yaml", mixture=weights)

    assert "mine.yaml: rate.weights.e goes to the other tasks: e gives nothing (" in run.stderr
    assert "1 no answer" in run.stderr


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"rows": "text,label\na,\nb,\n"}, "no row is left after filtering (2 no answer): d", id="all dropped"),
        pytest.param({"task": TASK.replace("{train: train, test: test}", "{test: test}").replace("train: ../data/train.csv, ", "")}, "evaluation only: the task file has no train split: d", id="only test"),
        pytest.param({"rows": "text,label\n"}, "split 'train' has no row: ../data/train.csv.", id="header only"),
        pytest.param({"mixture": "tasks: [d]\nlicenses: {allow: ['[']}\n"}, "license mit: not among those that mine.yaml allows: d", id="pattern of no license"),
        pytest.param({"mixture": "clusters: []\n"}, "mine.yaml: the mixture has no task.", id="no cluster"),
        pytest.param({"mixture": "tasks: [d]\nrate: {scheme: weights, weights: {d: 0}}\nsize: {examples: 5}\n"}, "no share in mine.yaml: d", id="weights of 0"),
    ],
)  # fmt: skip
def test_a_mixture_without_examples_says_why(own, changes, sentence):
    run = own("mixture", "mine.yaml", **changes)

    assert run.returncode in (1, 2)
    assert sentence in run.stderr
    assert "is held out" not in run.stderr
    assert "Traceback" not in run.stderr


def test_a_label_that_counts_from_1_stops_every_command(own):
    counted = ROWS.replace(",1\n", ",2\n").replace(",0\n", ",1\n")

    for arguments in (["plan", "mine.yaml"], ["mixture", "mine.yaml"], ["preview", "d"], ["evalset", "d"]):
        run = own(*arguments, rows=counted, test_rows=counted)

        assert run.returncode == 1, (arguments, run.stderr)
        assert "count from 1" in run.stderr
        assert "Traceback" not in run.stderr


def test_preview_of_a_split_without_rows_is_a_sentence(own):
    run = own("preview", "d", rows="text,label\n")

    assert run.returncode == 1
    assert "has no rows" in run.stderr
    assert "Traceback" not in run.stderr


def test_preview_of_a_missing_column_is_the_sentence_of_a_build(own):
    run = own("preview", "d", rows=ROWS.replace("text,label", "txet,label"))

    assert run.returncode in (1, 2)
    assert "'text'" in run.stderr
    assert "Did you mean 'txet'?" in run.stderr


def test_preview_says_why_no_row_is_left(own):
    run = own("preview", "d", rows="text,label\na,\nb,\n")

    assert "so there is no row 0 (rows count from 0). Dropped: 2 no answer." in run.stderr


def test_a_mixture_is_found_by_its_name_in_the_current_folder(own):
    assert own("plan", "mine").stdout == own("plan", "mine.yaml").stdout != ""


def test_a_forgotten_folder_of_task_files_is_named():
    assert "Task files of your own need --tasks FOLDER." in flanbuild("show", "penguins").stderr


def test_check_opens_no_file_and_asks_no_server_for_an_expression(own, tmp_path):
    asked = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)

        do_HEAD = do_GET  # noqa: N815

    (tmp_path / "secret.csv").write_text("secret words\n1\n")
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        for target in (f"http://127.0.0.1:{server.server_port}/x.csv", str(tmp_path / "secret.csv")):
            for sql in (
                f"text IN (SELECT a FROM read_csv('{target}'))",
                f"EXISTS (SELECT 1 FROM '{target}')",
            ):
                where = f'where: {{k: "{sql}"}}\nfields'
                run = own("check", task=TASK.replace("fields", where, 1))

                assert run.returncode == 2, run.stderr
                assert "d.yaml:5: where.k: `" in run.stderr
                assert "secret words" not in run.stderr
                assert "Traceback" not in run.stderr
        server.shutdown()
    assert asked == []


INTERRUPT = """\
import os, signal, sys
from itertools import count
from flanbuild import __main__

steps, last = count(1), int(sys.argv.pop(1))

def hook(event, arguments):
    writes = event in ("os.rename", "os.mkdir") and "data" in str(arguments[0])
    if writes and next(steps) == last:
        os.killpg(0, signal.SIGINT)

sys.addaudithook(hook)
__main__.main()
"""


@pytest.mark.parametrize("step", [1, 2, 3, 5, 8, 13, 21, 34])
def test_ctrl_c_at_any_step_is_one_line(step, own, tmp_path):
    own("list")
    command = [
        sys.executable,
        "-c",
        INTERRUPT,
        str(step),
        "mixture",
        "--data",
        str(tmp_path / "data"),
        "--jobs",
        "2",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    run = subprocess.run(
        [*command, "--sample-rows", "6000"], capture_output=True, text=True, check=False, cwd=ROOT,
        start_new_session=True, env=environment,
    )  # fmt: skip

    assert run.returncode == 130, run.stderr
    assert "Traceback" not in run.stderr
    assert run.stderr.count("flanbuild: stopped.") == 1
