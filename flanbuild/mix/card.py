"""The dataset card of a mixture folder."""

from collections.abc import Mapping
from typing import Any


def card(record: Mapping[str, Any]) -> str:
    """README.md: a dataset card whose `configs` make `load_dataset(folder)` find the splits."""
    splits = [split for split, files in record["shards"].items() if any(file["rows"] for file in files)]
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: {split}-*.arrow"]
    holdout = ", ".join(record["holdout"]) or "nothing"
    lines += ["---", "", f"# {record['mixture']['name']}, {holdout} held out", ""]
    lines += [
        f"{record['rows']['train']:,} training and {record['rows']['validation']:,} validation examples.",
        "",
    ]
    lines += [
        "`prompt` + `completion` is the training text. What is in here, and what is not and why, row by row:",
        "",
    ]
    lines += [
        "| task | cluster | license | rows | given | repeats | out because |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    for name, task in record["tasks"].items():
        cells = (
            name,
            task["cluster"],
            task["license"],
            f"{task['rows']:,}",
            f"{task['given']:,}",
            task["repeats"],
            task["out"],
        )
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    lines += ["", "| license | tasks | given |", "|---|---|--:|"]
    for license, said in record["licenses"].items():
        lines.append(f"| {license.replace('|', '/')} | {', '.join(said['tasks'])} | {said['given']:,} |")
    return "\n".join([*lines, ""])
