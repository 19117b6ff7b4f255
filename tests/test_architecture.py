"""What the package may be built of: the order of its modules, what they may ask, how long they are.

Modules are read where they are installed, so the same tests hold for a wheel.
"""

import ast
import importlib
import inspect
import io
import itertools
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import salespipeline

PACKAGE = Path(salespipeline.__file__).parent
ROOT = Path(__file__).parent.parent

# Each module imports only from those above it.
LAYOUT = (
    "errors", "_doors", "periods", "money", "attributes", "intervals", "_kinds", "conditions",
    "_verdicts", "_plain", "rules.decisions", "rules.rule", "rules.graph", "rules.drawing",
    "rules.playbooks", "rules.table", "rules.case", "rules.book", "rules.vectors",
    "rules.comparing", "rules.reading", "rules", "lifecycle", "ownership", "_usual", "pipelines",
    "events", "_drafts", "_folds", "_record", "contacts", "deals", "triggers", "_voiding",
    "_merging", "_courses", "history", "journey",
    "qualification.frameworks", "qualification.answers", "qualification.verdicts",
    "qualification.bant", "qualification.profiles", "qualification",
    "scoring.points", "scoring.decay", "scoring.rules", "scoring.tiers", "scoring.sheet",
    "scoring.asking", "scoring.activities", "scoring.ledger", "scoring.counting",
    "scoring.timeline", "scoring.linting", "scoring.review", "scoring.model", "scoring.reading",
    "scoring", "prediction._cells", "prediction._fitting", "prediction.features",
    "prediction._exporting", "prediction._flags", "prediction._rows", "prediction._weighing",
    "prediction.cards", "prediction.learning", "prediction.measuring", "prediction.evaluating",
    "prediction.sampling", "prediction", "cadence", "working", "routing",
    "tallies._counting", "tallies._asking", "tallies._lifetimes", "tallies._visits",
    "tallies._stage_totals",
    "tallies._standings", "tallies._people", "tallies._cycles", "tallies._funnel_stages",
    "tallies._reach", "tallies._paths", "tallies._closings", "tallies._attempts",
    "tallies._responses", "tallies._amounts", "tallies._book", "tallies._flows",
    "tallies._categories", "tallies._due", "tallies._accounts", "tallies", "metrics._showing",
    "metrics._result", "metrics._figure", "metrics.conversion", "metrics.outcomes",
    "metrics.incidence", "metrics.durations", "metrics.value", "metrics._drawing",
    "metrics._spread", "metrics._tracks", "metrics._baselines", "metrics._semi_markov",
    "metrics._learned", "metrics._forecasting", "metrics._origin", "metrics.ageing",
    "metrics.attainment", "metrics.attempts", "metrics.book_value", "metrics.bridge",
    "metrics.categories", "metrics.chain", "metrics.cohorts", "metrics.concessions",
    "metrics.coverage", "metrics.customers", "metrics.forecast", "metrics.funnels",
    "metrics.loyalty", "metrics.moves", "metrics.open_chance", "metrics.backtest",
    "metrics.profiles", "metrics.reasons", "metrics.response", "metrics.retention",
    "metrics.silence", "metrics.sizes", "metrics.sizing", "metrics.slippage",
    "metrics.stage_time", "metrics.stalled", "metrics.review", "metrics.strength",
    "metrics.summary", "metrics.velocity", "metrics.attribution", "metrics.winnable", "metrics",
    "conformance",
    "audit._checks", "audit._limits", "audit._judged", "audit._body", "audit._order",
    "audit._lifecycle", "audit._deals", "audit._links", "audit._details", "audit._catalogue",
    "audit._groups", "audit._html", "audit._report", "audit",
    "interchange._documents", "interchange._rulebooks", "interchange._schemas",
    "interchange._models",
    "interchange._values", "interchange._shapes", "interchange._leaves", "interchange._parts",
    "interchange._records", "interchange._forms", "interchange._record_schemas",
    "interchange._lines", "interchange._converters", "interchange._vectors", "interchange",
    "connectors._cells", "connectors._items", "connectors._systems", "connectors._logs",
    "connectors.table._declared", "connectors.table._mapping", "connectors.table._rows",
    "connectors.table._records", "connectors.table._stays", "connectors.table._changes",
    "connectors.table",
    "connectors.salesforce._rows", "connectors.salesforce._gathered",
    "connectors.salesforce._stages", "connectors.salesforce._opportunities",
    "connectors.salesforce._deals", "connectors.salesforce._leads", "connectors.salesforce._writes",
    "connectors.salesforce",
    "connectors.hubspot._values", "connectors.hubspot._pipelines", "connectors.hubspot._objects",
    "connectors.hubspot._writers", "connectors.hubspot._deals", "connectors.hubspot._contacts",
    "connectors.hubspot._tables", "connectors.hubspot._outward", "connectors.hubspot",
    "connectors._members", "connectors._frames", "connectors._standing",
    "connectors.pipedrive._log", "connectors.pipedrive._deals", "connectors.pipedrive._persons",
    "connectors.pipedrive._stages", "connectors.pipedrive", "connectors.activecampaign._rows",
    "connectors.activecampaign._deals", "connectors.activecampaign._contacts",
    "connectors.activecampaign", "connectors",
)  # fmt: skip
PATHS = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
OURS = "salespipeline"
THEIRS = {"attrs", "cattrs", "dateutil"}

