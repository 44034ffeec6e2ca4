"""The steps themselves, on one processor or under `accelerate launch`.

A step's loss is the sum over the completion tokens of the whole batch, divided by their number, however the
batch is cut into pieces and spread over processes.
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
from flanbuild.progress import Progress, log, silent
from flanbuild.training.batches import IGNORED, Batch, Batches
from flanbuild.training.checkpoints import Checkpoints
from flanbuild.training.config import TrainConfig

_SCHEDULES = {"constant": "constant_with_warmup", "linear": "linear", "cosine": "cosine"}


@dataclass(frozen=True)
class Log:
    """One row a step, and one each time the validation loss was taken."""

    steps: list[dict[str, float]]
    validation: list[dict[str, float]]


@dataclass(frozen=True)
class TrainResult:
    """The trained model, its weights gathered from all processes, and how it went."""

    model: Any
    weights: dict[str, torch.Tensor]
    log: Log


def accelerator_for(config: TrainConfig) -> Accelerator:
    """bfloat16 autocast where asked for, or on a GPU that knows it."""
    bf16 = config.dtype == "bfloat16" or (
        config.dtype == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )
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
    """Trains from the last checkpoint of this run, or from the start, to the last step."""
    stepper = _Stepper(accelerator, model, train, validation, config)
    losses = stepper.restore(checkpoints)
    first = len(losses.steps)
    shown = progress if accelerator.is_main_process else silent
    if first and accelerator.is_main_process:
        log(f"train: going on after step {first}")
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
    """Model, optimizer and schedule, and what one step does with them."""

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
        self._piece = _piece(config, accelerator.num_processes)
        self._shifted = not model.config.is_encoder_decoder
        optimizer = _optimizer(model, config)
        self._schedule = get_scheduler(_SCHEDULES[config.schedule], optimizer, config.warmup, config.steps)
        self.model, self._optimizer = accelerator.prepare(model, optimizer)

    def step(self, step: int) -> dict[str, float]:
        """One update, as the row of the log that tells of it."""
        torch.manual_seed(
            task_key(self._config.seed, "dropout", f"{step}/{self._accelerator.process_index}") >> 1
        )
        self.model.train()
        rate = self._schedule.get_last_lr()[0]
        pieces = list(self._pieces(self._train, step * self._config.batch, (step + 1) * self._config.batch))
        tokens = self._total(sum((self._targets(piece) != IGNORED).sum() for piece in pieces))
        loss = (
            self._total(sum(self._backward(piece, tokens, last=piece is pieces[-1]) for piece in pieces))
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
        for piece in self._pieces(self._validation, 0, len(self._validation.sequences)):
            loss = loss + self._loss(piece)
            tokens = tokens + (self._targets(piece) != IGNORED).sum()
        return self._total(loss) / self._total(tokens)

    def restore(self, checkpoints: Checkpoints) -> Log:
        """Takes up a checkpoint of this run if there is one."""
        state = checkpoints.restore(self.model, self._optimizer.optimizer)
        if state is None:
            return Log([], [])
        self._schedule.load_state_dict(state["schedule"])
        return Log(state["steps"], state["validation"])

    def save(self, checkpoints: Checkpoints, log: Log) -> None:
        """Writes a checkpoint after the last step of the log."""
        state = {"schedule": self._schedule.state_dict(), "steps": log.steps, "validation": log.validation}
        checkpoints.save(self._accelerator, self.model, self._optimizer.optimizer, state)

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights on each process."""
        weights: dict[str, torch.Tensor] = self._accelerator.get_state_dict(self.model)
        return weights

    def _pieces(self, batches: Batches, start: int, stop: int) -> Iterator[Batch]:
        """This process' share of the sequences from `start` to `stop`, in batches that fit the memory."""
        accelerator, stride = self._accelerator, self._piece * self._accelerator.num_processes
        for at in range(start, stop, stride):
            mine = at + accelerator.process_index * self._piece
            groups = batches.groups(min(mine, stop - 1), min(mine + self._piece, stop))
            piece = batches.collate(batches.examples, groups)
            if mine >= stop:  # nothing is left for this process, yet all must call the model equally often
                piece["labels"].fill_(IGNORED)
            yield {name: value.to(accelerator.device) for name, value in piece.items()}

    def _backward(self, piece: Batch, tokens: float, *, last: bool) -> torch.Tensor:
        accelerator = self._accelerator
        with nullcontext() if last else accelerator.no_sync(self.model):
            loss = self._loss(piece)
            accelerator.backward(
                loss * accelerator.num_processes / tokens
            )  # DDP takes the mean over processes
        return loss.detach()

    def _loss(self, piece: Batch) -> torch.Tensor:
        given = {name: value for name, value in piece.items() if name != "labels" or not self._shifted}
        logits = self.model(**given, use_cache=False).logits
        targets = self._targets(piece)
        logits = logits[:, :-1] if self._shifted else logits
        kept = targets != IGNORED
        return cross_entropy(logits[kept].float(), targets[kept], reduction="sum")

    def _targets(self, piece: Batch) -> torch.Tensor:
        return piece["labels"][:, 1:] if self._shifted else piece["labels"]

    def _total(self, value: Any) -> float:
        """The sum over processes."""
        return float(self._accelerator.reduce(value.float(), reduction="sum"))


def _piece(config: TrainConfig, processes: int) -> int:
    piece, rest = divmod(config.batch, processes * config.gradient_accumulation)
    if rest:
        raise DeclarationError(
            f"train.batch: {config.batch} sequences can't be shared by {processes} processes in"
            f" {config.gradient_accumulation} pieces each."
        )
    return piece


def _optimizer(model: PreTrainedModel, config: TrainConfig) -> torch.optim.Optimizer:
    kind: Any = {"adamw": torch.optim.AdamW, "adafactor": torch.optim.Adafactor}[config.optimizer]
    optimizer: torch.optim.Optimizer = kind(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    return optimizer
