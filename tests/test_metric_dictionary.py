"""Every figure is defined, and the metric dictionary says what the code says."""

import inspect

import pytest

from metric_dictionary import PAGE, PARTS, definition, figures, first_sentence, page, sentences

TEXT = """Won deals among closed ones:
the figure that most dashboards show.

Definition:
    Formula: won ÷ (won + lost).
    Denominator: deals closed
        in the period.
    Window: the period: half-open.
    Bias: none known.
    Elsewhere: no vendor known.

Args:
    deals: Histories. Bias: not this one.
"""


@pytest.mark.parametrize("name", figures())
def test_a_figure_says_its_definition_in_all_its_parts(name):
    said = definition(inspect.getdoc(figures()[name]) or "")
    assert [part for part in PARTS if not said.get(part)] == []


def test_the_dictionary_is_what_the_code_says():
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(), "run python tests/metric_dictionary.py"


def test_a_definition_is_read_part_by_part():
    assert first_sentence(TEXT) == (
        "Won deals among closed ones: the figure that most dashboards show."
    )
    assert definition(TEXT) == {
        "Formula": "won ÷ (won + lost).",
        "Denominator": "deals closed in the period.",
        "Window": "the period: half-open.",
        "Bias": "none known.",
        "Elsewhere": "no vendor known.",
    }


def test_a_docstring_without_a_definition_says_nothing():
    assert definition("The number of deals.\n\nArgs:\n    deals: Histories.\n") == {}


def test_a_page_has_one_sentence_a_line():
    assert sentences("One e.g. this. Two `x`. `Three`!") == "One e.g. this.\n  Two `x`.\n  `Three`!"
