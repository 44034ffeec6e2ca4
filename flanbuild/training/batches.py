"""Sequences as tensors, and which sequences a step uses.

`labels` are tokens of completions, and IGNORED everywhere else. Packed examples do not see each other: positions
restart at each, the model is called without attention mask and without cache, and transformers derives a
block-diagonal mask from the positions (with a cache, its default even in training, it would not).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from flanbuild.keys import row_keys, task_key
from flanbuild.model.settings import IGNORED
from flanbuild.training.packing import PackedIndex
from flanbuild.training.tokens import TokenizedExamples

Batch = dict[str, torch.Tensor]
Groups = Sequence[NDArray[np.int64]]
Collate = Callable[[TokenizedExamples, Groups], Batch]


@dataclass
class Batches:
    """Sequences in the order of their keys, epoch after epoch; each epoch has its own order."""

    examples: TokenizedExamples
    sequences: PackedIndex
    collate: Collate
    seed: int
    _orders: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    def groups(self, start: int, stop: int) -> list[NDArray[np.int64]]:
        """The examples of the sequences at positions `start` to `stop` of the endless order."""
        return [self.sequences[self._at(position)] for position in range(start, stop)]

    def targets(self, start: int, stop: int) -> int:
        """Tokens of completions in these sequences, which are what the loss is a mean of."""
        return int(sum(self.examples.kept_completion[group].sum() for group in self.groups(start, stop)))

    def _at(self, position: int) -> int:
        epoch, index = divmod(position, len(self.sequences))
        if epoch not in self._orders:
            keys = row_keys(task_key(self.seed, "sequences", "train"), np.arange(len(self.sequences)), epoch)
            self._orders = {epoch: np.argsort(keys, kind="stable")}
        return int(self._orders[epoch][index])


@dataclass(frozen=True)
class MicroBatches(Dataset[Batch]):
    """One process' share of the sequences from `start` to `stop`, in micro-batches of `size` sequences.

    All processes have equally many, since they must call the model equally often: where no sequence is left for a
    process, it repeats one without labels.
    """

    batches: Batches
    finish: Callable[[Batch], Batch] | None
    """what else to do with a collated micro-batch"""
    start: int
    stop: int
    size: int
    process: int
    processes: int

    def __len__(self) -> int:
        return -(-(self.stop - self.start) // (self.size * self.processes))

    def __getitem__(self, index: int) -> Batch:
        mine = self.start + (index * self.processes + self.process) * self.size
        groups = self.batches.groups(min(mine, self.stop - 1), min(mine + self.size, self.stop))
        batch = self.batches.collate(self.batches.examples, groups)
        if mine >= self.stop:
            batch["labels"].fill_(IGNORED)
        return batch if self.finish is None else self.finish(batch)


def packed(length: int, pad: int) -> Collate:
    """Collates into rows of `length` tokens with several examples each; padding at the end is an example of its own."""

    def collate(examples: TokenizedExamples, groups: Groups) -> Batch:
        tokens, labels, positions = (
            np.full((len(groups), length), fill, np.int64) for fill in (pad, IGNORED, 0)
        )
        for row, group in enumerate(groups):
            end = 0
            for index in group:
                prompt, completion = examples.prompt(index), examples.completion(index)
                start, middle, end = end, end + len(prompt), end + len(prompt) + len(completion)
                tokens[row, start:middle], tokens[row, middle:end] = prompt, completion
                labels[row, middle:end] = completion
                labels[row, start] = IGNORED  # no token of this example precedes its first
                positions[row, start:end] = np.arange(end - start)
            positions[row, end:] = np.arange(length - end)
        return _tensors(input_ids=tokens, labels=labels, position_ids=positions)

    return collate


def padded(pad: int) -> Collate:
    """Collates one example per row, padded on the right to the longest."""

    def collate(examples: TokenizedExamples, groups: Groups) -> Batch:
        pairs = [(examples.prompt(index), examples.completion(index)) for (index,) in groups]
        labels = [np.concatenate([np.full(len(left), IGNORED), right]) for left, right in pairs]
        for row in labels:
            row[0] = IGNORED
        tokens = [np.concatenate(pair) for pair in pairs]
        return _tensors(
            input_ids=_fill(tokens, pad), labels=_fill(labels, IGNORED), attention_mask=_mask(tokens)
        )

    return collate


def paired(pad: int) -> Collate:
    """Collates for an encoder-decoder: prompts as inputs, completions as labels, both padded on the right."""

    def collate(examples: TokenizedExamples, groups: Groups) -> Batch:
        prompts = [examples.prompt(index) for (index,) in groups]
        completions = [examples.completion(index) for (index,) in groups]
        return _tensors(
            input_ids=_fill(prompts, pad), labels=_fill(completions, IGNORED), attention_mask=_mask(prompts)
        )

    return collate


def _fill(rows: Sequence[NDArray[np.integer]], value: int) -> NDArray[np.int64]:
    table = np.full((len(rows), max(map(len, rows))), value, np.int64)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row
    return table


def _mask(rows: Sequence[NDArray[np.integer]]) -> NDArray[np.int64]:
    return _fill([np.ones(len(row), np.int64) for row in rows], 0)


def _tensors(**arrays: NDArray[np.int64]) -> Batch:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
