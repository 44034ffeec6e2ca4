"""Runs every consumer of consumers.py in its own environment and checks what it reads.

    python tests/conformance/run.py                    # all; prints the table of docs/conformance.md
    python tests/conformance/run.py axolotl polars     # some environments
    python tests/conformance/run.py --write            # and writes the page, and the short table of README.md

Environments are made by uv in build/conformance/environments, or in the folder that FLANBUILD_CONFORMANCE names, and are
kept until their requirements change. Exit code 1 if a consumer reads something wrong that consumers.py does not know.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import checks  # noqa: E402
import world  # noqa: E402
from consumers import CONSUMERS, CUDA_FILES, ENVIRONMENTS, FOLDER, Consumer  # noqa: E402
from page import Result, write_page, write_readme  # noqa: E402

BUILD = ROOT / "build" / "conformance"
ENVIRONMENTS_FOLDER = Path(os.environ.get("FLANBUILD_CONFORMANCE", BUILD / "environments"))
RESULTS = BUILD / "results"
SHORT = 64
"""Tokens of the second run of a trainer, in which examples are too long."""
SECONDS = 600


def main() -> None:
    """Runs the consumers that were named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("environments", nargs="*", default=list(ENVIRONMENTS), help="default: all")
    parser.add_argument("--write", action="store_true", help="write docs/conformance.md and README.md")
    arguments = parser.parse_args()
    if unknown := set(arguments.environments) - set(ENVIRONMENTS):
        parser.error(f"no environment is named {sorted(unknown)[0]!r}; there are {', '.join(ENVIRONMENTS)}")
    for kind in world.TOKENIZERS:
        world.make_world(BUILD / kind, kind)
    for consumer in CONSUMERS:
        if consumer.environment in arguments.environments:
            result = run(consumer)
            (RESULTS / f"{consumer.name}.json").write_text(result.to_json(), encoding="utf-8")
            print(f"{consumer.name} {result.version}: {'; '.join(result.found)}", flush=True)
    results = {name: Result.from_json((RESULTS / f"{name}.json").read_text()) for name in _finished()}
    if arguments.write:
        write_page(results)
        write_readme(results)
    sys.exit(
        any(_is_news(consumer, results[consumer.name]) for consumer in CONSUMERS if consumer.name in results)
    )


def _is_news(consumer: Consumer, result: Result) -> bool:
    """Whether something is wrong that the table of consumers does not know."""
    text = "; ".join(result.found)
    return not result.right and not (consumer.known and consumer.known in text)


def _finished() -> list[str]:
    return [consumer.name for consumer in CONSUMERS if (RESULTS / f"{consumer.name}.json").is_file()]


