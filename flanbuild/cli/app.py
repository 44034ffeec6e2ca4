"""The command line: `flanbuild --help`.

Commands import what they need when they run, so that `--help` is there at once.
"""

import os
from collections.abc import Callable
from typing import Annotated, get_type_hints

import typer

from flanbuild import __version__
from flanbuild.cli import build, explore, export, inspect, model, project, source, study
from flanbuild.cli.console import COMMAND, exit_on_error, options
from flanbuild.declare.params import load_params

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Build instruction-tuning mixtures from declarations: FLAN 2021, reproducible to the byte.\n\n"
    "A first look: `flanbuild list`, `flanbuild preview rte`, `flanbuild mixture --holdout nli`.",
    epilog="Defaults come from params.yaml in this folder, if there is one. Exit codes: 0 success, 1 failure, "
    "2 usage or declaration error, 70 a bug in flanbuild, 130 interrupted.",
)

_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Start": (project.init,),
    "Look": (
        inspect.list_tasks,
        inspect.show,
        inspect.preview,
        inspect.why,
        explore.explore,
        inspect.contamination,
        inspect.check,
        inspect.schema,
    ),
    "Build": (
        build.plan,
        build.download,
        build.render,
        build.evalset,
        build.mixture,
        build.verify,
        build.rebuild,
        build.diff,
        build.gc,
    ),
    "Source": (source.lock, source.mirror, source.import_, source.licenses),
    "Model": (model.train, model.evaluate, model.report, study.study),
    "Export": (export.export, export.publish),
}
EXAMPLES = {
    "init": "flanbuild init my-project",
    "list": "flanbuild list --tasks my-tasks",
    "show": "flanbuild show anli/r1",
    "preview": "flanbuild preview rte --split validation --row 3",
    "why": "flanbuild why data/mixtures/flan2021-without-nli 17",
    "explore": "flanbuild explore data/mixtures/flan2021-without-nli --out nli.html",
    "contamination": "flanbuild contamination data/mixtures/flan2021-without-coreference --kind item",
    "check": "flanbuild check --tasks my-tasks",
    "schema": "flanbuild schema task > task.schema.json",
    "plan": "flanbuild plan flan2021 --holdout nli",
    "download": "flanbuild download nli --source hub",
    "render": "flanbuild render rte --mixture flan2021",
    "evalset": "flanbuild evalset nli --max-rows 200",
    "mixture": "flanbuild mixture flan2021 --holdout nli --holdout sentiment",
    "verify": "flanbuild verify data/mixtures/flan2021-without-nli --rebuild",
    "rebuild": "flanbuild rebuild downloaded/manifest.json --source hub --data again",
    "diff": "flanbuild diff data/mixtures/flan2021-without-nli data/mixtures/mine-without-nli",
    "gc": "flanbuild gc --dry-run",
    "lock": "flanbuild lock rte squad --update",
    "mirror": "flanbuild mirror /data/mirror nli",
    "import": "flanbuild import story_cloze validation=valid.csv test=test.csv",
    "licenses": "flanbuild licenses --mixture flan2021",
    "train": "flanbuild train data/mixtures/flan2021-without-nli --out models/nli --steps 100",
    "evaluate": "flanbuild evaluate models/nli data/mixtures/flan2021-without-nli --protocol lm-eval --out reports/nli",
    "report": "flanbuild report reports/holdouts/nli reports/holdouts/sentiment --out reports/summary",
    "study": "flanbuild study templates -S train.steps=1000",
    "publish": "flanbuild publish data/mixtures/flan2021-without-nli exports/hub --date 2026-11-26",
    "export": "flanbuild export data/mixtures/flan2021-without-nli --to lm-eval --out lm_eval_tasks",
}
"""Command -> the example in its help."""

for _panel, _commands in _PANELS.items():
    for _command in _commands:
        _name = _command.__name__.removesuffix("_tasks").rstrip("_")
        _config = get_type_hints(_command).get("config")
        _with_options = options(_config)(_command) if _config else _command
        _epilog = f"Example: `{EXAMPLES[_name]}`"
        app.command(_name, rich_help_panel=_panel, epilog=_epilog, **COMMAND)(exit_on_error()(_with_options))


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    context.default_map = load_params().defaults()
    if os.environ.get("NO_COLOR"):  # rich reads it itself
        context.color = False
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Runs the command line; errors are one line and an exit code."""
    with exit_on_error():
        app()
