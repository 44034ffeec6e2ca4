"""The last checkpoint of a run: weights and optimizer in safetensors, the rest in JSON; no pickle.

A run that continues from it gives the numbers of one that never stopped, because the order of the data and the seed of
each step follow from the step alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict

from flanbuild.artifacts.files import locked, read_json, remove_files, staged, write_json
from flanbuild.errors import ArtifactError, DeclarationError

_OPTIONS = StateDictOptions(full_state_dict=True, cpu_offload=True)
_STATE = "state.json"
_WRITTEN = (_STATE, "model.safetensors", "optimizer.safetensors")


@dataclass(frozen=True)
class Checkpoints:
    """A folder with the last checkpoint of a run. `run` holds all settings that decide its result, as plain JSON."""

    folder: Path
    run: Mapping[str, Any]

    def save(self, accelerator: Accelerator, model: Any, optimizer: Any, state: dict[str, Any]) -> None:
        """Replaces the checkpoint. `state` is plain JSON."""
        weights, moments = get_state_dict(model, optimizer, options=_OPTIONS)
        if accelerator.is_main_process:
            with locked(self.folder), staged(self.folder, _WRITTEN) as folder:
                save_file(_copies(weights), folder / "model.safetensors")
                save_file(_copies(_flat(moments["state"])), folder / "optimizer.safetensors")
                write_json(
                    folder / _STATE, {"run": dict(self.run), "groups": moments["param_groups"], **state}
                )
        accelerator.wait_for_everyone()

    def check(self) -> None:
        """Raises DeclarationError, naming the settings that differ, if the checkpoint is one of another run.

        It is not deleted: only the user knows whether the other run should continue.
        """
        state = self._state()
        if state is None or (run := state["run"]) == self.run:
            return
        changes = (
            _changes(run, self.run) if isinstance(run, dict) else "written by another version of flanbuild"
        )
        raise DeclarationError(
            f"{self.folder}: this checkpoint belongs to a run with other settings ({changes}); repeat the run with"
            " those settings to continue it, or delete the folder to start again."
        )

    def restore(self, model: Any, optimizer: Any) -> dict[str, Any] | None:
        """Loads model and optimizer and returns the state, or None if there is no checkpoint. `check` comes first.

        Raises ArtifactError if its files are damaged.
        """
        state = self._state()
        if state is None:
            return None
        try:
            weights: dict[str, Any] = dict(load_file(self.folder / "model.safetensors"))
            moments = _nested(load_file(self.folder / "optimizer.safetensors"))
        except (OSError, SafetensorError) as error:
            raise ArtifactError(
                f"{self.folder}: this checkpoint is damaged ({' '.join(str(error).split())}); delete the folder to start"
                " again."
            ) from error
        set_state_dict(
            model,
            optimizer,
            model_state_dict=weights,
            optim_state_dict={"state": moments, "param_groups": state["groups"]},
            options=_OPTIONS,
        )
        return state

    def clear(self) -> None:
        """Deletes the checkpoint."""
        remove_files(self.folder, _WRITTEN)

    def _state(self) -> dict[str, Any] | None:
        path = self.folder / _STATE
        state: dict[str, Any] | None = read_json(path) if path.is_file() else None
        return state


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """`seed 0 → 1, steps 12 → 13`; long digests are shortened."""
    return ", ".join(
        f"{name} {_short(old.get(name))} → {_short(new.get(name))}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _short(value: Any) -> str:
    return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else str(value)


def _flat(moments: Any) -> dict[str, Any]:
    """`{"layer.weight": {"exp_avg": …}}` as `{"layer.weight/exp_avg": …}`."""
    return {f"{weight}/{name}": value for weight, values in moments.items() for name, value in values.items()}


def _nested(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    moments: dict[str, Any] = {}
    for name, value in tensors.items():
        weight, _, moment = name.rpartition("/")
        moments.setdefault(weight, {})[moment] = value
    return moments


def _copies(tensors: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Copies of tensors, since safetensors refuses tied weights."""
    return {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
