"""The loss on completions, computed from the logits of their positions only.

A completion is a small part of its sequence, and a vocabulary has 49,000 to 256,000 tokens: logits of all positions
would take most of the memory and much of the time. The model itself applies its head to the positions asked for, so
biases, scales and soft caps are in. `keep_method` finds by trial which way of asking a model understands.
"""

from typing import Any, Literal

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from flanbuild.model.probes import accepts, draw_tokens
from flanbuild.model.settings import IGNORED
from flanbuild.training.batches import Batch

KeepMethod = Literal["rows", "union", "all"]
"""Positions of each row; the positions that any row needs, for older models; or all positions."""
_SAME = 1e-4
"""Standard deviations of a logit that may lie between two ways to compute it in float32."""
_UNABLE = (RuntimeError, ValueError, TypeError, IndexError)


def with_kept(batch: Batch, multiple: int) -> Batch:
    """A batch of a decoder with `keep` and `targets` in place of `labels`: positions, and the tokens they predict.

    Both have one column for each target of the row with the most targets, rounded up to a multiple of `multiple`, so
    that compiled models meet few shapes. Columns without a target are IGNORED.
    """
    labels = batch["labels"].numpy()[:, 1:]
    found = labels != IGNORED
    most = max(1, int(found.sum(1).max()))
    columns = min(-(-most // multiple) * multiple, labels.shape[1])
    keep = np.argsort(~found, axis=1, kind="stable")[:, :columns]
    targets = np.take_along_axis(labels, keep, axis=1)
    rest = {name: value for name, value in batch.items() if name != "labels"}
    return rest | {"keep": torch.from_numpy(keep), "targets": torch.from_numpy(targets)}


@torch.no_grad()
def keep_method(model: Any) -> KeepMethod:
    """The cheapest way that gives this model's logits at some positions: the same as among all logits."""
    if model.config.is_encoder_decoder or not accepts(model, "logits_to_keep"):
        return "all"
    training = model.training
    model.eval()
    tokens = torch.cat([draw_tokens(model, 12, draw) for draw in (0, 1)])
    keep = torch.tensor([[3, 4, 9], [0, 7, 10]], device=tokens.device)
    wanted, _ = _kept_logits(model, "all", keep, input_ids=tokens)
    found: KeepMethod = "all"
    methods: tuple[KeepMethod, ...] = ("rows", "union")
    for method in methods:
        try:
            logits, _ = _kept_logits(model, method, keep, input_ids=tokens)
        except _UNABLE:
            continue
        if logits.shape == wanted.shape and (logits - wanted).abs().max() <= _SAME * wanted.std():
            found = method
            break
    model.train(training)
    return found


def completion_loss(model: Any, batch: Batch, method: KeepMethod, *, balance: float = 0.0) -> torch.Tensor:
    """The sum of the negative log-likelihoods of a decoder's targets, in float32. `batch` comes from `with_kept`.

    While training, a mixture of experts adds the loss that balances its experts, `balance` times for each target
    (Switch Transformer, section 2.2).
    """
    inputs: dict[str, Any] = {name: value for name, value in batch.items() if name not in ("keep", "targets")}
    balanced = balance > 0 and torch.is_grad_enabled()
    if balanced:
        inputs["output_router_logits"] = True
    logits, experts = _kept_logits(model, method, batch["keep"], **inputs)
    loss = _cross_entropy(logits, batch["targets"])
    if balanced and experts is not None:
        loss = loss + balance * experts * (batch["targets"] != IGNORED).sum()
    return loss


def answer_loss(model: Any, batch: Batch) -> torch.Tensor:
    """The same for an encoder-decoder, whose labels are completions alone."""
    logits = model(**batch, use_cache=False).logits
    return _cross_entropy(logits, batch["labels"])


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return cross_entropy(
        logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def _kept_logits(
    model: Any, method: KeepMethod, keep: torch.Tensor, **inputs: Any
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Logits at the positions `keep` of each row, of shape (rows, positions, vocabulary), and the experts' loss."""
    if method == "rows":
        output = model(**inputs, use_cache=False, logits_to_keep=keep)
        return output.logits, getattr(output, "aux_loss", None)
    if method == "union":
        positions = torch.unique(keep)
        output = model(**inputs, use_cache=False, logits_to_keep=positions)
        columns = torch.searchsorted(positions, keep.contiguous())
    else:
        output, columns = model(**inputs, use_cache=False), keep
    logits = torch.take_along_dim(output.logits, columns[..., None], dim=1)
    return logits, getattr(output, "aux_loss", None)