# What a domain library has no business with, beside the clock and the making of ids.
OUTSIDE = {
    "asyncio", "atexit", "ctypes", "ftplib", "getpass", "glob", "http", "io", "locale", "logging",
    "multiprocessing", "os", "pathlib", "platform", "requests", "secrets", "select", "shelve",
    "shutil", "signal", "smtplib", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib", "warnings",
}  # fmt: skip
CLOCKS = {"now", "utcnow", "today"}
BUILT_IN = {"print", "open", "input", "eval", "exec", "compile", "breakpoint", "__import__"}


@pytest.fixture(scope="module", params=PATHS, ids=str)
def module(request):
    return request.param


def source(name):
    return PATHS[name].read_text(encoding="utf-8")


def imported(tree):
    """Each module that code imports, with the names taken from it, lazy imports included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), [alias.name for alias in node.names]


# The order of the layout


def out_of_order(name, code, layout=LAYOUT):
    """The imports of our own by which a module reaches for one that is not above it."""
    above = {f"{OURS}.{each}" for each in layout[: layout.index(name)]}
    found = [taken for taken, _ in imported(ast.parse(code)) if taken.split(".")[0] in ("", OURS)]
    return [taken for taken in found if taken not in above]


def test_the_layout_names_every_module():
    assert sorted(LAYOUT) == sorted(set(PATHS) - {"__init__"})


def test_a_module_imports_only_from_those_above_it(module):
    if module != "__init__":  # the top level gathers them
        assert out_of_order(module, source(module)) == []


@pytest.mark.parametrize(
    "code",
    [
        "from salespipeline.history import DealHistory",
        "import salespipeline.money",
        "def late():\n    from salespipeline.metrics import Rate",
        "from salespipeline import audit",
        "from . import errors",
    ],
)
def test_an_import_out_of_order_is_caught(code):
    assert len(out_of_order("money", code)) == 1
    assert out_of_order("money", "from salespipeline.periods import utc") == []


def test_the_top_level_imports_metrics_audit_and_connectors_for_type_checkers_only():
    body = [node for node in ast.parse(source("__init__")).body if not isinstance(node, ast.If)]
    first = {taken for taken, _ in imported(ast.Module(body, []))}
    late = {f"{OURS}.{name}" for name in LAYOUT[LAYOUT.index("tallies") :]}
    assert first & {*late, OURS} == set()


# What the library may ask of the world


def strange_imports(code):
    """Imports of what is neither ours, nor a dependency, nor a harmless part of the standard."""
    known = ({OURS} | THEIRS | sys.stdlib_module_names) - OUTSIDE
    for name, names in imported(ast.parse(code)):
        top = name.split(".")[0]
        if top not in known:
            yield name
        if (top == "uuid" and names != ["UUID"]) or (top == "random" and names != ["Random"]):
            yield f"{name} {names}"


def strange_uses(code):
    """Uses of what asks the clock, makes something up by chance, or writes and reads outside."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            yield ast.unparse(node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in BUILT_IN:
            yield node.id
        if isinstance(node, ast.Call) and ast.unparse(node) == "Random()":
            yield "Random()"


def test_only_attrs_cattrs_dateutil_and_the_standard_library_are_imported(module):
    assert list(strange_imports(source(module))) == []


def test_no_clock_is_asked_and_nothing_is_printed_opened_or_made_up(module):
    compiling = ["exec"] if module == "_verdicts" else []  # its source is our own words only
    assert list(strange_uses(source(module))) == compiling


def test_dateutil_is_imported_in_periods_only(module):
    names = [name for name, _ in imported(ast.parse(source(module)))]
    assert any(name.startswith("dateutil") for name in names) == (module == "periods")


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from time import monotonic",
        "def late():\n    import logging",
        "from urllib.request import urlopen",
        "import uuid",
        "from uuid import uuid4",
        "import secrets",
        "import random",
        "from random import choice",
        "import pandas",
        "import os.path",
    ],
)
def test_an_import_of_clock_chance_or_world_is_caught(code):
    assert len(list(strange_imports(code))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "x = date.today()",
        "print(1)",
        "open('x')",
        "exec('x')",
        "rng = Random()",
        "clock = datetime.now",
        "say = print",
    ],
)
def test_a_use_of_clock_chance_or_world_is_caught(code):
    assert len(list(strange_uses(code))) == 1


@pytest.mark.parametrize(
    "code",
    ["from uuid import UUID", "from random import Random", "from datetime import time, datetime"],
)
def test_types_of_ids_times_and_seeded_numbers_may_be_imported(code):
    assert list(strange_imports(code)) == []
    assert list(strange_uses("rng = Random(7)\nat = datetime(2026, 1, 1)")) == []


# How long things are


