"""The training steps, in one process or under `accelerate launch`.

A step's loss is the sum over the completion tokens of the whole batch, divided by their number, for any number of
micro-batches and processes.
"""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, get_scheduler

from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.keys import task_key
from flanbuild.model.loader import computation_dtype
from flanbuild.model.settings import IGNORED
from flanbuild.progress import Progress, log, silent
from flanbuild.training.batches import Batch, Batches
from flanbuild.training.checkpoints import Checkpoints
from flanbuild.training.config import TrainConfig

_SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


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


def accelerator_for(config: TrainConfig) -> Accelerator:
    """An accelerator with bfloat16 autocast if the config's dtype comes to that on this machine."""
    bf16 = computation_dtype(config.dtype) == torch.bfloat16
    return Accelerator(mixed_precision="bf16" if bf16 else "no")


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

    Raises ExecutionError if a loss is not finite.
    """
    stepper = _Stepper(accelerator, model, train, validation, config)
    losses = stepper.restore(checkpoints)
    first = len(losses.steps)
    shown = progress if accelerator.is_main_process else silent
    if first and accelerator.is_main_process:
        log(f"train: continuing after step {first}")
    with shown(config.steps - first, "train") as advance:
        for step in range(first, config.steps):
            losses.steps.append(stepper.step(step))
            note = f"loss {losses.steps[-1]['loss']:.3f}"
            last = step + 1 == config.steps
            if last or (step + 1) % config.log_every == 0:
                losses.validation.append({"step": step + 1, "loss": stepper.validate()})
                note += f", validation {losses.validation[-1]['loss']:.3f}"
            if not last and (step + 1) % config.save_every == 0:
                stepper.save(checkpoints, losses)
            advance(1, note)
    return TrainResult(
        accelerator.unwrap_model(stepper.model, keep_torch_compile=False), stepper.weights(), losses
    )


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
        self._size = _micro_batch_size(config, accelerator.num_processes)
        self._shifted = not model.config.is_encoder_decoder
        optimizer = _optimizer(model, config)
        self._schedule = get_scheduler(_SCHEDULES[config.schedule], optimizer, config.warmup, config.steps)
        self.model, self._optimizer = accelerator.prepare(model, optimizer)

    def step(self, step: int) -> dict[str, float]:
        """One update of the weights. Returns its row of the log."""
        torch.manual_seed(
            task_key(self._config.seed, "dropout", f"{step}/{self._accelerator.process_index}") >> 1
        )
        self.model.train()
        rate = self._schedule.get_last_lr()[0]
        micro_batches = list(
            self._micro_batches(self._train, step * self._config.batch, (step + 1) * self._config.batch)
        )
        tokens = self._total(
            sum((self._targets(micro_batch) != IGNORED).sum() for micro_batch in micro_batches)
        )
        loss = (
            self._total(
                sum(
                    self._backward(micro_batch, tokens, last=micro_batch is micro_batches[-1])
                    for micro_batch in micro_batches
                )
            )
            / tokens
        )
        if not math.isfinite(loss):
            raise ExecutionError(f"step {step + 1}: the loss is {loss}; train.learning_rate may be too high.")
        self._accelerator.clip_grad_norm_(self.model.parameters(), self._config.clip)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad()
        return {"step": step + 1, "loss": loss, "learning_rate": rate}

    @torch.no_grad()
    def validate(self) -> float:
        """The loss over all validation sequences."""
        self.model.eval()
        loss = tokens = torch.zeros((), device=self._accelerator.device)
        for micro_batch in self._micro_batches(self._validation, 0, len(self._validation.sequences)):
            loss = loss + self._loss(micro_batch)
            tokens = tokens + (self._targets(micro_batch) != IGNORED).sum()
        mean = self._total(loss) / self._total(tokens)
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

    def _micro_batches(self, batches: Batches, start: int, stop: int) -> Iterator[Batch]:
        """This process' share of the sequences from `start` to `stop`, as micro-batches."""
        accelerator, stride = self._accelerator, self._size * self._accelerator.num_processes
        for first in range(start, stop, stride):
            mine = first + accelerator.process_index * self._size
            groups = batches.groups(min(mine, stop - 1), min(mine + self._size, stop))
            micro_batch = batches.collate(batches.examples, groups)
            if (
                mine >= stop
            ):  # no sequence is left for this process, but all must call the model equally often
                micro_batch["labels"].fill_(IGNORED)
            yield {name: value.to(accelerator.device) for name, value in micro_batch.items()}

    def _backward(self, micro_batch: Batch, tokens: float, *, last: bool) -> torch.Tensor:
        accelerator = self._accelerator
        with nullcontext() if last else accelerator.no_sync(self.model):
            loss = self._loss(micro_batch)
            accelerator.backward(
                loss * accelerator.num_processes / tokens
            )  # DDP takes the mean over processes
        return loss.detach()

    def _loss(self, micro_batch: Batch) -> torch.Tensor:
        inputs = {name: value for name, value in micro_batch.items() if name != "labels" or not self._shifted}
        logits = self.model(**inputs, use_cache=False).logits
        targets = self._targets(micro_batch)
        logits = logits[:, :-1] if self._shifted else logits
        kept = targets != IGNORED
        return cross_entropy(logits[kept].float(), targets[kept], reduction="sum")

    def _targets(self, micro_batch: Batch) -> torch.Tensor:
        return micro_batch["labels"][:, 1:] if self._shifted else micro_batch["labels"]

    def _total(self, value: Any) -> float:
        """The sum over processes."""
        return float(self._accelerator.reduce(value.float(), reduction="sum"))


def _micro_batch_size(config: TrainConfig, processes: int) -> int:
    micro_batch, rest = divmod(config.batch, processes * config.gradient_accumulation)
    if rest:
        raise DeclarationError(
            f"train.batch: {config.batch} sequences cannot be divided among {processes} processes with"
            f" {config.gradient_accumulation} micro-batches each."
        )
    return micro_batch


def _optimizer(model: PreTrainedModel, config: TrainConfig) -> torch.optim.Optimizer:
    kind: Any = {"adamw": torch.optim.AdamW, "adafactor": torch.optim.Adafactor}[config.optimizer]
    optimizer: torch.optim.Optimizer = kind(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return optimizer
