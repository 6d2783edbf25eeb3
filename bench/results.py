"""What was measured, kept part by part: measuring one anew leaves the others as they were."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One line of the result; without a bar it is only told."""

    what: str
    value: str
    bar: str = ""
    met: bool = True
    detail: str = ""


def machine() -> dict[str, str | int]:
    """What the figures depend on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count() or 0,
        "threads used": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": version("torch"),
        "captum": version("captum"),
    }


def keep(part: str, command: str, how: str, rows: list[Row]) -> None:
    """Put a part's rows into RESULTS.json, and write RESULTS.md anew from all of it."""
    path = HERE / "RESULTS.json"
    parts = json.loads(path.read_text(encoding="utf-8"))["parts"] if path.exists() else {}
    parts[part] = {"command": command, "how": how, "machine": machine(),
                   "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps({"parts": parts}, indent=1, ensure_ascii=False) + "\n",
                    encoding="utf-8")
    text = "\n".join(_markdown(name, kept) for name, kept in parts.items())
    (HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    print("Written: bench/RESULTS.md, bench/RESULTS.json")


def _markdown(part: str, kept: dict[str, Any]) -> str:
    lines = [
        f"# {part}",
        "",
        f"Written by {kept['command']}. {kept['how']}",
        "",
        "| what | measured | bar | | detail |",
        "| --- | ---: | ---: | --- | --- |",
    ]
    for row in (Row(**row) for row in kept["rows"]):
        met = ("met" if row.met else "**missed**") if row.bar else ""
        lines.append(f"| {row.what} | {row.value} | {row.bar} | {met} | {row.detail} |")
    where = ", ".join(f"{name} {value}" for name, value in kept["machine"].items())
    return "\n".join([*lines, "", f"Measured with {where}."]) + "\n"
