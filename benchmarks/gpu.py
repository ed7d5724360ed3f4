"""Check and time everything worth knowing on a graphics card: python benchmarks/gpu.py [--seconds 520].

Each section writes what it found into the JSON before the next begins, and an error in one stops no other; what no
longer fits into the time is left out, and said so. `--device cpu --small` runs it in a short form anywhere. Needs
torch, numpy, scipy, scikit-image and pydantic; what zarr and pandas are needed for is left out without them.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_copies
import gpu_predict
import gpu_train
import torch
from gpu_setup import Setup, Skip
from report import RESULTS, keep, show

SECTIONS: dict[str, tuple[Callable[[Setup], Any], float]] = {
    "exactness": (gpu_predict.exactness, 30),
    "bare network and roofline": (gpu_predict.variants, 30),
    "seconds per 512 x 512 image": (gpu_predict.latency, 15),
    "out of memory": (gpu_predict.memory_ladder, 30),
    "pinned and overlapped copies": (gpu_copies.copies, 20),
    "training": (gpu_train.training, 40),
    "tile sizes": (gpu_predict.tile_sizes, 40),
    "16384 x 16384 to labels": (gpu_predict.throughput, 60),
}
"""Each section with the seconds that must be left for it; the one that can use all that is left comes last."""
WANTED = ("zarr", "pandas", "imagecodecs", "triton")


def main() -> None:
    """Run all sections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="small images and few rounds, to try the script")
    parser.add_argument("--seconds", type=float, default=520, help="begin no section later than this allows")
    parser.add_argument("--only", default="", help="sections whose names contain this")
    parser.add_argument("--folder", type=Path, default=RESULTS, help="where gpu.json goes")
    options = parser.parse_args()
    logging.getLogger("napari_unetseg").setLevel(logging.ERROR)  # running out of memory is meant to happen here
    device = torch.device(options.device)
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", torch.cuda.current_device())
    setup = Setup(device, options.small, time.monotonic() + options.seconds)
    missing = [name for name in WANTED if importlib.util.find_spec(name) is None]
    print(f"not installed: {', '.join(missing) or 'nothing that is wanted'}")
    rows: list[dict[str, Any]] = []
    found: dict[str, Any] = {}
    for name, (section, needed) in SECTIONS.items():
        if options.only in name:
            began = time.monotonic()
            found[name], outcome = _run(section, setup, needed=needed / (10 if options.small else 1))
            rows.append({"section": name, "seconds": time.monotonic() - began, "outcome": outcome})
            facts = {"device": str(device), "small": options.small, "missing": missing, "sections": found}
            keep("gpu", rows, folder=options.folder, **facts)
    print("\nAll sections")
    show(rows)


def _run(section: Callable[[Setup], Any], setup: Setup, *, needed: float) -> tuple[Any, str]:
    """Return what a section found, or why it found nothing."""
    if setup.left < needed:
        return None, "left out: no time"
    try:
        found = section(setup)
    except Skip as reason:
        return None, f"left out: {reason}"
    except Exception as error:  # noqa: BLE001  (the other sections go on)
        return traceback.format_exc(), f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        if setup.is_cuda:
            torch.cuda.empty_cache()
    print(f"\n{section.__name__}")
    show(found if isinstance(found, list) else [{"what": key, "value": value} for key, value in found.items()])
    return found, "done"


if __name__ == "__main__":
    main()
