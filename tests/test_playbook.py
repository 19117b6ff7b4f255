"""The page to agree on, made from a pipeline, a status scheme or the lifecycle."""

import re
from datetime import timedelta

import pytest
from hypothesis import given

from contracts import check_door, check_value
from salespipeline.conditions import any_of, made_by, present
from salespipeline.errors import UnknownKeyError, WrongTypeError
from salespipeline.lifecycle import (
    RECYCLABLE_STATUSES,
    STANDARD_STATUSES,
    LifecycleStage,
    Status,
    StatusScheme,
    lifecycle_playbook,
)
from salespipeline.ownership import OWNED_LIFECYCLE, OWNED_STATUSES
from salespipeline.pipelines import SIX_STAGES, Pipeline, Stage
from salespipeline.rules import Grant, Rule, Rulebook
from salespipeline.rules.playbooks import Sheet, playbook
from strategies import pipelines, rulebooks

SALES = Pipeline(
    "sales",
    [
        Stage("talk", "First talk", meaning="we spoke", next_step="ask what they need"),
        Stage("offer", rot_after=timedelta(days=14), entry="a price was named"),
        Stage("terms", meaning="the wording is discussed"),
    ],
    source="our own way",
).ruled(
    creation=["talk"],
    skips=False,
    backward=False,
    reopening=False,
    required={"talk": ["owner"]},
    approvals={"terms": ["head"]},
    reason_to_lose=True,
    grants=[Grant("manager", ["no skips", "skip"]), Grant("head", ["no skips"])],
)

PAGE = """\
# Sales

Source: our own way

## 1. First talk (`talk`)

- **Meaning:** we spoke
- **Owner:** the first line
- **Entry:** new deals begin here
- **Exit:**
  - to Offer: 'owner' must be present
  - to Lost: 'reason' must be present
- **Next step:** ask what they need

## 2. Offer (`offer`)

- **Meaning:** *not agreed yet*
- **Owner:** *not agreed yet*
- **Entry:** a price was named
  - from First talk: 'owner' must be present
- **Exit:**
  - to Terms: 'head' must approve
  - to Lost: 'reason' must be present
- **Next step:** *not agreed yet*
- **Stuck after:** 14 days

## 3. Terms (`terms`)

- **Meaning:** the wording is discussed
- **Owner:** *not agreed yet*
- **Entry:** from Offer: 'head' must approve
- **Exit:**
  - to Won
  - to Lost: 'reason' must be present
- **Next step:** *not agreed yet*

## 4. Won (`won`)

- **Meaning:** the deal is won
- **Owner:** *not agreed yet*
- **Entry:** from Terms
- **Exit:** to Lost: 'reason' must be present
- **Next step:** *not agreed yet*

## 5. Lost (`lost`)

- **Meaning:** the deal is lost
- **Owner:** *not agreed yet*
- **Entry:** from any other: 'reason' must be present
- **Exit:** nothing leaves it
- **Next step:** *not agreed yet*

## Rules

- **no skips:** no stage may be passed over; may be overridden by manager or head
- **no early win:** no stage may be passed over
- **no moves back:** an open deal does not go back
- **no reopening:** a closed deal stays as it is
- **no win after a loss:** a lost deal stays as it is
- **required to leave talk:** 'owner' must be present
- **approval to enter terms:** 'head' must approve
- **reason to lose:** 'reason' must be present
- **skip:** the order of the states itself says so; may be overridden by manager"""


def sections(page):
    """The lines of each section of a page, by its title."""
    parts = re.split(r"^#+ (?:\d+\. )?(.+)\n", page, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip().splitlines() for part in parts[1::2]), strict=True))


def test_the_page_of_a_pipeline_says_of_each_stage_what_people_agree_on():
    assert SALES.playbook(owners={"talk": "the first line"}) == PAGE


def test_the_page_of_a_pipeline_without_rules_has_no_part_for_them():
    page = Pipeline("sales", [Stage("talk")]).playbook()
    assert "Rules" not in page
    assert "Source" not in page
    assert sections(page)["Talk (`talk`)"][2:] == [
        "- **Entry:**",
        "  - new deals begin here",
        "  - from any other",
        "- **Exit:** to any other",
        "- **Next step:** *not agreed yet*",
    ]


def test_what_a_team_says_of_entering_a_stage_comes_before_what_the_stage_says():
    page = SALES.playbook(entries={"offer": "they asked for a price"})
    assert "- **Entry:** they asked for a price" in page
    assert "a price was named" not in page


def test_owners_and_entries_are_for_stages_that_are_there():
    for option in ("owners", "entries"):
        check_door(
            lambda value, name=option: SALES.playbook(**{name: value}),
            takes=lambda value: isinstance(value, dict) and not value,
        )
        with pytest.raises(
            UnknownKeyError, match=f"unknown state in {option}: 'lunch'; known: 'ta"
        ):
            SALES.playbook(**{option: {"lunch": "ada"}})
        with pytest.raises(WrongTypeError, match=rf"{option}\['talk'\].* must be text"):
            SALES.playbook(**{option: {"talk": 5}})


