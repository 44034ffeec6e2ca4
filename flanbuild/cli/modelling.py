"""Commands that need the `train` extra."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flanbuild.errors import DeclarationError, nearest

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting in place of params.yaml's; may be repeated.", show_default=False),
]


def train(
    mixture: Annotated[Path, typer.Argument(metavar="DIR", help="A mixture folder.")],
    out: Annotated[Path, typer.Option(help="The model's folder.")] = Path("models/model"),
    settings: Settings = None,
) -> None:
    """Train a model on a mixture: `flanbuild train data/mixtures/flan2021-without-nli --set steps=100`."""
    from flanbuild.params import load_params
    from flanbuild.training import TrainConfig
    from flanbuild.training import train as run

    run(mixture, out, _configured(TrainConfig, dict(load_params().train), settings, "train"))


def evaluate(
    model: Annotated[str, typer.Argument(help="A model folder, or a name on the hub.")],
    mixture: Annotated[Path, typer.Argument(metavar="DIR", help="The mixture folder whose held-out tasks are asked.")],
    rendered: Annotated[Path, typer.Option(help="Where the rendered evaluation files lie.")] = Path("data/rendered"),
    out: Annotated[Path, typer.Option(help="The report's folder.")] = Path("reports/evaluation"),
    settings: Settings = None,
) -> None:
    """Ask a model every held-out task, under every template, zero-shot."""
    from flanbuild.evaluation import EvaluateConfig
    from flanbuild.evaluation import evaluate as run
    from flanbuild.params import load_params

    defaults = load_params().evaluate.model_dump()
    run(model, mixture, rendered, out, _configured(EvaluateConfig, defaults, settings, "evaluate"))


def report(
    evaluations: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders that `evaluate` wrote.")],
    out: Annotated[Path, typer.Option(help="The report's folder.")] = Path("reports/summary"),
) -> None:
    """One table and its plots over evaluations."""
    from flanbuild.report import report as run

    run(evaluations, out)


def _configured(config: Any, defaults: dict[str, Any], settings: list[str] | None, section: str) -> Any:
    """A config of params.yaml's values with `KEY=VALUE`s in their place."""
    values = defaults
    for setting in settings or []:
        key, found, value = setting.partition("=")
        if not found:
            raise DeclarationError(f"--set: '{setting}' is not KEY=VALUE.")
        try:
            values[key] = json.loads(value)
        except json.JSONDecodeError:
            values[key] = value
    known = config.__dataclass_fields__
    for key in values:
        if key not in known:
            raise DeclarationError(f"{section}: no setting '{key}'.{nearest(key, known)}")
    return config(**values)
