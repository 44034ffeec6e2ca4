"""Ranking options: one padded row per (prompt, option) against trees, which compute each prompt once.

    python benchmarks/evaluate.py --size tiny

Prompts have the lengths of a FLAN mixture, and each has four options. Every variant scores the same requests; the table
shows the largest difference of a log-likelihood from that of one forward pass per option.
"""

import argparse
from statistics import median

import common
import models
import numpy as np
import torch

OPTIONS = 4
VARIANTS = ("pairs, padded", "trees")
CHECKED = 6
"""Requests that are also computed option by option."""


def main() -> None:
    """Measures both in turn and prints a table."""
    arguments = _arguments()
    if arguments.run:
        _run(arguments)
        return
    settings = [f"--{name}={getattr(arguments, name)}" for name in ("size", "requests", "threads")]
    commands = {
        name: common.script("benchmarks/evaluate.py", *settings, f"--run={name}") for name in VARIANTS
    }
    runs = common.interleave(commands, arguments.rounds)
    pairs = median(run.result["requests"] for run in runs[VARIANTS[0]])
    rows = []
    for name, own in runs.items():
        speed, off = (median(run.result[key] for run in own) for key in ("requests", "off"))
        memory = median(run.result.get("gpu_gb", run.anonymous / 1000) for run in own)
        rows.append((name, f"{speed:,.2f}", f"{speed / pairs:.2f}", f"{off:.1e}", f"{memory:.2f}"))
    models.table(
        f"Ranking four options, size {arguments.size}",
        ("variant", "requests/s", "ratio", "largest difference, nats", "peak GB"),
        rows,
    )


def _run(arguments: argparse.Namespace) -> None:
    from flanbuild.evaluation.config import EvaluateConfig
    from flanbuild.evaluation.models import EvalModel
    from flanbuild.evaluation.ranking import (
        loglikelihood_pairs,
        loglikelihood_single,
        loglikelihood_trees,
        loglikelihoods,
    )
    from flanbuild.evaluation.requests import Request

    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    network = models.llama(arguments.size).to(device, dtype).eval()
    model = EvalModel(network, _Codec(), EvaluateConfig())  # type: ignore[arg-type]
    prompts, _ = models.lengths(arguments.requests, 1024)
    draw = np.random.default_rng(2)

    def tokens(count: int) -> list[int]:
        return draw.integers(10, models.VOCABULARY[arguments.size], count).tolist()

    requests = [Request(tokens(size), [tokens(3) for _ in range(OPTIONS)]) for size in prompts]
    method = {"pairs, padded": loglikelihood_pairs, "trees": loglikelihood_trees}[arguments.run]
    loglikelihoods(model, requests[:4], method, lambda *_: None, task="warm-up")
    began = models.clock(device)
    scores = loglikelihoods(model, requests, method, lambda *_: None, task="benchmark")
    seconds = models.clock(device) - began
    alone = loglikelihood_single(model, requests[:CHECKED])
    off = max(
        abs(a - b)
        for left, right in zip(scores, alone, strict=False)
        for a, b in zip(left, right, strict=True)
    )
    models.report(requests=len(requests) / seconds, off=off)


class _Codec:
    """What ranking asks of a codec: tokens are drawn, so there is no text."""

    pad = 0
    encoder_decoder = False


def _arguments() -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--size", choices=models.SIZES, default="tiny")
    parser.add_argument("--requests", type=int, default=48, help="prompts with four options each")
    parser.add_argument("--threads", type=int, default=common.CORES)
    parser.add_argument("--run", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
