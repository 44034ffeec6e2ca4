"""The base install works without any extra, and a missing extra is one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EXTRAS, ROOT

from flanbuild.errors import FlanbuildError, require

BLOCKED = sorted({module for modules in EXTRAS.values() for module in modules})
START = f"""
import sys

class NoPandas:  # pandas comes with datasets; pyarrow looks for it in another way than `import`
    def find_spec(fullname, *_):
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)

sys.meta_path.insert(0, NoPandas)
sys.modules.update(dict.fromkeys({BLOCKED}))  # None: importing it fails
"""
HUB = {"flanbuild.sources.client", "flanbuild.sources.hub"}
"""The modules behind `--source hub`; `require` runs before they are imported."""
PAGES = {
    "flanbuild.inspect.charts",
    "flanbuild.inspect.explore",
    "flanbuild.inspect.summary",
    "flanbuild.page.charts",
    "flanbuild.study.chart",
    "flanbuild.study.report",
}
"""The modules behind `explore` and `study`; likewise."""
MODEL = ("flanbuild.model", "flanbuild.training", "flanbuild.evaluation", "flanbuild.report")


def base_modules():
    """The names of the modules that the base install can import."""
    paths = sorted((ROOT / "flanbuild").rglob("*.py"))
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    return [name for name in names if name not in HUB | PAGES and not name.startswith(MODEL)]


def run_without_extras(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code], cwd=folder, capture_output=True, text=True, timeout=100
    )


def flanbuild_without_extras(arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    code = f"sys.argv[1:] = {arguments.split()}\nfrom flanbuild.cli.app import main\nmain()"
    return run_without_extras(code, folder)


def test_a_missing_package_is_one_sentence_with_the_command_that_installs_it():
    with pytest.raises(FlanbuildError) as caught:
        require("`flanbuild train`", "train", ("json", "no_such_package"))

    assert str(caught.value) == "`flanbuild train` needs no_such_package: pip install 'flanbuild[train]'."


def test_nothing_is_missing_where_the_modules_are():
    require("`flanbuild train`", "train", ("json",))


def test_every_base_module_imports_without_the_extras(tmp_path):
    code = f"from importlib import import_module\nfor name in {base_modules()}: import_module(name)"

    process = run_without_extras(code, tmp_path)

    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments", ["list", "check", "preview rte", "mixture --holdout nli --source sample"]
)
def test_commands_of_the_base_install_work_without_the_extras(tmp_path, arguments):
    process = flanbuild_without_extras(arguments, tmp_path)

    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize(
    ("arguments", "work", "extra"),
    [
        ("preview rte --source hub", "`--source hub`", "hub"),
        ("lock rte", "`flanbuild lock`", "hub"),
        ("mirror there", "`flanbuild mirror`", "hub"),
        ("train there --out model", "`flanbuild train`", "train"),
        ("evaluate model there --out scores", "`flanbuild evaluate`", "train"),
        ("report scores --out report", "`flanbuild report`", "report"),
        ("explore there", "`flanbuild explore`", "report"),
        (
            "mixture --executor dask --scheduler tcp://127.0.0.1:9 --sample-rows 20",
            "`--executor dask`",
            "dask",
        ),
    ],
)
def test_a_command_that_needs_an_extra_names_it_in_one_sentence(tmp_path, arguments, work, extra):
    process = flanbuild_without_extras(arguments, tmp_path)

    sentence = process.stderr.strip().splitlines()[-1]
    assert process.returncode == 1
    assert sentence.startswith(f"flanbuild: {work} needs ")
    assert sentence.endswith(f": pip install 'flanbuild[{extra}]'.")
    assert "Traceback" not in process.stderr


def test_the_hashed_base_install_has_the_versions_of_the_constraints():
    lines = (ROOT / "requirements-base.txt").read_text(encoding="utf-8").splitlines()
    packages = [line.split(" ")[0] for line in lines if line and not line.startswith((" ", "#"))]
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    everywhere = [package for package in packages if package != "colorama==0.4.6"]  # on Windows only

    assert len(everywhere) > 15
    assert set(everywhere) <= set(constraints)
