"""Make the README's picture, docs/images/demo.png, with the demo command: python benchmarks/picture.py [MODEL]."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "demo.png"


def main() -> None:
    """Run the demo in a temporary folder and keep its picture."""
    model = sys.argv[1] if len(sys.argv) > 1 else "nuclei"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "napari_unetseg", "demo", "-o", folder, "--model", model]
        subprocess.run(command, check=True)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(folder) / "nuclei.png", TARGET)
    print(TARGET)


if __name__ == "__main__":
    main()
