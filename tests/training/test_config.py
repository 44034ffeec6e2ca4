from dataclasses import fields
from typing import get_args, get_type_hints

from conftest import ROOT

from flanbuild.training.config import TrainConfig


def test_docs_list_every_setting_with_its_default_and_its_help():
    hints = get_type_hints(TrainConfig, include_extras=True)
    rows = [
        f"| `{field.name}` | {'none' if field.default is None else f'`{field.default}`'} | {get_args(hints[field.name])[1]} |"
        for field in fields(TrainConfig)
    ]
    assert "\n".join(rows) in (ROOT / "docs/training.md").read_text()