def test_two_states_of_which_one_is_entered_from_the_other_are_named():
    book = Rulebook.free("pair", ["a", "b"], creation=["a"])
    page = playbook("Pair", "", book.graph(), {}, book.rules)
    assert sections(page)["a"][2:4] == [
        "- **Entry:**", "  - new ones begin here",
    ]  # fmt: skip
    assert "- **Exit:** to b" in page


def test_a_state_that_nothing_leads_to_says_so():
    book = Rulebook.explicit("way", {"a": [], "lost": []}, creation=["a"])
    page = playbook("Way", "", book.graph(), {"a": Sheet("A")}, book.rules)
    assert sections(page)["lost"][2:4] == [
        "- **Entry:** nothing leads here",
        "- **Exit:** nothing leaves it",
    ]


def test_a_move_that_a_rule_forbids_is_not_on_the_page_but_its_rule_is():
    book = Rulebook.free(
        "way", ["a", "b"], rules=[Rule("one way", any_of(), ["b"], ["a"], meaning="we look ahead")]
    )
    page = playbook("Way", "", book.graph(), {}, book.rules)
    assert "to a" not in page
    assert sections(page)["Rules"] == ["- **one way:** it is forbidden; why: we look ahead"]


def test_what_several_ways_ask_alike_is_said_once():
    book = Rulebook.free(
        "way", ["a", "b", "c", "d"],
        rules=[Rule("owned", present("owner"), targets=["d"], message="somebody must own it")],
    )  # fmt: skip
    page = playbook("Way", "", book.graph(), {}, book.rules)
    assert sections(page)["a"][4:7] == [
        "  - from any other", "- **Exit:**", "  - to b or c",
    ]  # fmt: skip
    assert "  - from any other: somebody must own it" in page


def test_signs_that_mean_something_in_markdown_are_shown_as_they_are():
    pipeline = Pipeline(
        "x", [Stage("a", "*Hot*\n# not a title", meaning="<b>|_x_"), Stage("`b`", "B")]
    )
    page = pipeline.playbook(owners={"a": "- a\n- b"})
    assert "## 1. \\*Hot\\* # not a title (`a`)" in page
    assert "- **Meaning:** \\<b\\>\\|\\_x\\_" in page
    assert "- **Owner:** - a - b" in page
    assert "## 2. B (`'b'`)" in page
    assert len(re.findall("^## ", page, flags=re.MULTILINE)) == 4


@given(pipelines())
def test_a_page_has_one_section_for_each_stage_in_order(pipeline):
    page = pipeline.playbook()
    numbers = re.findall(r"^## (\d+)\. ", page, flags=re.MULTILINE)
    assert numbers == [str(n) for n in range(1, len(pipeline.outcomes) + 1)]
    for name in ("Meaning", "Owner", "Entry", "Exit", "Next step"):
        assert page.count(f"- **{name}:**") == len(pipeline.outcomes)


@given(rulebooks())
def test_every_move_is_on_the_page_in_both_directions(book):
    sheets = {state: Sheet(f"s{n}") for n, state in enumerate(book.states)}
    page = sections(playbook("p", "", book.graph(), sheets, book.rules))
    others = len(book.states) - 1
    for number, state in enumerate(book.states):
        key = next(title for title in page if title.startswith(f"s{number} ("))
        text = "\n".join(page[key])
        into, out = text.split("- **Exit:**")
        allowed = [f"s{book.states.index(each)}" for each in book.allowed(state)]
        assert named_states(out, "to", others) in (allowed, ["any other"] if allowed else [])
        entering = [
            f"s{place}" for place, each in enumerate(book.states) if book.permits(each, state)
        ]
        assert named_states(into, "from", others) in (entering, ["any other"] if entering else [])
        assert ("new ones begin here" in into) is book.permits(None, state)


def named_states(text, direction, others):
    """The states that a part names after a direction; all others at once are not spelt out."""
    found = re.search(rf"\b{direction} (any other|s\d+.*)$", text, flags=re.MULTILINE)
    if found is None:
        return []
    if found[1] == "any other":
        assert others > 1
        return ["any other"]
    return re.split(", | or ", found[1])


def test_a_sheet_is_a_value():
    check_value(
        Sheet("A", "here"),
        Sheet("A", meaning="here"),
        Sheet("B", "here"),
        Sheet("A", "here", owner="ada"),
        Sheet("A", "here", entry="now"),
        Sheet("A", "here", next_step="go"),
        Sheet("A", "here", rot_after=timedelta(1)),
    )


# Statuses


def test_the_page_of_a_scheme_says_of_each_status_what_it_means_and_who_works_there():
    page = STANDARD_STATUSES.playbook(entries={"bad_timing": "they name a later quarter"})
    assert page.startswith(
        "# Lead status (standard)\n\n"
        "A contact has a lead status while its lifecycle stage is sales qualified lead.\n\n"
    )
    assert sections(page)["New (`new`)"] == [
        "- **Meaning:** a fresh SQL that nobody has contacted yet",
        "- **Owner:** sales",
        "- **Entry:** the contact has come to such a stage",
        "  - given to a contact without one",
        "  - from any other",
        "- **Exit:** to any other",
        "- **Next step:** make the first attempt",
    ]
    assert sections(page)["Bad timing (`bad_timing`)"][1:3] == [
        "- **Owner:** marketing",
        "- **Entry:** they name a later quarter",
    ]
    assert "not agreed yet" not in page


