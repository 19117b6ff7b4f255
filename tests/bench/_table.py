"""Time two ways of doing one thing in turn, and print or write what came out."""

import argparse
import gc
import json
import time
from collections.abc import Callable, Iterable

Timed = Callable[[], object]
Clock = Callable[[], float]


def race(
    ours: Timed, theirs: Timed, *, rounds: int, clock: Clock = time.perf_counter
) -> tuple[float, float]:
    """The best time of each in seconds, taken in turn so that both meet the same machine."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for place, work in enumerate((ours, theirs)):
            best[place] = min(best[place], once(work, clock))
    return best[0], best[1]


def once(work: Timed, clock: Clock = time.perf_counter) -> float:
    """The seconds that one run takes, with the garbage collector on as a user has it."""
    gc.collect()
    start = clock()
    work()
    return clock() - start


def row(name: str, ours: float, theirs: float | None, limit: float | None) -> dict[str, object]:
    """One line of a table."""
    ratio = None if theirs is None else ours / theirs
    return {"name": name, "ours": ours, "theirs": theirs, "ratio": ratio, "limit": limit}


def show(rows: Iterable[dict[str, object]], *, as_json: bool) -> None:
    """Print the rows as a table for people, or as JSON."""
    listed = list(rows)
    if as_json:
        print(json.dumps(listed, indent=2))
        return
    print(f"{'':<34}{'ours (s)':>10}{'theirs (s)':>12}{'ratio':>8}{'limit':>8}")
    for each in listed:
        cells = [f"{each['name']:<34}", f"{each['ours']:>10.4f}"]
        for key, width, digits in (("theirs", 12, 4), ("ratio", 8, 2), ("limit", 8, 2)):
            value = each[key]
            cells.append(f"{'–' if value is None else format(value, f'.{digits}f'):>{width}}")
        print("".join(cells))


def options(about: str) -> argparse.ArgumentParser:
    """The command line that every benchmark understands."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", action="store_true", help="write a list of objects instead")
    return parser
