"""A mixture of three tasks that takes a second or two, in this process or as one of its own:

python tests/few.py DATA threads|processes JOBS
"""

import sys
from pathlib import Path

from flanbuild.build import Build
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task import load_page
from flanbuild.progress import silent
from flanbuild.render import prompts
from flanbuild.sources import sample

PAGES = ("nli/rte", "commonsense/copa", "misc/coqa")
FOLDER = Path(__file__).parents[1] / "mixtures" / "tasks"


def few(data: Path, **changed) -> Build:
    """With keys to change."""
    tasks = {task.name: task for page in PAGES for task in load_page(FOLDER / f"{page}.yaml")[0]}
    mixture = {"name": "few", "path": "few.yaml", "tasks": tuple(tasks), "shards": 3, "seed": 1}
    settings = {
        "tasks": tasks,
        "mixture": Mixture.model_validate(mixture | changed.pop("mixture", {})),
        "source": sample.SampleSource(60),
        "data": data,
        "missing": "error",
        "evaluation_examples": 5,
        "jobs": 1,
        "progress": silent,
    }
    return Build(**settings | changed)


if __name__ == "__main__":
    data, kind, jobs = sys.argv[1:]
    if kind == "processes":
        sample.WORTH_PROCESSES = prompts.WORTH_PROCESSES = 0
    build = few(Path(data), jobs=int(jobs))
    print("begun", flush=True)
    print(build.mix(["nli"])[1]["digest"])
