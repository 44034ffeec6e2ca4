"""A mixture of three tasks that takes a second or two, in this process or as one of its own:

    python tests/few.py DATA threads|processes JOBS [STEP]

With STEP the process group kills itself when it is about to change the file system below DATA for the STEP-th time.
At the end it prints the mixture's digest and the number of such steps.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from flanbuild.artifacts.executor import Workers
from flanbuild.builder import Build
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task_files import load_task_file
from flanbuild.progress import silent
from flanbuild.render import training_rows
from flanbuild.sources import sample

PAGES = ("nli/rte", "commonsense/copa", "misc/coqa")
FOLDER = Path(__file__).parents[1] / "mixtures" / "tasks"
CHANGES = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")


def few(data: Path, **changed) -> Build:
    """With keys to change."""
    tasks = {task.name: task for page in PAGES for task in load_task_file(FOLDER / f"{page}.yaml")[0]}
    mixture = {"name": "few", "path": "few.yaml", "tasks": tuple(tasks), "shards": 3, "seed": 1}
    settings = {
        "tasks": tasks,
        "mixture": Mixture.model_validate(mixture | changed.pop("mixture", {})),
        "source": sample.SampleSource(60),
        "data": data,
        "missing": "error",
        "evaluation_rows": 5,
        "workers": Workers(),
        "progress": silent,
    }
    return Build(**settings | changed)


def count_steps(data: Path, last: int | None):
    """Counts changes of the file system below `data`, and dies before the one whose number is `last`."""
    steps = count(1)
    seen = [0]

    def hook(event, arguments):
        if event in CHANGES and str(arguments[0]).startswith(str(data)):
            seen[0] = next(steps)
            if seen[0] == last:
                os.killpg(os.getpgid(0), signal.SIGKILL)

    sys.addaudithook(hook)
    return seen


if __name__ == "__main__":
    data, kind, jobs, *step = sys.argv[1:]
    if kind == "processes":
        sample.WORTH_PROCESSES = training_rows.WORTH_PROCESSES = 0
    build = few(Path(data), workers=Workers(int(jobs)))
    seen = count_steps(Path(data), int(step[0]) if step else None)
    print(build.mix(["nli"]).manifest.digest, seen[0])
