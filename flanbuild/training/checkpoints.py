"""Where a run stands: weights and optimizer in safetensors, the rest in JSON; no pickle.

A run that goes on from here gives the numbers of one that never stopped, for the order of the data and the
seed of each step follow from the step alone.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from flanbuild.shards import read_json, staged, write_json

_OPTIONS = StateDictOptions(full_state_dict=True, cpu_offload=True, flatten_optimizer_state_dict=True)


@dataclass(frozen=True)
class Checkpoints:
    """A folder that holds the last checkpoint of the run named `run`, and none of any other."""

    folder: Path
    run: str

    def save(self, accelerator: Accelerator, model: Any, optimizer: Any, state: dict[str, Any]) -> None:
        """Replaces the checkpoint. `state` is plain JSON."""
        weights, moments = get_state_dict(model, optimizer, options=_OPTIONS)
        if accelerator.is_main_process:
            tensors = {name: value for name, value in moments.items() if isinstance(value, torch.Tensor)}
            settings = {name: value for name, value in moments.items() if name not in tensors}
            with staged(self.folder) as folder:
                save_file(_apart(weights), folder / "model.safetensors")
                save_file(_apart(tensors), folder / "optimizer.safetensors")
                write_json(folder / "state.json", {"run": self.run, "optimizer": settings, **state})
        accelerator.wait_for_everyone()

    def restore(self, model: Any, optimizer: Any) -> dict[str, Any] | None:
        """Puts model and optimizer back and gives the state, or None when there is nothing of this run."""
        if not (self.folder / "state.json").is_file():
            return None
        state: dict[str, Any] = read_json(self.folder / "state.json")
        if state["run"] != self.run:
            return None
        set_state_dict(
            model,
            optimizer,
            model_state_dict=load_file(self.folder / "model.safetensors"),
            optim_state_dict={**state["optimizer"], **load_file(self.folder / "optimizer.safetensors")},
            options=_OPTIONS,
        )
        return state

    def clear(self) -> None:
        """Takes the checkpoint away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _apart(tensors: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Copies, since safetensors refuses tied weights."""
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
