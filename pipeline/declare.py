"""In: task files and a mixture. Out: what they declare, as JSON without comments and layout.

    sources/<cluster>.json    where the rows of each task lie, with a digest of local files: what `download` depends on
    tasks/<cluster>.json      the whole declaration of each task: what `render` and `evalset` depend on
    mixture.json              the mixture

So a comment runs no other stage again, and a changed template downloads nothing.
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts.files import staged, write_json
from flanbuild.cli.console import exit_on_error
from flanbuild.declare.mixture import load_mixture
from flanbuild.declare.requirements import check_holdouts, check_mixture
from flanbuild.declare.task import Task
from flanbuild.declare.task_files import load_tasks
from flanbuild.sources.local import LocalFiles

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

SOURCE_KEYS = {"source", "columns", "labels", "splits"}


@app.command(help=__doc__)
@exit_on_error()
def main(
    tasks: Annotated[list[Path], typer.Option(help="A folder of task files; may be repeated.")],
    mixture: Annotated[Path, typer.Option(help="The mixture file.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    params: Annotated[Path | None, typer.Option(help="The file whose holdouts are checked.")] = None,
) -> None:
    """Write the declarations as JSON."""
    declared = load_tasks(tasks)
    loaded = load_mixture(mixture)
    check_mixture(loaded, declared.values())
    if params:
        check_holdouts(params, declared.values())
    with staged(out, ("mixture.json", "sources/*.json", "tasks/*.json")) as folder:
        for cluster in sorted({task.cluster for task in declared.values()}):
            members = {name: task for name, task in declared.items() if task.cluster == cluster}
            sources = {
                name: task.model_dump(mode="json", include=SOURCE_KEYS) | _local_files(task)
                for name, task in members.items()
            }
            write_json(folder / "sources" / f"{cluster}.json", sources)
            whole = {
                name: task.model_dump(mode="json", exclude={"path", "flan"}) for name, task in members.items()
            }
            write_json(folder / "tasks" / f"{cluster}.json", whole)
        write_json(folder / "mixture.json", loaded.model_dump(mode="json", exclude={"path"}))


def _local_files(task: Task) -> dict[str, str]:
    """The digest of a task's local files, which lie outside what DVC knows: a changed row is downloaded again."""
    return {"local_files": LocalFiles().fingerprint(task)} if task.local else {}


if __name__ == "__main__":
    app()
