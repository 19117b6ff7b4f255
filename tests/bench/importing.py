"""How long ``import salespipeline`` takes beside ``import attrs``, each in a fresh interpreter.

The time of an interpreter that imports nothing is taken off both.
"""

import subprocess
import sys
from collections.abc import Callable

from _table import once, options, row, show


def importing(module: str) -> Callable[[], object]:
    """Run a fresh interpreter that imports one module."""
    command = [sys.executable, "-c", f"import {module}" if module else "pass"]
    return lambda: subprocess.run(command, check=True)  # noqa: S603 - our own interpreter


def main() -> None:
    """Time the three in turn, and print the ratio of the two differences."""
    asked = options(__doc__ or "").parse_args()
    best = dict.fromkeys(("", "attrs", "salespipeline"), float("inf"))
    for _ in range(40):
        for module, so_far in best.items():
            best[module] = min(so_far, once(importing(module)))
    nothing = best[""]
    ours, theirs = best["salespipeline"] - nothing, best["attrs"] - nothing
    show([row("import salespipeline / attrs", ours, theirs, 2.5)], as_json=asked.json)


if __name__ == "__main__":
    main()
