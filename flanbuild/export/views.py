"""The layouts that `flanbuild export --to NAME` knows, and the export itself.

A new layout is a module with a function that writes it, and an entry in VIEWS.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import MANIFEST, Manifest, read_record, write_record, writer_versions
from flanbuild.declare.views import VIEW_OPTIONS, ViewName, ViewOptions
from flanbuild.errors import DeclarationError, nearest
from flanbuild.export import hub, lm_eval, text, tokens
from flanbuild.export.destination import destination
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.view import ExportRequest, View, Write, Written
from flanbuild.model.record import MixtureRef, model_versions
from flanbuild.progress import Progress, log, silent


def _view(name: ViewName, description: str, readers: str, write: Write) -> View:
    return View(name, description, readers, write, VIEW_OPTIONS[name])


VIEWS: Mapping[str, View] = {
    view.name: view
    for view in (
        _view(
            "parquet",
            "all columns as Parquet (zstd), a file per shard",
            "`datasets`, polars, DuckDB, pandas, ray, litdata, the hub's viewer",
            text.parquet,
        ),
        _view(
            "jsonl",
            "all columns as JSON Lines",
            "NeMo with `--rename prompt=input,completion=output`, `datasets`, jq",
            text.jsonl,
        ),
        _view(
            "messages",
            "`prompt` and `completion` as lists of messages, and `messages` with both",
            "TRL, open-instruct, oumi, torchtune, Megatron-LM's SFT",
            text.messages,
        ),
        _view("alpaca", "`instruction`, an empty `input`, `output`", "LLaMA-Factory, axolotl", text.alpaca),
        _view("seq2seq", "`inputs` and `targets`", "trainers of T5, seqio", text.seq2seq),
        _view(
            "tokens",
            "Parquet, an example per row: `input_ids`, `attention_mask`, `labels` (-100 outside the completion)",
            "TRL, axolotl, transformers' `Trainer`",
            tokens.tokens,
        ),
        _view(
            "packed",
            "Parquet, several whole examples per row: `input_ids`, `labels`, `position_ids`, `seq_lengths`",
            "TRL with `padding_free`, own loops",
            tokens.packed,
        ),
        _view(
            "megatron",
            "indexed datasets: `train.bin`, `train.idx`, and `train_loss_mask` with a byte per token",
            "Megatron-LM; its stock GPT dataset does not read the mask",
            tokens.megatron,
        ),
        _view(
            "olmo-core",
            "flat arrays: `train/*.npy`, `train_label_mask/*.npy`",
            "OLMo-core's `paths` and `label_mask_paths`",
            tokens.olmo_core,
        ),
        _view(
            "hub",
            "what `flanbuild publish` writes: Parquet, dataset card, Croissant, provenance, manifest",
            "the hub and its viewer, `datasets`, mlcroissant",
            hub.write,
        ),
        _view("lm-eval", "held-out tasks: YAML and rows", "lm-evaluation-harness 0.4.13", lm_eval.write),
    )
}


def export(request: ExportRequest, to: str, out: str | Path, progress: Progress = silent) -> ExportRecord:
    """Writes a mixture, or what it holds out, in the layout `to`, and returns the export's record.

    `out` is a folder or an fsspec URL. It is written whole or not at all, and equal inputs give equal bytes. Raises
    DeclarationError for an unknown layout, an option that the layout does not take, and an `out` that holds something
    else than an export; ArtifactError if the mixture or an evaluation set is missing or damaged.
    """
    if to not in VIEWS:
        raise DeclarationError(f"export: no layout '{to}'.{nearest(to, VIEWS)}")
    VIEWS[to].check(request)
    manifest = read_record(request.mixture / MANIFEST, Manifest)
    with destination(str(out)) as folder:
        written = VIEWS[to].write(request, folder, progress)
        for name, reason in sorted(written.left_out.items()):
            log(f"export: {name} is left out: {reason}")
        record = _record(request, to, manifest, written, folder)
        write_record(folder / EXPORT, record)
    return record


def export_declared(
    folder: Path,
    views: Iterable[Mapping[ViewName, ViewOptions]],
    out: str,
    jobs: int = 1,
    progress: Progress = silent,
) -> Iterator[tuple[str, ExportRecord]]:
    """Writes the layouts that a mixture file declares to `out`/<layout>, one after the other.

    Yields the place of each and its record. Raises what `export` raises; what was written before stays.
    """
    for view in views:
        for name, options in view.items():
            request = ExportRequest(mixture=folder, jobs=jobs, **options.model_dump())
            place = f"{out.rstrip('/')}/{name}"
            yield place, export(request, name, place, progress)


def _record(
    request: ExportRequest, to: str, manifest: Manifest, written: Written, folder: Path
) -> ExportRecord:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    tokenizers = {name: model_versions()[name] for name in ("tokenizers", "transformers")}
    return ExportRecord.of(
        view=to,
        mixture=MixtureRef(name=manifest.name, digest=manifest.digest),
        holdout=manifest.holdout,
        splits=dict(written.splits),
        settings=dict(written.settings),
        tasks=dict(written.tasks),
        left_out=dict(written.left_out),
        notes=dict(written.notes),
        files={path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
        versions=writer_versions() | (tokenizers if request.tokenizer else {}),
    )
