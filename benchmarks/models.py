"""What the benchmarks of training and evaluation share: models by size, rows of a mixture's lengths, FLOPs, the ceiling."""

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM

SIZES: dict[str, dict[str, int]] = {
    "tiny": {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4},
    "30m": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8, "num_attention_heads": 8},
    "135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
    },
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
    },
}
"""Llama shapes; 135m is that of SmolLM2-135M, 1b that of Llama 3.2 1B."""
VOCABULARY = {"tiny": 49152, "30m": 49152, "135m": 49152, "1b": 128256}
KEY_VALUE_HEADS = {"tiny": 4, "30m": 8, "135m": 3, "1b": 8}


def llama(size: str) -> LlamaForCausalLM:
    """A model with random weights."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            **SIZES[size],
            vocab_size=VOCABULARY[size],
            num_key_value_heads=KEY_VALUE_HEADS[size],
            max_position_embeddings=8192,
            tie_word_embeddings=True,
        )
    )


def lengths(count: int, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of prompts and completions, with the long tail of a FLAN mixture: medians of 80 and 5."""
    numbers = np.random.default_rng(0)
    completions = np.clip(numbers.lognormal(1.6, 1.0, count), 2, longest // 4).astype(np.int64)
    prompts = np.clip(numbers.lognormal(4.4, 0.7, count), 8, longest - completions).astype(np.int64)
    return prompts, completions


def flops_per_token(model: Any, context: float, kept: float) -> float:
    """Floating-point operations that training needs for a token: forward once, backward twice.

    `context` is the mean number of tokens that a token attends to; `kept` is the share of tokens that need logits.
    """
    config = model.config
    head = config.vocab_size * config.hidden_size
    matrices = sum(p.numel() for p in model.parameters() if p.ndim > 1) - head
    attention = 2 * config.num_hidden_layers * config.hidden_size * context
    return 6 * (matrices + kept * head + attention)


def ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a large matrix product, the most that a model could reach."""
    size = 8192 if device.type == "cuda" else 1536
    left = torch.randn(size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        began = clock(device)
        left @ left
        best = min(best, clock(device) - began)
    return 2 * size**3 / best


def clock(device: torch.device) -> float:
    """Seconds: of the clock on a GPU, of the CPU otherwise, which depends less on other load."""
    wait(device)
    return time.perf_counter() if device.type == "cuda" else time.process_time()


def wait(device: torch.device) -> None:
    """Waits until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def report(**values: float) -> None:
    """Prints the result of a variant as the JSON line that `common.measure` reads, with the peak memory of a GPU."""
    if torch.cuda.is_available():
        values["gpu_gb"] = torch.cuda.max_memory_allocated() / 1e9
    print(json.dumps(values))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table on stdout, with what it was measured on."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, per CPU second"
    print(f"\n{title}; {device}; torch {torch.__version__}, transformers {transformers.__version__}\n")
    print(f"| {' | '.join(header)} |\n|---|{'--:|' * (len(header) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