def test_a_scheme_of_several_stages_names_them_in_order():
    assert "is sales qualified lead or opportunity." in RECYCLABLE_STATUSES.playbook()


def test_the_owned_statuses_say_that_sales_alone_sets_them():
    page = OWNED_STATUSES.playbook()
    assert sections(page)["Rules"] == [
        "- **sales only:** the role must be 'sales'; why: lead status is sales' alone"
    ]
    assert "- **Exit:** to any other: the role must be 'sales'" in page


def test_a_status_with_rules_says_what_they_ask():
    statuses = [Status("fresh", kind="initial"), Status("called")]
    book = Rulebook.free(
        "calls", ["fresh", "called"], rules=[Rule("ours", made_by("sales"), targets=["called"])]
    )
    page = StatusScheme("calls", statuses, rulebook=book).playbook()
    assert "- **Exit:** to Called: the role must be 'sales'" in page


# The lifecycle with its statuses


def test_the_page_of_the_lifecycle_has_every_stage_and_every_status_below_one_title():
    page = lifecycle_playbook(
        entries={LifecycleStage.MQL: "a score of 60", "lead": "a form was filled in"},
        status_entries={"connected": "we spoke"},
    )
    titles = re.findall("^#.+$", page, flags=re.MULTILINE)
    assert titles[:3] == [
        "# Lifecycle stages and lead statuses",
        "## Lifecycle stages",
        "### 1. Subscriber (`subscriber`)",
    ]
    assert titles[9:11] == ["## Lead status (standard)", "### 1. New (`new`)"]
    assert len(titles) == 1 + 1 + 7 + 1 + 6
    assert sections(page)["Marketing qualified lead (`marketing_qualified_lead`)"] == [
        "- **Meaning:** worth evaluation by sales",
        "- **Owner:** marketing",
        "- **Entry:** a score of 60",
        "  - new contacts begin here",
        "  - from Subscriber or Lead",
        "- **Exit:** to Sales qualified lead, Opportunity, Customer or Evangelist",
        "- **Next step:** hand over to sales, who confirm the fit or say why not",
    ]
    assert "- **Entry:** a form was filled in" in page
    assert "- **Entry:** we spoke" in page
    assert "not agreed yet" not in page


def test_the_page_of_the_owned_lifecycle_says_who_moves_whom():
    page = lifecycle_playbook(OWNED_LIFECYCLE, scheme=OWNED_STATUSES)
    lead = sections(page)["Lead (`lead`)"]
    assert lead[lead.index("- **Exit:**") :][1:4] == [
        "  - to Marketing qualified lead: the role must be 'marketing'",
        "  - to Sales qualified lead, Opportunity or Customer: the role must be 'sales'",
        "  - to Evangelist: the role must be 'sales' or 'success'",
    ]
    assert "- **sales beyond:** the role must be 'sales'; why: only sales says" in page


def test_what_is_no_rulebook_scheme_or_stage_is_refused():
    check_door(lifecycle_playbook)
    check_door(lambda scheme: lifecycle_playbook(scheme=scheme))
    with pytest.raises(UnknownKeyError, match="unknown state in entries: 'mql'"):
        lifecycle_playbook(entries={"mql": "x"})
    with pytest.raises(UnknownKeyError, match="unknown state in status_entries: 'called'"):
        lifecycle_playbook(status_entries={"called": "x"})
    with pytest.raises(UnknownKeyError, match="unknown state in entries: 'called'"):
        STANDARD_STATUSES.playbook(entries={"called": "x"})


def test_the_six_stages_make_a_page_that_can_be_read():
    page = SIX_STAGES.playbook()
    assert max(map(len, page.splitlines())) < 120
    assert page.count("new deals begin here") == 7


def test_a_rulebook_of_any_states_has_a_playbook():
    sheets = {"open": Sheet("Open", "somebody works on it", next_step="answer")}
    book = Rulebook.forward(
        "ticket", ["open", "done"], meaning="tickets do not go back",
        rules=[Rule("answered", present("answer"), targets=["done"])],
    )  # fmt: skip
    page = book.playbook(sheets)
    assert page.startswith("# ticket\n\ntickets do not go back\n")
    for told in ("Open", "somebody works on it", "'answer' must be present", "*not agreed yet*"):
        assert told in page
    assert "somebody works on it" not in book.playbook()
    check_door(book.playbook, takes=lambda value: value is None or value == {})
    with pytest.raises(UnknownKeyError, match="unknown state of 'ticket': 'shut'"):
        book.playbook({"shut": Sheet("Shut")})
    with pytest.raises(WrongTypeError, match="must be a Sheet"):
        book.playbook({"open": "Open"})