def run(consumer: Consumer) -> Result:
    """Installs the consumer if need be, runs its snippet, and compares what it read with the mixture."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    try:
        python = install(consumer.environment)
        if consumer.trains:
            return _check_training(consumer, python)
        read = _read(consumer, python, world.TOKENIZERS[0])
    except subprocess.CalledProcessError as error:
        return Result("", False, (_last_line(error.stderr),))
    return _check_rows(consumer, read)


def install(name: str) -> Path:
    """The interpreter of an environment, which is made anew when its requirements have changed."""
    environment = ENVIRONMENTS[name]
    wanted = json.dumps([environment.requirements, environment.overrides, CUDA_FILES])
    folder = ENVIRONMENTS_FOLDER / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        overrides = ENVIRONMENTS_FOLDER / f"{name}.txt"
        overrides.parent.mkdir(parents=True, exist_ok=True)
        overrides.write_text("\n".join(environment.overrides), encoding="utf-8")
        requirements = [str(ROOT) if line == "flanbuild" else line for line in environment.requirements]
        _call("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        pip = ("uv", "pip", "install", "--quiet", "--python", str(python), "--override", str(overrides))
        _call(*pip, *requirements)
        for pattern in CUDA_FILES:
            for file in folder.glob(f"lib/python*/site-packages/{pattern}"):
                file.unlink()
        ready.touch()
    return python


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _read(consumer: Consumer, python: Path, kind: str, limit: int = 1024) -> dict[str, Any]:
    """What the snippet has read in the folder of one tokenizer, with `limit` in place of 1024 tokens."""
    folder = BUILD / kind
    snippet = folder / f"snippet_{consumer.name}.py"
    code = consumer.snippet.read_text(encoding="utf-8")
    snippet.write_text(code.replace("1024", str(limit)), encoding="utf-8")
    out = folder / f"{consumer.name}-{limit}.json"
    for trained in (folder / "models").iterdir():  # a trainer would go on where the run before has stopped
        if trained != folder / world.MODEL:
            shutil.rmtree(trained)
    command = [str(python), "-P", str(FOLDER / "probe.py"), snippet.name]
    command += [ENVIRONMENTS[consumer.environment].distribution, out.name]
    command += ["train"] if consumer.trains else []
    done = subprocess.run(
        command,
        cwd=folder,
        env=_variables(folder, f"{consumer.name}-{limit}"),
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    out.with_suffix(".log").write_text(done.stdout + done.stderr, encoding="utf-8")
    done.check_returncode()
    return json.loads(out.read_text(encoding="utf-8"))


def _variables(folder: Path, name: str) -> dict[str, str]:
    """Variables of a consumer: no network, no GPU, no reports to others, caches of its own."""
    inherited = {key: os.environ[key] for key in ("HOME", "LANG") if key in os.environ}
    return inherited | {
        "PATH": "/usr/bin:/bin",
        "HF_HOME": str(folder / "cache" / name),
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
        "DO_NOT_TRACK": "1",
        "AXOLOTL_DO_NOT_TRACK": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TRUST_REMOTE_CODE": "0",
    }


def _check_rows(consumer: Consumer, read: dict[str, Any]) -> Result:
    folder = BUILD / world.TOKENIZERS[0]
    held_out = consumer.view == "lm-eval"
    expected = world.evaluation_rows(folder) if held_out else world.mixture_rows(folder)
    faults = checks.row_faults(read["rows"], expected)
    order = "in order" if checks.in_order(read["rows"], expected) else "in another order"
    columns = f"{len(read['rows'][0])} columns compared" if read["rows"] else ""
    found = faults or [f"{len(expected)} of {len(expected)} rows, {order}, {columns}"]
    return Result(read["version"], not faults, tuple(found))


def _check_training(consumer: Consumer, python: Path) -> Result:
    reads = {kind: _read(consumer, python, kind) for kind in world.TOKENIZERS}
    faults = {kind: _training_faults(read, BUILD / kind) for kind, read in reads.items()}
    found = []
    for kind, read in reads.items():
        words = (
            ", ".join(faults[kind]) or f"{len(read['examples'])} of {len(read['examples'])} examples right"
        )
        found.append(f"{kind}: {words}, {_steps(read)}")
    first = reads[world.TOKENIZERS[0]]
    found += _truncation(consumer, python, first["examples"])
    return Result(first["version"], not any(faults.values()), tuple(found))


def _steps(read: dict[str, Any]) -> str:
    losses = " ".join(f"{loss:.1f}" for loss in read["losses"])
    return f"{len(read['losses'])} steps with loss {losses}"


def _training_faults(read: dict[str, Any], folder: Path) -> list[str]:
    expected, tokenizer = world.mixture_rows(folder), world.load_tokenizer(folder)
    faults = checks.label_faults(read["examples"], expected, tokenizer)
    words = [f"{count} × {name}" for name, count in sorted(faults.items())]
    return words + checks.step_faults(read, tokenizer)


def _truncation(consumer: Consumer, python: Path, whole: Sequence[checks.Example]) -> Sequence[str]:
    """What becomes of examples that are too long, with the first tokenizer."""
    if "1024" not in consumer.snippet.read_text(encoding="utf-8") or consumer.view == "olmo-core":
        return ()
    examples = _read(consumer, python, world.TOKENIZERS[0], SHORT)["examples"]
    tokenizer = world.load_tokenizer(BUILD / world.TOKENIZERS[0])
    left_out, shortened = len(whole) - len(examples), checks.others(examples, whole, tokenizer)
    without_end = len(examples) - checks.ends(examples, tokenizer)
    return (
        f"limited to {SHORT} tokens: {left_out} left out, {shortened} shortened, {without_end} lose their end",
    )


def _last_line(text: str) -> str:
    """The last line of an error."""
    return (text.strip().splitlines() or ["no error message"])[-1].replace("|", "/")


if __name__ == "__main__":
    main()
