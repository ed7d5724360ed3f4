"""Print a benchmark's rows as a table and keep them as JSON beside it."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Return one line on what this ran on."""
    import torch  # here: processes that only read and write files start sooner without

    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = f"{names[0]}, {len(names)} cores" if names else processor
    capability = torch.backends.cpu.get_cpu_capability()
    formats = {"AMX": "_is_amx_tile_supported", "AVX512-BF16": "_is_avx512_bf16_supported"}
    extra = "".join(f", {name}" for name, check in formats.items() if getattr(torch.cpu, check, bool)())
    cards = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{processor}, {capability}{extra}{cards}, torch {torch.__version__}, {torch.get_num_threads()} threads"


def publish(name: str, rows: list[dict[str, Any]], *, folder: Path = RESULTS, **facts: Any) -> None:
    """Print `rows` as a Markdown table and keep them in `results/NAME.json`."""
    print(f"\n{name}: {machine()}")
    show(rows)
    keep(name, rows, folder=folder, **facts)


def keep(name: str, rows: list[dict[str, Any]], *, folder: Path = RESULTS, **facts: Any) -> None:
    """Write `rows` and what else is told of them to `results/NAME.json`."""
    folder.mkdir(exist_ok=True)
    content = {"machine": machine(), **facts, "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def show(rows: list[dict[str, Any]]) -> None:
    """Print `rows`, each with its own columns, as a Markdown table."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(_text(row.get(column)) for column in columns) + " |", flush=True)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
