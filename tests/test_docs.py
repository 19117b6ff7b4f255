"""What is written about the library is true: examples in text, links, and the programs."""

import doctest
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import salespipeline

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def place(path):
    return path.relative_to(ROOT).as_posix()


# Examples in text


def failures(example):
    """What a doctest printed that it should not have; nothing where it holds."""
    said = []
    doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    return "".join(said)


def from_page(path):
    text = path.read_text(encoding="utf-8")
    return doctest.DocTestParser().get_doctest(text, {}, place(path), str(path), 0)


def from_docstrings():
    """The doctests of every module of the package, by the name of what they document."""
    names = ["salespipeline"]
    found = pkgutil.walk_packages(salespipeline.__path__, "salespipeline.")
    names += sorted(module.name for module in found)
    for name in names:
        for example in doctest.DocTestFinder().find(importlib.import_module(name)):
            if example.examples:
                yield example


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_the_examples_of_a_page_hold(path):
    assert failures(from_page(path)) == ""


@pytest.mark.parametrize("example", list(from_docstrings()), ids=lambda example: example.name)
def test_the_example_of_a_docstring_holds(example):
    assert failures(example) == ""


def test_an_example_that_does_not_hold_is_caught(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n\n```\n", encoding="utf-8")
    assert "Expected:\n    3\nGot:\n    2\n" in failures(from_page(page))


def test_the_first_page_and_the_main_docstrings_have_examples():
    assert from_page(ROOT / "README.md").examples
    documented = {example.name for example in from_docstrings()}
    for name in ("contacts.Contact", "deals.Deal", "history.DealHistory", "audit.audit"):
        assert f"salespipeline.{name}" in documented


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_every_example_with_a_prompt_stands_in_a_block_that_ends_after_a_blank_line(path):
    text = path.read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if ">>>" in block:
            assert block.endswith("\n\n"), block


# Links


def links(text):
    """The targets of a page's links that stay in the repository, code left out."""
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(<?([^)\s>]+)>?[^)]*\)", prose)
    return [target for target in targets if not re.match(r"[a-z]+:|#", target)]


@pytest.mark.parametrize("path", PAGES, ids=place)
def test_every_link_of_a_page_leads_to_a_file(path):
    targets = [target.split("#")[0] for target in links(path.read_text(encoding="utf-8"))]
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_links_are_found_outside_code_and_the_web_only():
    text = "[a](b.md#c) `[x](y)` [w](https://w.org) [in](#here) ![i](i.svg)\n```\n[d](e)\n```\n"
    assert links(text) == ["b.md#c", "i.svg"]
    assert len([target for path in PAGES for target in links(path.read_text("utf-8"))]) > 5


# The programs


def program(path, *arguments, cwd):
    """Run a program as a user does, in another folder, warnings being errors."""
    return subprocess.run(  # noqa: S603 - our own interpreter and example
        [sys.executable, "-W", "error", str(path), *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONUTF8": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=5,
        check=False,
    )


def headings(report):
    """The lines of a report that are underlined."""
    return re.findall(r"^(.+)\n-+$", report, flags=re.MULTILINE)


QUICKSTART = EXAMPLES / "quickstart.py"
DEAL_PARTS = [
    "Pipeline by stage",
    "Deals",
    "Pipeline velocity (open deals × win rate × average size ÷ cycle days)",
    "Win rate of closed deals by owner at closing",
]
UNDER_FINDINGS = "Open amount under findings: the three owners with most"


def test_every_example_that_is_a_program_is_run_here():
    examples = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES.rglob("*.py")}
    programs = [name for name, text in examples.items() if "__main__" in text]
    assert sorted(programs) == [
        "approval_gate.py", "audit_hubspot.py", "bant.py", "board_report.py",
        "custom_statuses.py", "make_sample.py",
        "pipeline_review.py", "quickstart.py", "score_leads.py", "sqlite_store.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "approval_gate.py",
            [],
        ),
        (
            "audit_hubspot.py",
            [
                "deals: 3 read, 1 refused",
            ],
        ),
        (
            "bant.py",
            [
                "As of 25 March: nurture: 2 of 3 needed",
                "lead status: bad_timing",
                "- need: the answer has expired",
                "As of 21 May: qualified: 3 of 3 needed",
                "- MEDDPICC economic_buyer: met, from BANT authority",
            ],
        ),
        (
            "board_report.py",
            [
                "won, EUR                        251 k         130 k",
                "Close dates were put off 48 times, 19 times past a quarter.",
                "forecast                 7  35.3%  18.8%           4 of 7          25 k",
                "Origins left out: 2 not over.",
                "  d-216 (Femke): has been in 'proposal' for 95 days, 74 at most (learned)",
            ],
        ),
        (
            "custom_statuses.py",
            [
                "  too_many_statuses: 10 statuses are more than 8",
                "  (Recycled)  only after 5 attempts",
                "on the event: attempt_4 -> recycled, by version 2 of the rules",
            ],
        ),
        (
            "pipeline_review.py",
            [
                "lost             37  -422,948.85",
                "won among closed in the quarter (naive)          31.5% (17 of 54; 20.7% to 44.7%)",
                (
                    "won within 120 days, open deals counted as open  "
                    "28.0% (21.8% to 35.2%; 21 of 191 at risk then)"
                ),
                "open and due in it: 1.70 times the quota of 150,000.00 EUR that is still to win",
            ],
        ),
        (
            "score_leads.py",
            [
                "- 'lost reason' alone ranks nearly all outcomes (AUC 1.00): is it known before?",
                "552 of 1,200 records came out (300 unlabelled)",
                "   -11  unknown  (154 of 424)",
                " +19  source: referral",
            ],
        ),
        (
            "sqlite_store.py",
            [
                "ada saves version 4: lost, because budget was cut",
                "the 5 events, replayed, give the stored snapshot: True",
            ],
        ),
    ],
)
def test_an_example_says_what_it_shows(name, told, tmp_path):
    done = program(EXAMPLES / name, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line for line in told if line not in lines] == []
    assert max(map(len, lines)) <= 100
    assert list(tmp_path.iterdir()) == []


def amounts(lines):
    """The last cell of each line, as a number."""
    return [float(line.split()[-1].replace(",", "")) for line in lines]


def test_the_review_of_a_quarter_adds_up(tmp_path):
    report = program(EXAMPLES / "pipeline_review.py", cwd=tmp_path).stdout
    bridge = re.search(r"^start .*?^end .*?$", report, flags=re.MULTILINE | re.DOTALL)[0]
    start, *changes, end = amounts(bridge.splitlines())
    assert round(start + sum(changes), 2) == end
    before, after = re.search(r"velocity a day: (\S+) EUR .*?, (\S+) EUR in", report).groups()
    parts = re.search(r"^input .*?\n(.*?)\n\n", report, flags=re.MULTILINE | re.DOTALL)[1]
    change = amounts([before, after])
    by_input = amounts(line.removesuffix(" EUR") for line in parts.splitlines())
    assert round(sum(by_input), 2) == round(change[1] - change[0], 2)


@pytest.mark.parametrize(
    ("quarter", "says"),
    [
        ("2025-1", "0 deals open, 0 won and 0 lost so far, as known at its end"),
        (
            "2025-2",
            "open and due in it: 0.63 times the quota of 150,000.00 EUR that is still to win",
        ),
    ],
)
def test_a_quarter_with_little_in_it_is_reviewed_all_the_same(quarter, says, tmp_path):
    done = program(EXAMPLES / "pipeline_review.py", "--quarter", quarter, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, says)


@pytest.mark.parametrize("quarter", ["2030-1", "x", "2026-9"])
def test_a_quarter_that_is_none_is_refused(quarter, tmp_path):
    done = program(EXAMPLES / "pipeline_review.py", "--quarter", quarter, cwd=tmp_path)
    assert done.returncode == 2
    assert "argument --quarter" in done.stderr


@pytest.fixture(scope="module")
def sample_report(tmp_path_factory):
    done = program(QUICKSTART, cwd=tmp_path_factory.mktemp("elsewhere"))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_quickstart_has_every_part_in_order(sample_report):
    assert headings(sample_report) == ["Audit", *DEAL_PARTS, "Contacts", UNDER_FINDINGS]
    assert sample_report.startswith("As of 2026-07-01 00:00 UTC\n")


def test_the_quickstart_has_no_line_over_a_hundred_columns(sample_report):
    assert max(map(len, sample_report.splitlines())) <= 100


def test_the_quickstart_finds_the_dirt_that_the_sample_was_given(sample_report):
    row = r"^([a-z_]+) +(?:error|warning|harmless) +(\d+)"
    found = dict(re.findall(row, sample_report, flags=re.MULTILINE))
    assert found["backward_lifecycle"] == "4"
    assert found["unknown_stage"] == "4"
    assert found["closed_before_opened"] == "1"
    assert found["won_without_amount"] == "1"
    assert int(found["open_without_owner"]) > 0
    assert int(found["instant_backward"]) > 0
    assert int(found["status_before_sql"]) > 0
    assert "row refused" in sample_report
    assert "cell left out" in sample_report


def test_the_quickstart_shows_counts_and_intervals_beside_rates(sample_report):
    rate = r"\d+\.\d% \(\d+ of \d+; \d+\.\d% to \d+\.\d%\)"
    for name in ("win rate of closed deals (naive)", "customers among leads (close ratio)"):
        assert re.search(rf"^{re.escape(name)} +{rate}$", sample_report, flags=re.MULTILINE)
    assert re.search(
        r"^time to close, median, open counted +\d+.* days \(.+ to .+\)$",
        sample_report,
        flags=re.MULTILINE,
    )


def test_the_quickstart_reads_a_file_of_ones_own_by_a_mapping(sample_report, tmp_path):
    for name in ("deals.csv", "deals.toml"):
        shutil.copy(EXAMPLES / "data" / name, tmp_path / f"own-{name}")
    done = program(QUICKSTART, "own-deals.csv", "--mapping", "own-deals.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert headings(done.stdout) == ["Audit", *DEAL_PARTS, UNDER_FINDINGS]
    part = sample_report[sample_report.index("Pipeline by stage") :]
    assert done.stdout[done.stdout.index("Pipeline by stage") :].startswith(part[:2000])


def test_the_quickstart_reads_a_file_of_contacts_too(tmp_path):
    data = EXAMPLES / "data"
    done = program(
        QUICKSTART, data / "contacts.csv", "--mapping", data / "contacts.toml", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert headings(done.stdout) == ["Audit", "Contacts"]


def test_the_quickstart_agrees_with_published_figures(shared_data, tmp_path):
    table = shared_data / "maven_crm" / "sales_pipeline.csv"
    done = program(QUICKSTART, table, "--mapping", EXAMPLES / "maven.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "8,800 rows used, 0 refused; 8,800 histories" in done.stdout
    assert "2,089 open, 4,238 won, 2,473 lost" in done.stdout
    assert "63.2% (4,238 of 6,711; 62.0% to 64.3%)" in done.stdout
    assert "48.2% (4,238 of 8,800; 47.1% to 49.2%)" in done.stdout
    assert re.search(r"^average deal size +2,360\.91 USD$", done.stdout, flags=re.MULTILINE)
    assert re.search(r"^Won +won +4,238 +10,005,534\.00 USD", done.stdout, flags=re.MULTILINE)
    assert max(map(len, done.stdout.splitlines())) <= 100


MAPPING = """\
record = "deal"
shape = "records"
zone = "UTC"
[columns]
id = "id"
opened = "opened"
stage = "stage"
"""
TABLE = "id,opened,stage\n1,2026-01-01,contact\n"
FAULTS = {
    "no such table": ({"mapping.toml": MAPPING}, "table.csv"),
    "no such mapping": ({"table.csv": TABLE}, "mapping.toml"),
    "a folder for a table": ({"table.csv/x": "", "mapping.toml": MAPPING}, "table.csv"),
    "a mapping that is no TOML": ({"table.csv": TABLE, "mapping.toml": "record = ="}, "line 1"),
    "an empty mapping": ({"table.csv": TABLE, "mapping.toml": ""}, "mapping: "),
    "a mapping of a number": ({"table.csv": TABLE, "mapping.toml": "record = 5"}, "record"),
    "a column that is not there": (
        {"table.csv": "id,opened\n1,2026-01-01\n", "mapping.toml": MAPPING},
        "'stage'",
    ),
    "a strange date of export": (
        {"table.csv": TABLE, "mapping.toml": f'exported = "soon"\n{MAPPING}'},
        "exported",
    ),
    "a table that is no text": ({"table.csv": b"\xff\xfe\x00\x01", "mapping.toml": MAPPING}, ""),
    "a mapping that is no text": ({"table.csv": TABLE, "mapping.toml": b"\xff\xfe"}, ""),
}


@pytest.mark.parametrize(("files", "names"), FAULTS.values(), ids=list(FAULTS))
def test_the_quickstart_says_in_one_line_what_it_cannot_read(files, names, tmp_path):
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = program(QUICKSTART, "table.csv", "--mapping", "mapping.toml", cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert names in done.stderr
    assert done.stdout == ""


def test_the_quickstart_refuses_a_file_without_a_mapping(tmp_path):
    done = program(QUICKSTART, "table.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "give FILE and --mapping together" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_mapping_of_these_tests_reads_a_sound_table(tmp_path):
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "mapping.toml").write_text(MAPPING, encoding="utf-8")
    done = program(QUICKSTART, "table.csv", "--mapping", "mapping.toml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 rows used, 0 refused" in done.stdout


def test_the_sample_can_be_made_again_byte_for_byte(tmp_path):
    shutil.copy(EXAMPLES / "make_sample.py", tmp_path)
    done = program(tmp_path / "make_sample.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    made = {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()}
    assert sorted(made) == ["contacts.csv", "deals.csv"]
    for name, content in made.items():
        assert content == (EXAMPLES / "data" / name).read_bytes()


# The first page


def test_the_first_page_begins_with_the_two_commands_that_everything_rests_on():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:console|sh)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    report, tests = (block.strip().split(" && ") for block in blocks[:2])
    fresh = "python3 -m venv .venv"
    assert report == [fresh, ".venv/bin/pip install .", ".venv/bin/python examples/quickstart.py"]
    assert tests == [fresh, '.venv/bin/pip install ".[test]"', ".venv/bin/python -m pytest"]
