"""The metric dictionary: one entry for each figure, taken from its docstring.

Run it to write ``docs/reference/metric-dictionary.md`` anew; a test holds the page to the code.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from salespipeline import metrics

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "metric-dictionary.md"
PARTS = ("Formula", "Denominator", "Window", "Bias", "Elsewhere")
HEAD = """# The metric dictionary

What each figure of [metrics](metrics.md) means.
For each: its formula, who is in the denominator, its window, its bias, and what others mean by it.
The page is written from the docstrings by `tests/metric_dictionary.py`; a test holds it to them.
"""


def figures() -> dict[str, object]:
    """Every public function of `metrics`, by its name."""
    public = {name: getattr(metrics, name) for name in metrics.__all__}
    return {name: each for name, each in public.items() if inspect.isfunction(each)}


def first_sentence(text: str) -> str:
    """The first paragraph of a docstring, as one line."""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


def definition(text: str) -> dict[str, str]:
    """What the block ``Definition:`` of a docstring says, part by part."""
    found = re.search(r"^Definition:\n((?:[ ]+.*\n?|\n(?=[ ]))+)", text, flags=re.MULTILINE)
    said: dict[str, str] = {}
    part = ""
    for line in found[1].splitlines() if found else []:
        words = line.strip()
        name, colon, rest = words.partition(":")
        if colon and name in PARTS:
            part, words = name, rest.strip()
        said[part] = f"{said.get(part, '')} {words}".strip()
    return said


def chapters() -> Iterator[tuple[str, list[str]]]:
    """The modules that have figures, in the order of the alphabet, each with its figures."""
    by_module: dict[str, list[str]] = {}
    for name, figure in figures().items():
        module = str(getattr(figure, "__module__", "")).rpartition(".")[2]
        by_module.setdefault(module, []).append(name)
    for module in sorted(by_module):
        yield module, sorted(by_module[module])


def sentences(text: str) -> str:
    """The same text with one sentence a line."""
    return re.sub(r"(?<=[.!?]) (?=[A-Z`])", "\n  ", text)


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for module, names in chapters():
        parts.append(f"## {module.replace('_', ' ').strip().capitalize()}\n")
        for name in names:
            text = inspect.getdoc(figures()[name]) or ""
            said = definition(text)
            lines = [f"### `{name}`\n", f"{first_sentence(text)}\n"]
            lines += [f"- *{part}*: {sentences(said.get(part, ''))}" for part in PARTS]
            parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    sys.exit(0 if PAGE.write_text(page(), encoding="utf-8") else 1)
