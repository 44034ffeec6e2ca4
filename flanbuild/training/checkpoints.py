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

from flanbuild.artifacts.files import read_json, staged, write_json

_OPTIONS = StateDictOptions(full_state_dict=True, cpu_offload=True)


@dataclass(frozen=True)
class Checkpoints:
    """A folder that holds the last checkpoint of the run named `run`, and none of any other."""

    folder: Path
    run: str

    def save(self, accelerator: Accelerator, model: Any, optimizer: Any, state: dict[str, Any]) -> None:
        """Replaces the checkpoint. `state` is plain JSON."""
        weights, moments = get_state_dict(model, optimizer, options=_OPTIONS)
        if accelerator.is_main_process:
            with staged(self.folder) as folder:
                save_file(_apart(weights), folder / "model.safetensors")
                save_file(_apart(_flat(moments["state"])), folder / "optimizer.safetensors")
                write_json(
                    folder / "state.json", {"run": self.run, "groups": moments["param_groups"], **state}
                )
        accelerator.wait_for_everyone()

    def restore(self, model: Any, optimizer: Any) -> dict[str, Any] | None:
        """Puts model and optimizer back and gives the state, or None when there is nothing of this run."""
        if not (self.folder / "state.json").is_file():
            return None
        state: dict[str, Any] = read_json(self.folder / "state.json")
        if state["run"] != self.run:
            return None
        weights: dict[str, Any] = dict(load_file(self.folder / "model.safetensors"))
        moments = _nested(load_file(self.folder / "optimizer.safetensors"))
        set_state_dict(
            model,
            optimizer,
            model_state_dict=weights,
            optim_state_dict={"state": moments, "param_groups": state["groups"]},
            options=_OPTIONS,
        )
        return state

    def clear(self) -> None:
        """Takes the checkpoint away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _flat(moments: Any) -> dict[str, Any]:
    """`{"layer.weight": {"exp_avg": …}}` as `{"layer.weight/exp_avg": …}`."""
    return {f"{weight}/{name}": value for weight, values in moments.items() for name, value in values.items()}


def _nested(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    moments: dict[str, Any] = {}
    for name, value in tensors.items():
        weight, _, moment = name.rpartition("/")
        moments.setdefault(weight, {})[moment] = value
    return moments


def _apart(tensors: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Copies, since safetensors refuses tied weights."""
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
