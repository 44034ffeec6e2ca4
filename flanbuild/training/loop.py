"""The training steps, in one process or under `accelerate launch`.

A step's loss is the sum over the completion tokens of the whole batch, divided by their number, for any number of
micro-batches and processes.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.state import AcceleratorState
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, get_scheduler

from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.keys import task_key
from flanbuild.model.loader import computation_dtype, out_of_memory
from flanbuild.progress import Progress, log, silent
from flanbuild.training.batches import Batch, Batches, MicroBatches
from flanbuild.training.checkpoints import Checkpoints
from flanbuild.training.config import TrainConfig
from flanbuild.training.loss import KeepMethod, answer_loss, completion_loss, keep_method, with_kept

_SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}

_PATIENCE = timedelta(hours=6)
_FLUSH_EVERY = 10
"""Steps whose losses stay on a GPU before they are read, which waits for it."""
_LOADERS = 2
"""Processes that collate micro-batches ahead of a GPU."""
_MULTIPLE, _COMPILED_MULTIPLE = 8, 128
"""The number of kept positions is rounded up to this; a compiled model should meet few numbers."""


@dataclass(frozen=True)
class Log:
    """One row per step, and one per validation: `step` and `loss`, and for steps `learning_rate`."""

    steps: list[dict[str, float]]
    validation: list[dict[str, float]]


@dataclass(frozen=True)
class TrainResult:
    """The trained model, its weights gathered from all processes, and its losses."""

    model: Any
    weights: dict[str, torch.Tensor]
    log: Log


def accelerator_for(config: TrainConfig, work: Path) -> Accelerator:
    """An accelerator with bfloat16 autocast if the config's dtype comes to that on this machine.

    A process may train several times, with other settings each time. Processes wait for each other up to six hours,
    since on a cluster one of each node tokenizes.
    """
    bf16 = computation_dtype(config.dtype) == torch.bfloat16
    AcceleratorState._reset_state()  # what an earlier run in this process has set; the processes stay connected
    try:
        accelerator = Accelerator(
            mixed_precision="bf16" if bf16 else "no",
            log_with=config.log_with,
            project_dir=str(work) if config.log_with else None,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
        )
    except ValueError as error:
        raise DeclarationError(f"train.log_with: {' '.join(str(error).split())}") from error
    if config.log_with and not accelerator.log_with:
        raise DeclarationError(f"train.log_with: the package of '{config.log_with}' is not installed.")
    return accelerator


def fit(
    accelerator: Accelerator,
    model: PreTrainedModel,
    train: Batches,
    validation: Batches,
    config: TrainConfig,
    checkpoints: Checkpoints,
    progress: Progress = silent,
) -> TrainResult:
    """Trains from the last checkpoint of this run, or from the start, to the last step.

    Raises ExecutionError if a loss is not finite or the memory of the device does not suffice.
    """
    stepper = _Stepper(accelerator, model, train, validation, config)
    losses = stepper.restore(checkpoints)
    first = len(losses.steps)
    main = accelerator.is_main_process
    shown = progress if main else silent
    if first and main:
        log(f"train: continuing after step {first}")
    if config.log_with:
        accelerator.init_trackers("flanbuild", config.numbers())
    with shown(config.steps - first, "train") as advance, _memory_sentence(config, stepper):
        for step, micro_batches in enumerate(stepper.micro_batches(first), start=first):
            stepper.step(step, micro_batches)
            done, last = step + 1, step + 1 == config.steps
            validate = last or done % config.log_every == 0
            save = not last and done % config.save_every == 0
            if validate or save or done % stepper.flush_every == 0:
                losses.steps.extend(rows := stepper.flush())
                note = f"loss {rows[-1]['loss']:.3f}"
                if validate:
                    losses.validation.append({"step": done, "loss": stepper.validate()})
                    note += f", validation {losses.validation[-1]['loss']:.3f}"
                if save:
                    stepper.save(checkpoints, losses)
                _track(accelerator, config, rows, losses.validation[-1:] if validate else [])
                advance(len(rows), note)
    if config.log_with:
        accelerator.end_training()
    return TrainResult(
        accelerator.unwrap_model(stepper.model, keep_torch_compile=False), stepper.weights(), losses
    )


def _track(
    accelerator: Accelerator,
    config: TrainConfig,
    rows: Sequence[dict[str, float]],
    validation: Sequence[dict[str, float]],
) -> None:
    """Sends losses to the tracker of `log_with`."""
    if config.log_with is None:
        return
    for row in rows:
        accelerator.log(
            {"train/loss": row["loss"], "train/learning_rate": row["learning_rate"]}, int(row["step"])
        )
    for row in validation:
        accelerator.log({"validation/loss": row["loss"]}, int(row["step"]))


@contextmanager
def _memory_sentence(config: TrainConfig, stepper: "_Stepper") -> Iterator[None]:
    """Turns out-of-memory errors of torch into one sentence."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        cures = [f"raise train.gradient_accumulation ({config.gradient_accumulation})"]
        if stepper.size == 1:
            cures = [f"lower train.seq_length ({config.seq_length})"]
        if not config.gradient_checkpointing:
            cures.append("set train.gradient_checkpointing")
        if config.optimizer == "adamw":
            cures.append("take train.optimizer adafactor")
        raise ExecutionError(
            f"train: the memory of the device does not hold micro-batches of {stepper.size} sequences of"
            f" {config.seq_length} tokens; {', or '.join(cures)}."
        ) from error


