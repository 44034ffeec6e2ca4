from dataclasses import fields
from typing import get_args, get_type_hints

import pytest
from conftest import ROOT

from flanbuild.errors import DeclarationError
from flanbuild.evaluation.config import EvaluateConfig, ProtocolName
from flanbuild.evaluation.protocols import PROTOCOLS


def test_docs_list_every_setting_with_its_default_and_its_help():
    hints = get_type_hints(EvaluateConfig, include_extras=True)
    rows = [
        f"| `{field.name}` | {'none' if field.default is None else f'`{field.default}`'} | {get_args(hints[field.name])[1]} |"
        for field in fields(EvaluateConfig)
    ]
    assert "\n".join(rows) in (ROOT / "docs/evaluation.md").read_text()


def test_every_protocol_that_can_be_named_has_rules():
    assert tuple(PROTOCOLS) == get_args(ProtocolName)


def test_an_unknown_protocol_is_named_with_the_nearest():
    with pytest.raises(DeclarationError, match=r"evaluate\.protocol: no 'lmeval'\. Did you mean 'lm-eval'"):
        EvaluateConfig(protocol="lmeval")
