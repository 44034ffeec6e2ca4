"""What `flanbuild export --to lm-eval` writes, and that lm-evaluation-harness gives our numbers on it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import toys
from conftest import ROOT
from ruamel.yaml import YAML
from transformers import LlamaConfig, LlamaForCausalLM

from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import Manifest, read_record
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.view import ExportRequest
from flanbuild.export.views import VIEWS, export

RANKED = [toys.evaluation_row(i, t) for i in range(60, 72) for t in (0, 1)]
WRITTEN = [toys.evaluation_row(i, t, ranked=False) for i in range(60, 72) for t in (0, 1)]


@pytest.fixture
def place(tmp_path):
    """A mixture that holds out a ranked task, a generated one and one without test rows."""
    toys.write_mixture(tmp_path / "mixture", [toys.row(0, 0)] * 2, [toys.row(0, 0)])
    tasks = {
        "anli/r1": (["accuracy", "macro_f1"], RANKED),
        "said": (["rouge1"], WRITTEN),
        "gone": (["f1"], None),
    }
    toys.hold_out(tmp_path / "mixture", tmp_path / "evaluation", tasks)
    return tmp_path


def request(place: Path, **changes) -> ExportRequest:
    return ExportRequest(mixture=place / "mixture", evaluation=place / "evaluation", **changes)


def read_yaml(path: Path) -> dict:
    yaml = YAML(typ="safe")
    yaml.constructor.add_constructor("!function", lambda loader, node: f"!function {node.value}")
    return yaml.load(path.read_text())


def test_every_template_of_a_held_out_task_is_a_task_of_the_harness(place):
    export(request(place), "lm-eval", place / "out")
    assert read_yaml(place / "out/flanbuild.yaml")["task"] == ["flanbuild_anli_r1", "flanbuild_said"]
    group = read_yaml(place / "out/anli_r1.yaml")
    assert group["task"] == ["flanbuild_anli_r1_t0", "flanbuild_anli_r1_t1"]
    assert {read_yaml(place / f"out/anli_r1_t{t}.yaml")["task"] for t in (0, 1)} == set(group["task"])


def test_the_rows_are_those_of_the_evaluation_set(place):
    export(request(place), "lm-eval", place / "out")
    rows = pq.read_table(place / "out/rows/anli_r1_t1.parquet").to_pylist()
    own = [row for row in RANKED if row["template"] == 1]
    assert [(row["prompt"], row["row"], row["options"][row["label"]]) for row in rows] == [
        (row["prompt"], row["row"], row["answer"]) for row in own
    ]


def test_ranked_options_follow_the_prompt_without_a_delimiter(place):
    export(request(place), "lm-eval", place / "out")
    task = read_yaml(place / "out/anli_r1_t0.yaml")
    assert (task["output_type"], task["target_delimiter"]) == ("multiple_choice", "")
    assert [metric["metric"] for metric in task["metric_list"]] == ["acc", "acc_norm", "acc_bytes"]


def test_a_generated_task_stops_at_an_empty_line(place):
    export(request(place), "lm-eval", place / "out")
    task = read_yaml(place / "out/said_t0.yaml")
    assert (task["output_type"], task["generation_kwargs"]["until"]) == ("generate_until", ["\n\n"])


def test_no_path_of_the_machine_is_written(place):
    export(request(place), "lm-eval", place / "out")
    assert all(str(place) not in path.read_text() for path in (place / "out").glob("*.*"))


def test_exporting_twice_gives_equal_bytes(place):
    for out in ("one", "two"):
        export(request(place), "lm-eval", place / out)
    files = [path for path in (place / "one").rglob("*") if path.is_file()]
    assert all(
        (place / "two" / path.relative_to(place / "one")).read_bytes() == path.read_bytes() for path in files
    )


def test_the_record_names_the_mixture_every_file_and_what_is_left_out(place):
    export(request(place), "lm-eval", place / "out")
    record = read_record(place / "out" / EXPORT, ExportRecord)
    assert record.mixture.digest == read_record(place / "mixture/manifest.json", Manifest).digest
    assert record.left_out == {"gone": "the task has no test split"}
    assert record.tasks["anli/r1"].rows == 12
    assert record.files == {
        path.relative_to(place / "out").as_posix(): sha256_of(path)
        for path in (place / "out").rglob("*")
        if path.is_file() and path.name != EXPORT
    }


def test_the_record_says_where_the_harness_has_no_metric_of_ours(place):
    record = export(request(place), "lm-eval", place / "out")
    assert record.notes == {
        "anli/r1": "the harness has no macro_f1",
        "said": "the harness has no rouge1; it computes exact_match",
    }


def test_fewer_rows_and_templates_are_the_first_ones(place):
    record = export(request(place, examples=3, templates=1), "lm-eval", place / "out")
    assert (record.tasks["said"].rows, record.tasks["said"].templates) == (3, (0,))
    assert not (place / "out/said_t1.yaml").exists()


def test_an_unknown_layout_is_named_with_the_nearest(place):
    with pytest.raises(DeclarationError, match="no layout 'lmeval'"):
        export(request(place), "lmeval", place / "out")


def test_an_export_without_evaluation_set_leaves_no_folder(place):
    with pytest.raises(ArtifactError, match="`flanbuild evalset anli/r1` makes it"):
        export(ExportRequest(mixture=place / "mixture", evaluation=place / "none"), "lm-eval", place / "out")
    assert not (place / "out").exists()


def test_every_layout_has_a_description():
    assert all(view.description for view in VIEWS.values())


@pytest.mark.slow
def test_the_harness_gives_the_same_answers_with_the_same_log_likelihoods(tmp_path):
    """Runs lm_eval on exported rows and flanbuild on its own; benchmarks/harness.py compares them row by row."""
    if find_spec("lm_eval") is None:
        pytest.skip("lm_eval is not installed; docs/evaluation.md says how to run this comparison")
    toys.write_mixture(tmp_path / "mixture", [toys.row(i, i % 2) for i in range(60)], [toys.row(0, 0)])
    tokenizer = toys.tokenizer(tmp_path / "mixture", 500)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=4096, **shape))
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "model")
    command = [sys.executable, str(ROOT / "benchmarks/harness.py"), "--model", str(tmp_path / "model")]
    tasks = ["--tasks", "rte", "arc/easy", "nq"]
    limits = [*tasks, "--rows", "10", "--templates", "2", "--work", str(tmp_path / "work")]
    done = subprocess.run([*command, *limits], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    for line in ("| rte | 20 | 40 | 0 |", "| arc/easy | 20 | 80 | 0 |", "| nq | 20 | 0 | 0 |"):
        assert line in done.stdout
