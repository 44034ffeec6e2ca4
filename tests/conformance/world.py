"""The folder that snippets run in: a mixture of the sample, its exports, and a tiny model with one of two tokenizers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.feather
import toys
from tokenizers import processors
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed

from flanbuild.read import load

ROOT = Path(__file__).parents[2]
MIXTURE = "data/mixtures/flan2021-without-nli"
"""What the snippets name; here it is the small mixture `smoke`."""
MODEL = "models/base"
TOKENIZERS = ("byte-level", "unigram")
HELD_OUT = "nli"
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{% generation %}{{ m['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
)
"""The chat template of docs/reading.md: bare content, one begin token, one end token, loss on the answers."""


def make_world(folder: Path, tokenizer: str) -> None:
    """Writes mixture, evaluation sets, model and exports below `folder`, whatever lay there before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sample = ("--sample-rows", "30", "--data", "data")
    _flanbuild(folder, "mixture", "smoke", "--holdout", "nli", *sample)
    (folder / "data/mixtures/smoke-without-nli").rename(folder / MIXTURE)
    _flanbuild(folder, "evalset", HELD_OUT, *sample, "--max-rows", "5")
    _write_model(folder, tokenizer)
    for view in ("parquet", "jsonl", "messages"):
        _flanbuild(folder, "export", MIXTURE, "--to", view, "--out", f"exports/{view}")
    evaluation = ("--evaluation", "data/evaluation")
    _flanbuild(folder, "export", MIXTURE, "--to", "lm-eval", "--out", "exports/lm-eval", *evaluation)
    tokens = ("--tokenizer", MODEL, "--seq-length", "1024")
    for view in ("tokens", "olmo-core"):
        _flanbuild(folder, "export", MIXTURE, "--to", view, "--out", f"exports/{view}", *tokens)
    _flanbuild(folder, "publish", MIXTURE, "exports/hub", "--date", "2026-11-26")


def mixture_rows(folder: Path, split: str = "train") -> list[dict[str, Any]]:
    """The rows of the mixture in the order of the shards, read and counted by flanbuild."""
    return list(load(folder / MIXTURE, split=split))


def evaluation_rows(folder: Path) -> list[dict[str, Any]]:
    """The test rows of the evaluation sets of the held-out tasks that have options."""
    paths = sorted((folder / "data" / "evaluation" / HELD_OUT).rglob("test.arrow"))
    return [row for path in paths for row in pyarrow.feather.read_table(path).to_pylist()]


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of the model below `folder`."""
    return AutoTokenizer.from_pretrained(folder / MODEL)


def _flanbuild(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "flanbuild", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"flanbuild {' '.join(arguments)} failed:\n{done.stderr}")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "FLANBUILD_JOBS": "1"}


def _write_model(folder: Path, kind: str) -> None:
    texts = toys.texts(folder / MIXTURE)
    tokenizer = _byte_level(texts) if kind == "byte-level" else _unigram(texts)
    tokenizer.chat_template = TEMPLATE
    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=2048,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.save_pretrained(folder / MODEL)
    tokenizer.save_pretrained(folder / MODEL)
    _for_older_transformers(folder / MODEL / "tokenizer_config.json")


def _byte_level(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE that puts a begin token before each text, as Llama 3 does."""
    tokenizer = toys.train_tokenizer(texts, 1000)
    tokenizer.add_special_tokens({"bos_token": "<|begin|>"})
    begin = ("<|begin|>", tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", special_tokens=[begin]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        bos_token="<|begin|>",
        eos_token=tokenizer.eos_token,
        pad_token=tokenizer.pad_token,
    )


def _unigram(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A Unigram model that puts a space and a begin token before each text, as sentencepiece does."""
    tokenizer = toys.sentencepiece("unigram", "first", texts, 1000)
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    return tokenizer


def _for_older_transformers(path: Path) -> None:
    """Names the tokenizer's class as transformers 4 knows it; version 5 reads both names."""
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast"}), encoding="utf-8")
