"""Real objects for tests: the project's pages, a page of one's own, a small build, the mirror."""

import os
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from flanbuild.artifacts.executor import Workers
from flanbuild.builder import Build
from flanbuild.declare.mixture import Mixture, load_mixture
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.progress import silent
from flanbuild.sources.sample import SampleSource

# A property holds on a busy machine too.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

collect_ignore = [
    "conformance"
]  # `make conformance` runs what is there; --doctest-modules would import its snippets
ROOT = Path(__file__).parents[1]
EXTRAS = {
    "hub": ("datasets", "huggingface_hub"),
    "train": (
        "accelerate",
        "rouge_score",
        "sacrebleu",
        "safetensors",
        "sklearn",
        "scipy",
        "tokenizers",
        "torch",
        "transformers",
    ),
    "dask": ("distributed",),
    "dvc": ("dvc",),
    "sign": ("cryptography", "securesystemslib"),
    "report": ("altair", "jinja2", "vl_convert"),
}
"""Extra -> the modules that it brings. A test file that imports a missing one is skipped."""

PAGE = """\
source: {repo: aps/super_glue, config: rte, license: unknown, homepage: "https://example.org"}
columns: {premise: string, hypothesis: string, label: class_label}
labels: [entailment, not_entailment]
splits: {train: train, validation: {of: train, rows: 20}, test: validation}
where: {labelled: label IS NOT NULL}
fields: {premise: premise, hypothesis: hypothesis}
options: {entailment: yes, not_entailment: no}
metrics: [accuracy]
templates:
""" + "".join(
    f"""\
  - inputs: |
      Wording {word}: {{premise}}
      {{hypothesis}}
      {{options_}}
    targets: "{{answer}}"
"""
    for word in ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
)
"""A page without fault, for tests to break. Templates start at line 10, five lines each."""


def pytest_addoption(parser):
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew")


def pytest_pycollect_makemodule(module_path, parent):
    return _TestModule.from_parent(parent, path=module_path)


class _TestModule(pytest.Module):
    def collect(self):
        try:
            return super().collect()
        except self.CollectError as error:
            missing = getattr(error.__cause__, "name", None) or ""
            for extra, modules in EXTRAS.items():
                if missing.split(".")[0] in modules:
                    pytest.skip(f"flanbuild[{extra}] is not installed", allow_module_level=True)
            raise


def pytest_runtest_setup(item):
    for mark in item.iter_markers("needs"):
        if any(find_spec(module) is None for module in EXTRAS[mark.args[0]]):
            pytest.skip(f"flanbuild[{mark.args[0]}] is not installed")


@pytest.fixture(scope="session")
def tasks() -> dict[str, Task]:
    """All tasks of the project."""
    return load_tasks([ROOT / "mixtures" / "tasks"])


@pytest.fixture(scope="session")
def flan2021() -> Mixture:
    return load_mixture(ROOT / "mixtures" / "flan2021.yaml")


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real rows."""
    path = Path(os.environ.get("FLANBUILD_MIRROR", ROOT.parent / "shared" / "mirror"))
    if not path.is_dir():
        pytest.skip(f"no mirror of real rows at {path}; FLANBUILD_MIRROR names one")
    return path


@pytest.fixture(scope="session")
def dask():
    """The scheduler of two Dask workers, a process each."""
    with _dask() as scheduler:
        yield scheduler


@pytest.fixture
def mortal_dask():
    """Another, whose workers a test may kill: a nanny starts new ones."""
    with _dask() as scheduler:
        yield scheduler


@contextmanager
def _dask():
    distributed = pytest.importorskip("distributed", reason="flanbuild[dask] is not installed")
    from dask import config as dask_config

    impatient = dask_config.set({"distributed.scheduler.no-workers-timeout": "20s"})
    with (
        impatient,
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=None
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture
def pages(tmp_path):
    """Writes `text` as a page of dataset `name` and returns the folder of pages."""

    def write(text: str = PAGE, name: str = "rte", cluster: str = "nli") -> Path:
        path = tmp_path / "pages" / cluster / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return tmp_path / "pages"

    return write


SMALL = ("rte", "copa", "sst2", "arc/easy", "squad/v2", "mrpc")


@pytest.fixture
def build(tasks, flan2021, tmp_path):
    """A build of six tasks of five clusters on the sample, with keys to change."""

    def make(**changed) -> Build:
        mixture = flan2021.model_copy(update={"tasks": SMALL, "shards": 3} | changed.pop("mixture", {}))
        settings = {
            "tasks": {name: tasks[name] for name in SMALL},
            "mixture": mixture,
            "evaluation_rows": 5,
            "source": SampleSource(100),
            "data": tmp_path / "data",
            "missing": "error",
            "workers": Workers(),
            "progress": silent,
        }
        return Build(**settings | changed)

    return make