def docstring_lines(tree):
    """The numbers of the lines of every docstring, those after an attribute included."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield from range(node.lineno, node.end_lineno + 1)


def code_lines(code):
    """The numbers of the lines that hold code: no docstring, no comment, no blank."""
    passed_over = {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENDMARKER,
    }  # fmt: skip
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type not in passed_over:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - set(docstring_lines(ast.parse(code)))


def functions(code):
    """Each function with the number of its lines of code, its signature included."""
    lines = code_lines(code)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, len(lines & set(range(node.lineno, node.end_lineno + 1)))


def test_no_module_has_more_than_400_lines_of_code(module):
    assert len(code_lines(source(module))) <= 400


def test_no_function_has_more_than_40_lines_of_code(module):
    assert {name: n for name, n in functions(source(module)) if n > 40} == {}


def test_docstrings_comments_and_blanks_are_no_lines_of_code():
    code = '"""Text\nof two lines."""\n\n# why\nX = (\n    1,  # one\n)\n"""What X is."""\n'
    assert code_lines(code) == {5, 6, 7}
    code += 'def f():\n    """Text\n    of two lines."""\n\n    return X\n'
    assert list(functions(code)) == [("f", 2)]


# The top level


def test_at_most_45_names_stand_at_the_top_level_and_all_exist():
    names = salespipeline.__all__
    assert len(names) <= 45
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(salespipeline, name)] == []


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'salespipeline' has no attribute 'metric'"):
        salespipeline.metric  # noqa: B018 - the access is the test


def in_fresh_interpreter(code):
    """The names of the modules loaded after some code, in an interpreter of its own."""
    asked = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_importing_the_package_imports_no_figures_connectors_or_converters():
    loaded = in_fresh_interpreter("import salespipeline")
    heavy = ("cattrs", f"{OURS}.metrics", f"{OURS}.connectors", f"{OURS}.audit", f"{OURS}.tallies")
    assert f"{OURS}.deals" in loaded
    assert [name for name in sorted(loaded) if name.startswith(heavy)] == []


@pytest.mark.parametrize("name", ["audit", "connectors", "metrics", "tallies"])
def test_a_module_is_imported_when_it_is_first_asked_for(name):
    loaded = in_fresh_interpreter(f"import salespipeline\nsalespipeline.{name}")
    assert f"{OURS}.{name}" in loaded


# What is shipped, and what is written about it


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()


def test_the_version_is_the_same_wherever_it_stands():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    entries = re.findall(r"^## \[?(\d[^\s\]]*)", changes, flags=re.MULTILINE)
    assert version(OURS) == project["version"]
    assert entries[:1] == [project["version"]]


def undocumented(kind, name):
    """What of a class, or a function, that people see has no docstring of its own."""
    if not kind.__doc__:
        yield name
    for each, value in vars(kind).items() if inspect.isclass(kind) else ():
        made = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        shown = inspect.isfunction(made) or isinstance(made, property)
        if shown and not each.startswith("_") and not made.__doc__:
            yield f"{name}.{each}"


@pytest.mark.parametrize("name", [OURS, *(f"{OURS}.{each}" for each in LAYOUT if "_" not in each)])
def test_every_public_class_function_method_and_property_has_a_docstring(name):
    loaded = importlib.import_module(name)
    assert loaded.__doc__
    public = {
        name: value
        for name, value in vars(loaded).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == loaded.__name__
    }
    shown = {n: v for n, v in public.items() if inspect.isclass(v) or inspect.isfunction(v)}
    assert [each for name, value in shown.items() for each in undocumented(value, name)] == []


def test_a_missing_docstring_is_caught():
    class Bare:
        def method(self): ...

        @property
        def fact(self): ...

        @classmethod
        def make(cls): ...

        def _private(self): ...

    assert list(undocumented(Bare, "Bare")) == ["Bare", "Bare.method", "Bare.fact", "Bare.make"]


def described_constants(code):
    """The names that are given a value at the top of a module with a docstring after it."""
    body = ast.parse(code).body
    for node, after in itertools.pairwise(body):
        if isinstance(node, ast.Assign) and list(docstring_lines(ast.Module([after], []))):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def test_every_constant_of_the_top_level_is_described_where_it_is_made():
    constants = {
        name
        for name in salespipeline.__all__
        if name.isupper() and not inspect.ismodule(getattr(salespipeline, name))
    }
    described = {name for each in PATHS for name in described_constants(source(each))}
    assert constants - described == set()
    assert len(constants) > 5
    assert list(described_constants('X = 1\n"""One."""\nY = 2\n')) == ["X"]


def test_nothing_is_left_to_be_done():
    words = re.compile(r"\b(TO" + "DO|FIX" + r"ME|XX" + r"X)\b")
    kinds = {".py", ".md", ".toml", ".csv", ".json"}
    places = [PACKAGE, *(ROOT / name for name in ("docs", "examples", "tests"))]
    files = [path for place in places for path in place.rglob("*") if path.suffix in kinds]
    assert len(files) > 50
    left = [path for path in files if words.search(path.read_text(encoding="utf-8"))]
    assert left == []
    assert words.search("# TO" + "DO later")