class _Stepper:
    """The model, its optimizer and schedule, and one step with them."""

    def __init__(
        self,
        accelerator: Accelerator,
        model: PreTrainedModel,
        train: Batches,
        validation: Batches,
        config: TrainConfig,
    ) -> None:
        self._accelerator, self._config = accelerator, config
        self._train, self._validation = train, validation
        self.size = _micro_batch_size(config, accelerator.num_processes)
        self.flush_every = 1 if accelerator.device.type == "cpu" else _FLUSH_EVERY
        network: Any = model
        if config.lora_rank:
            network = network.get_base_model()
        self._keep: KeepMethod | None = None if model.config.is_encoder_decoder else keep_method(network)
        self._balance = _balance_factor(network)
        self._pending: list[tuple[int, float, torch.Tensor]] = []
        optimizer = _optimizer(model, config, accelerator.device)
        self._schedule = get_scheduler(_SCHEDULES[config.schedule], optimizer, config.warmup, config.steps)
        if config.compile:
            model.compile(dynamic=False)
        self.model, self._optimizer = accelerator.prepare(model, optimizer)

    def micro_batches(self, first: int) -> Iterator[list[Batch]]:
        """This process' share of each step from `first` to the last, collated ahead of use."""
        config = self._config
        loader = iter(self._loader(self._train, first * config.batch, config.steps * config.batch))
        for _ in range(first, config.steps):
            yield [next(loader) for _ in range(config.gradient_accumulation)]

    def step(self, step: int, micro_batches: Sequence[Batch]) -> None:
        """One update of the weights. Its loss stays on the device until `flush`, so that nothing waits for it."""
        config = self._config
        torch.manual_seed(task_key(config.seed, "dropout", f"{step}/{self._accelerator.process_index}") >> 1)
        self.model.train()
        rate = self._schedule.get_last_lr()[0]
        tokens = self._train.targets(step * config.batch, (step + 1) * config.batch)
        losses = [
            self._backward(micro_batch, tokens, last=micro_batch is micro_batches[-1])
            for micro_batch in micro_batches
        ]
        self._pending.append((step + 1, rate, torch.stack(losses).sum() / tokens))
        self._accelerator.clip_grad_norm_(self.model.parameters(), config.clip)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()

    def flush(self) -> list[dict[str, float]]:
        """The rows of the log since the last call, with losses summed over all processes."""
        pending, self._pending = self._pending, []
        losses = self._accelerator.reduce(torch.stack([loss for *_, loss in pending]), reduction="sum")
        rows = [
            {"step": step, "loss": loss, "learning_rate": rate}
            for (step, rate, _), loss in zip(pending, losses.tolist(), strict=True)
        ]
        for row in rows:
            if not math.isfinite(row["loss"]):
                raise ExecutionError(
                    f"step {row['step']}: the loss is {row['loss']}; train.learning_rate may be too high."
                )
        return rows

    @torch.no_grad()
    def validate(self) -> float:
        """The loss over all validation sequences."""
        self.model.eval()
        count = len(self._validation.sequences)
        loss = torch.zeros((), device=self._accelerator.device)
        for micro_batch in self._loader(self._validation, 0, count):
            loss = loss + self._loss(micro_batch)
        total = self._accelerator.reduce(loss, reduction="sum")
        mean = float(total) / self._validation.targets(0, count)
        if not math.isfinite(mean):
            raise ExecutionError(f"the validation loss is {mean}; train.learning_rate may be too high.")
        return mean

    def restore(self, checkpoints: Checkpoints) -> Log:
        """Loads the checkpoint of this run if there is one, and returns its log."""
        state = checkpoints.restore(self.model, self._optimizer.optimizer)
        if state is None:
            return Log([], [])
        self._schedule.load_state_dict(state["schedule"])
        return Log(state["steps"], state["validation"])

    def save(self, checkpoints: Checkpoints, log: Log) -> None:
        """Writes a checkpoint with the log so far."""
        state = {"schedule": self._schedule.state_dict(), "steps": log.steps, "validation": log.validation}
        checkpoints.save(self._accelerator, self.model, self._optimizer.optimizer, state)

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights on each process."""
        weights: dict[str, torch.Tensor] = self._accelerator.get_state_dict(self.model)
        return weights

    def _loader(self, batches: Batches, start: int, stop: int) -> DataLoader[Batch]:
        """Micro-batches of this process, of the sequences from `start` to `stop`."""
        accelerator, config = self._accelerator, self._config
        multiple = _COMPILED_MULTIPLE if config.compile else _MULTIPLE
        kept = None if self._keep is None else partial(with_kept, multiple=multiple)
        on_gpu = accelerator.device.type == "cuda"
        data = MicroBatches(
            batches, kept, start, stop, self.size, accelerator.process_index, accelerator.num_processes
        )
        return DataLoader(
            data,
            batch_size=None,
            shuffle=False,
            num_workers=_LOADERS if on_gpu else 0,
            pin_memory=on_gpu,
        )

    def _backward(self, micro_batch: Batch, tokens: int, *, last: bool) -> torch.Tensor:
        accelerator = self._accelerator
        with nullcontext() if last else accelerator.no_sync(self.model):
            loss = self._loss(micro_batch)
            accelerator.backward(
                loss * accelerator.num_processes / tokens
            )  # DDP takes the mean over processes
        return loss.detach()

    def _loss(self, micro_batch: Batch) -> torch.Tensor:
        device = self._accelerator.device
        batch = {name: value.to(device, non_blocking=True) for name, value in micro_batch.items()}
        if self._keep is None:
            return answer_loss(self.model, batch)
        return completion_loss(self.model, batch, self._keep, balance=self._balance)


def _micro_batch_size(config: TrainConfig, processes: int) -> int:
    micro_batch, rest = divmod(config.batch, processes * config.gradient_accumulation)
    if rest:
        raise DeclarationError(
            f"train.batch: {config.batch} sequences cannot be divided among {processes} processes with"
            f" {config.gradient_accumulation} micro-batches each."
        )
    return micro_batch


def _optimizer(model: PreTrainedModel, config: TrainConfig, device: torch.device) -> torch.optim.Optimizer:
    """The optimizer of all weights that are trained. Norms and biases, which have one dimension, do not decay."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [w for w in weights if w.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    optimizer: torch.optim.Optimizer
    if config.optimizer == "adafactor":
        optimizer = torch.optim.Adafactor(groups, lr=config.learning_rate)
    else:
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=device.type == "cuda")
    return optimizer


def _balance_factor(model: PreTrainedModel) -> float:
    """The weight that a mixture of experts gives the loss that balances its experts; 0 for other models."""
    config = model.config.get_text_config()
    known = "output_router_logits" in signature(model.forward).parameters
    return float(getattr(config, "router_aux_loss_coef", None) or 0.0) if known else 0.0
