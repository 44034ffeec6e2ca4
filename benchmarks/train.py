"""Training: the padded loop of transformers' Trainer against packed sequences, in one run.

    python benchmarks/train.py --size tiny
    python benchmarks/train.py --size 135m --steps 40 --batch 32     # on a GPU

Rows have the lengths of a FLAN mixture. "real tokens" are tokens of examples, without padding. "use" is the share of the
ceiling, a large matrix product timed in the same process, that the model's own operations reach (MFU). "all logits" is our loop
with the logits of every position. On a GPU the packed variants use flex_attention, and "compiled" torch.compile.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import common
import models
import numpy as np
import torch

SEQUENCE = {"tiny": 512, "30m": 512, "135m": 1024, "1b": 1024}
WARM_UP = 2
VARIANTS = ("Trainer, padded", "flanbuild, all logits", "flanbuild")


def main() -> None:
    """Measures all variants in turn and prints a table."""
    arguments = _arguments()
    if arguments.run:
        _run(arguments)
        return
    settings = [f"--{name}={getattr(arguments, name)}" for name in ("size", "steps", "batch", "threads")]
    variants = [*VARIANTS, "flanbuild, compiled"] if torch.cuda.is_available() else VARIANTS
    commands = {name: common.script("benchmarks/train.py", *settings, f"--run={name}") for name in variants}
    runs = common.interleave(commands, arguments.rounds)
    padded = median(run.result["tokens"] for run in runs[VARIANTS[0]])
    rows = []
    for name, own in runs.items():
        tokens, use = (median(run.result[key] for run in own) for key in ("tokens", "use"))
        memory = median(run.result.get("gpu_gb", run.anonymous / 1000) for run in own)
        rows.append((name, f"{tokens:,.0f}", f"{tokens / padded:.2f}", f"{use:.1%}", f"{memory:.2f}"))
    header = ("variant", "real tokens/s", "ratio", "use of ceiling", "peak GB")
    models.table(f"Training, size {arguments.size}", header, rows)


def _run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    examples = _examples(arguments.size, 4000)
    if arguments.run == VARIANTS[0]:
        seconds, used = _trainer(arguments, examples, device)
    else:
        seconds, used = _ours(arguments, examples, device)
    tokens = int(examples.lengths[used].sum())
    kept = float(examples.kept_completion[used].sum()) / tokens
    context = float((examples.lengths[used] ** 2).sum()) / tokens / 2
    needed = models.flops_per_token(models.llama(arguments.size), context, kept) * tokens / seconds
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    models.report(tokens=tokens / seconds, use=needed / models.ceiling(device, dtype))


def _examples(size: str, count: int) -> Any:
    from flanbuild.training.tokens import TokenizedExamples

    prompts, completions = models.lengths(count, SEQUENCE[size])
    starts = np.concatenate([[0], np.cumsum(prompts + completions)])
    tokens = np.random.default_rng(1).integers(10, models.VOCABULARY[size], starts[-1], dtype=np.int32)
    return TokenizedExamples(tokens, starts, prompts, prompts, completions)


def _ours(arguments: argparse.Namespace, examples: Any, device: torch.device) -> tuple[float, np.ndarray]:
    """Seconds of all steps but the first ones, and the examples that they used."""
    from flanbuild.training import batches, loop
    from flanbuild.training.config import TrainConfig
    from flanbuild.training.models import set_up
    from flanbuild.training.packing import one_each, pack

    length = SEQUENCE[arguments.size]
    sequences = arguments.batch * int(examples.lengths.mean()) // length or 1
    config = TrainConfig(
        model="benchmark",
        seq_length=length,
        completion_length=length // 4,
        batch=sequences,
        steps=arguments.steps + WARM_UP,
        warmup=0,
        save_every=10**9,
        log_every=10**9,
        compile=arguments.run == "flanbuild, compiled",
    )
    accelerator = loop.accelerator_for(config, Path())
    model = set_up(models.llama(arguments.size), replace(config, packing=True), device)
    train = batches.Batches(examples, pack(examples.lengths, length), batches.packed(length, 0), 0)
    validation = batches.Batches(examples, one_each(1), batches.packed(length, 0), 0)
    stepper = loop._Stepper(accelerator, model, train, validation, config)
    if arguments.run == "flanbuild, all logits":
        stepper._keep = "all"
    began = 0.0
    for step, micro_batches in enumerate(stepper.micro_batches(0)):
        if step == WARM_UP:
            stepper.flush()
            began = models.clock(device)
        stepper.step(step, micro_batches)
    stepper.flush()
    ended = models.clock(device)
    first, last = (count * sequences for count in (WARM_UP, WARM_UP + arguments.steps))
    return ended - began, np.concatenate(train.groups(first, last))


def _trainer(arguments: argparse.Namespace, examples: Any, device: torch.device) -> tuple[float, np.ndarray]:
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from flanbuild.training.batches import padded

    collate, times = padded(0), []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append(models.clock(device))

    with TemporaryDirectory() as folder:
        trainer = Trainer(
            models.llama(arguments.size),
            TrainingArguments(
                folder,
                max_steps=arguments.steps + WARM_UP,
                per_device_train_batch_size=arguments.batch,
                bf16=device.type == "cuda",
                use_cpu=device.type == "cpu",
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,
                train_sampling_strategy="sequential",
            ),
            train_dataset=list(range(len(examples))),
            data_collator=lambda rows: collate(examples, [np.array([row]) for row in rows]),
            callbacks=[Clock()],
        )
        trainer.train()
    first, last = (count * arguments.batch for count in (WARM_UP, WARM_UP + arguments.steps))
    return times[-1] - times[WARM_UP - 1], np.arange(first, last)


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--size", choices=models.SIZES, default="tiny")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument(
        "--batch", type=int, default=16, help="examples per padded batch; packed batches hold as many tokens"
    )
    parser.add_argument("--threads", type=int, default=common.CORES)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
