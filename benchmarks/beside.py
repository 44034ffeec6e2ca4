"""Table of which trainers and readers flanbuild installs beside, as `uv pip compile` resolves them.

    python benchmarks/beside.py              # prints the table of docs/reading.md
    python benchmarks/beside.py --write      # and puts it there

Each consumer is resolved alone first, which gives the version that a user would get. The question is whether exactly
this version resolves together with flanbuild's base, and with its extra `hub`. Nothing is installed. Needs uv and a
package index.
"""

import argparse
import re
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reading.md"
START, END = "<!-- benchmarks/beside.py writes this table -->", "<!-- end of the table -->"
CONSUMERS = (
    "ai2-olmo-core",
    "axolotl",
    "datasets",
    "levanter",
    "litdata",
    "llamafactory",
    "lm-eval",
    "mosaicml-streaming",
    "oumi",
    "ray",
    "torchtune",
    "trl",
)
HEADER = "| consumer | version | with the base | with `[hub]` |\n|---|---|---|---|"


def main() -> None:
    """Prints the table, and writes it into docs/reading.md with --write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("consumers", nargs="*", default=CONSUMERS, help="packages; default: all of the table")
    parser.add_argument("--python", default="3.11", help="version of Python")
    parser.add_argument("--write", action="store_true", help="replace the table in docs/reading.md")
    arguments = parser.parse_args()
    with ThreadPoolExecutor(2) as threads:
        rows = list(threads.map(lambda name: _row(name, arguments.python), arguments.consumers))
    table = "\n".join([HEADER, *rows])
    print(table)
    if arguments.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(START)
        after = rest.split(END)[1]
        PAGE.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


def _row(name: str, python: str) -> str:
    alone = _resolve([name], python)
    found = re.search(rf"^{re.escape(name)}==(\S+)$", alone.stdout, re.MULTILINE)
    if not found:
        return f"| {name} | | does not resolve alone: {reason(name, alone.stderr)} | |"
    pinned = f"{name}=={found[1]}"
    cells = [
        _cell(name, _resolve([pinned, "pyproject.toml", *extra], python))
        for extra in ((), ("--extra", "hub"))
    ]
    return f"| {name} | {found[1]} | {cells[0]} | {cells[1]} |"


def _resolve(wanted: Sequence[str], python: str) -> subprocess.CompletedProcess[str]:
    """Resolves a package, and what else is named: files and options of `uv pip compile`."""
    package, *rest = wanted
    command = ["uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", python]
    return subprocess.run(
        [*command, "-", *rest], input=package, capture_output=True, text=True, check=False, cwd=ROOT
    )


def _cell(name: str, resolved: subprocess.CompletedProcess[str]) -> str:
    return "resolves" if resolved.returncode == 0 else f"no: {reason(name, resolved.stderr)}"


def reason(name: str, explanation: str) -> str:
    """The two requirements that exclude each other; uv's whole explanation if it has another form."""
    words = " ".join(re.sub(r"[×╰─▶│→]", " ", explanation).split())
    theirs = re.search(rf"\b{re.escape(name)}\S* depends on (\S+?),? (?:and flanbuild|we can|and)", words)
    ours = re.findall(r"flanbuild\S* depends on (?:\S+ and )?(\S+), we can", words)
    if not theirs or not ours:
        return words.replace("|", "/")
    return f"it needs `{theirs[1]}`, flanbuild needs `{ours[-1]}`"


if __name__ == "__main__":
    main()
