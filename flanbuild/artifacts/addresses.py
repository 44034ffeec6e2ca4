"""Where each artifact lies below the data folder.

data/raw/<cluster>/<task>/                    upstream rows as Parquet
data/evaluation/<cluster>/<task>/             test and dev rows under every forward template; of no mixture
data/rendered/<mixture>/<cluster>/<task>/     training and validation rows of a mixture
data/mixtures/<mixture>-without-<holdout>/    shards, manifest and dataset card
data/contamination/                           matches of training rows with evaluation rows, with texts
data/cache/counts/<fingerprint>/              what `plan` counted
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flanbuild.errors import DeclarationError


@dataclass(frozen=True)
class Addresses:
    """The folders below one data folder."""

    data: Path

    def __post_init__(self) -> None:
        if os.path.lexists(self.data) and not self.data.is_dir():
            raise DeclarationError(f"--data {self.data}: not a folder.")

    @property
    def raw(self) -> Path:
        """All raw rows."""
        return self.data / "raw"

    @property
    def evaluation(self) -> Path:
        """All evaluation sets."""
        return self.data / "evaluation"

    def rendered(self, mixture: str) -> Path:
        """All rendered tasks of a mixture."""
        return self.data / "rendered" / mixture

    @property
    def contamination(self) -> Path:
        """What the check for contamination has found, with texts of evaluation rows."""
        return self.data / "contamination"

    def mixture(self, name: str, holdout: Iterable[str]) -> Path:
        """A mixture folder: `flan2021-without-nli`."""
        return self.data / "mixtures" / mixture_folder(name, holdout)

    @property
    def counts(self) -> Path:
        """What `plan` has counted."""
        return self.cache / "counts"

    @property
    def cache(self) -> Path:
        """What can be computed again at any time; `flanbuild gc` frees it."""
        return self.data / "cache"

    def claim(self, mixture: str, path: Path) -> None:
        """Notes which file the mixture's name stands for. Raises DeclarationError if another file has that name.

        Two mixture files of one name would share their folders. The note is no part of any artifact.
        """
        note = self.data / ".mixture-files" / mixture
        own = path.resolve()
        for place in (note.parent, note):
            if os.path.lexists(place) and place.is_dir() is (place == note):
                raise DeclarationError(
                    f"{place}: in the way of the note of which file the mixture '{mixture}' stands for; move it away."
                )
        if note.is_file():
            other = Path(note.read_text(encoding="utf-8", errors="replace"))
            if other.is_file() and own.is_file() and not other.samefile(own):
                raise DeclarationError(
                    f"{path}: {other} is a mixture named '{mixture}' too, and both would be built in "
                    f"{self.rendered(mixture)}; rename one of the files, or give another --data."
                )
        if own.is_file():
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(str(own), encoding="utf-8")


def task_folder(root: Path, cluster: str, task: str) -> Path:
    """The folder of a task's artifact below the root of its kind."""
    return root / cluster / task


def mixture_folder(name: str, holdout: Iterable[str]) -> str:
    """The name of a mixture's folder; a `/` of a task's name becomes a dot."""
    names = sorted({held.replace("/", ".") for held in holdout})
    return "-".join([name, *(["without", *names] if names else [])])
