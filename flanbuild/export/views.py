"""The layouts that `flanbuild export --to NAME` knows, and the export itself.

A new layout is a module with a function that writes it, and an entry in VIEWS.
"""

from collections.abc import Mapping
from pathlib import Path

from flanbuild.artifacts.files import locked, sha256_of, staged
from flanbuild.artifacts.records import MANIFEST, Manifest, read_record, write_record, writer_versions
from flanbuild.errors import DeclarationError, nearest
from flanbuild.export import lm_eval
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.view import ExportRequest, View
from flanbuild.model.record import MixtureRef
from flanbuild.progress import Progress, log, silent

VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        View("lm-eval", "held-out tasks for lm-evaluation-harness 0.4.13: YAML and rows", lm_eval.write),
    )
}


def export(request: ExportRequest, to: str, out: Path, progress: Progress = silent) -> ExportRecord:
    """Writes a mixture, or what it holds out, as the folder `out` in the layout `to`, and returns its record.

    The folder is written whole or not at all, and equal inputs give equal bytes. Raises DeclarationError for an
    unknown layout, and ArtifactError if the mixture or an evaluation set is missing or damaged.
    """
    if to not in VIEWS:
        raise DeclarationError(f"export: no layout '{to}'.{nearest(to, VIEWS)}")
    manifest = read_record(request.mixture / MANIFEST, Manifest)
    with locked(out), staged(out) as folder:
        written = VIEWS[to].write(request, folder, progress)
        for name, reason in sorted(written.left_out.items()):
            log(f"export: {name} is left out: {reason}")
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        record = ExportRecord.of(
            view=to,
            mixture=MixtureRef(name=manifest.name, digest=manifest.digest),
            holdout=manifest.holdout,
            tasks=dict(written.tasks),
            left_out=dict(written.left_out),
            notes=dict(written.notes),
            files={path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
            versions=writer_versions(),
        )
        write_record(folder / EXPORT, record)
    return record
