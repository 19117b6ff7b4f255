"""A contact and a deal under every command, beside a model of plain dictionaries."""

from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from record_strategies import BOARD, LEAN, START, STRICT
from salespipeline.contacts import Contact
from salespipeline.deals import Deal
from salespipeline.errors import InvalidValueError, UnknownKeyError
from salespipeline.history import ContactHistory, DealHistory
from salespipeline.lifecycle import RECYCLABLE_STATUSES, STANDARD_STATUSES
from salespipeline.money import Money
from salespipeline.rules import DeniedError

# The world as the model sees it: plain text, written out once more

LIFECYCLE = [
    "subscriber", "lead", "marketing_qualified_lead", "sales_qualified_lead", "opportunity",
    "customer", "evangelist",
]  # fmt: skip
STATUSES = [
    "new", "attempted_to_contact", "connected", "open_deal", "unqualified", "bad_timing",
]  # fmt: skip
ACTIVE = {
    "standard": ["sales_qualified_lead"],
    "recyclable": ["sales_qualified_lead", "opportunity"],
}
SCHEMES = {"standard": STANDARD_STATUSES, "recyclable": RECYCLABLE_STATUSES}
OUTCOMES = {
    "board": {
        "talk": "open", "offer": "open", "hold": "open", "signed": "won", "kept": "won",
        "gone": "lost", "silent": "lost",
    },
    "lean": {"offer": "open", "trial": "open", "won": "won", "lost": "lost"},
    "strict": {"first": "open", "second": "open", "won": "won", "lost": "lost"},
}  # fmt: skip
LEADS_TO = {
    "first": ["second", "lost"], "second": ["won", "lost"], "won": [], "lost": ["first"],
}  # fmt: skip
PIPELINES = {"board": BOARD, "lean": LEAN, "strict": STRICT}
NOTHING = dict.fromkeys(
    [
        "account", "amount", "closed_at", "closed_from", "company", "email", "expected_close",
        "forecast_category", "lead_status", "lifecycle_stage", "name", "next_step", "owner",
        "probability", "reason", "renews", "revisit_on", "sale_type", "source", "stage_since",
        "status_since", "term", "title", "verdict",
    ]
)  # fmt: skip

KINDS = st.sampled_from(["contact", "deal"])
GAPS = st.sampled_from([0, 0, 0, 1, 5, 30, -1])
PEOPLE = st.sampled_from(["ada", "bob"])
PIPELINE_KEYS = st.sampled_from(sorted(OUTCOMES))
EUROS = st.none() | st.integers(0, 50)
DATES = st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31))


def plain(value):
    """A field of a snapshot as the model holds it."""
    kind = type(value).__name__
    if kind == "NextStep":
        return value.what, value.due
    if kind == "Probability":
        return str(value.value), str(value.basis)
    if kind == "Attributes":
        return dict(value)
    if kind == "Money":
        return int(value.amount)
    if isinstance(value, str):
        return str(value)
    return value


def money(euros):
    return None if euros is None else Money(euros, "EUR")


def open_stages(pipeline):
    return [stage for stage, outcome in OUTCOMES[pipeline].items() if outcome == "open"]


class Pipeline(RuleBasedStateMachine):
    """Each rule asks the model what should come of a command, then gives the command."""

    @initialize(
        scheme=st.sampled_from(sorted(ACTIVE)),
        stage=st.none() | st.sampled_from(LIFECYCLE),
        pipeline=PIPELINE_KEYS,
        euros=EUROS,
    )
    def begin(self, scheme, stage, pipeline, euros):
        self.scheme = scheme
        contact, created = Contact.create(
            "c-1", at=START, by="form", stage=stage, scheme=SCHEMES[scheme]
        )
        deal, opened = Deal.open(
            "d-1", at=START, by="ada", pipeline=PIPELINES[pipeline], amount=money(euros)
        )
        self.record = {"contact": contact, "deal": deal}
        self.events = {"contact": [created], "deal": [opened]}
        shared = {
            "version": 1, "changed_at": START, "attributes": {}, "approvals": frozenset(),
        }  # fmt: skip
        status = "new" if stage in ACTIVE[scheme] else None
        self.contact = NOTHING | shared | {
            "id": "c-1", "created_at": START, "opted_out": False, "lifecycle_stage": stage,
            "stage_since": START if stage else None, "lead_status": status,
            "status_since": START if status else None,
        }  # fmt: skip
        self.deal = NOTHING | shared | {
            "id": "d-1", "opened_at": START, "stage_since": START, "outcome": "open",
            "pipeline": pipeline, "stage": open_stages(pipeline)[0], "contacts": (),
            "amount": euros,
        }  # fmt: skip
        self.models = {"contact": self.contact, "deal": self.deal}

    def command(self, kind, method, *arguments, after, refused=(), **facts):
        """Give a command; True where it went through, as it must if nothing stood against it.

        Args:
            kind: Contact or deal.
            method: The command.
            *arguments: What it is given.
            after: Hours since the last change.
            refused: The codes of the denials that the model expects, or the error.
            **facts: What else it is given.
        """
        record, model = self.record[kind], self.models[kind]
        at = model["changed_at"] + timedelta(hours=after)
        if refused and not isinstance(refused, list):
            with pytest.raises(refused):
                getattr(record, method)(*arguments, at=at, by="ada", **facts)
            return False
        expected = [*refused, *(["before_last_event"] if after < 0 else [])]
        with self.denied(expected):
            record, event = getattr(record, method)(*arguments, at=at, by="ada", **facts)
        if expected:
            return False
        self.record[kind] = record
        self.events[kind].append(event)
        model["version"] += 1
        model["changed_at"] = at
        return True

    @contextmanager
    def denied(self, codes):
        if not codes:
            yield
            return
        with pytest.raises(DeniedError) as caught:
            yield
        assert sorted(denial.code for denial in caught.value.decision.denials) == sorted(codes)

    def present(self, kind="contact"):
        return self.record[kind] is not None

    # The contact

    @precondition(lambda self: self.present())
    @rule(stage=st.sampled_from(LIFECYCLE), after=GAPS)
    def advance(self, stage, after):
        model, refused = self.contact, []
        held = model["lifecycle_stage"]
        if held is not None:
            ahead = LIFECYCLE.index(stage) - LIFECYCLE.index(held)
            refused = ["already_there"] if ahead == 0 else ["backward"] if ahead < 0 else []
        scheme = SCHEMES[self.scheme]
        if self.command("contact", "advance", stage, after=after, refused=refused, scheme=scheme):
            now = model["changed_at"]
            model |= {"lifecycle_stage": stage, "stage_since": now, "approvals": frozenset()}
            if stage not in ACTIVE[self.scheme]:
                model |= {"lead_status": None, "status_since": None, "revisit_on": None}
            elif model["lead_status"] is None:
                model |= {"lead_status": "new", "status_since": now}

    @precondition(lambda self: self.present())
    @rule(status=st.sampled_from([*STATUSES, "made_up"]), revisit=DATES, after=GAPS)
    def set_lead_status(self, status, revisit, after):
        model, refused = self.contact, []
        if status == "made_up":
            refused.append("unknown_state")
        elif status == model["lead_status"]:
            refused.append("already_there")
        if model["lifecycle_stage"] not in ACTIVE[self.scheme]:
            refused.append("status_inactive")
        facts = {"revisit_on": revisit, "scheme": SCHEMES[self.scheme]}
        if self.command(
            "contact", "set_lead_status", status, after=after, refused=refused, **facts
        ):
            model |= {
                "lead_status": status, "status_since": model["changed_at"], "revisit_on": revisit,
            }  # fmt: skip

    @precondition(lambda self: self.present())
    @rule(out=st.booleans(), after=GAPS)
    def opt(self, out, after):
        if self.command("contact", "opt_out" if out else "opt_in", after=after):
            self.contact["opted_out"] = out

    # The deal

    def stage_refused(self, pipeline, stage):
        """The codes against a move of the deal."""
        held = self.deal["stage"]
        if pipeline != self.deal["pipeline"]:
            return ["not_a_creation_state"] if pipeline == "strict" and stage != "first" else []
        if stage == held:
            return ["already_there"]
        if pipeline == "strict" and stage not in LEADS_TO[held]:
            return ["no_such_move" if LEADS_TO[held] else "final"]
        return []

    def entered(self, pipeline, stage, reason, euros):
        model = self.deal
        before, outcome, now = model["outcome"], OUTCOMES[pipeline][stage], model["changed_at"]
        if outcome != before:
            closed = outcome != "open"
            model |= {
                "outcome": outcome,
                "closed_at": now if closed else None,
                "closed_from": model["stage"] if closed else None,
                "reason": reason if closed else None,
            }
            if closed and euros is not None:
                model["amount"] = euros
        model |= {
            "pipeline": pipeline, "stage": stage, "stage_since": now, "approvals": frozenset(),
        }  # fmt: skip
        if model["probability"] and model["probability"][1] == "until_move":
            model["probability"] = None

    def go(self, method, arguments, pipeline, stage, /, after, reason=None, euros=None, **facts):
        refused = self.stage_refused(pipeline, stage)
        if method == "reopen" and self.deal["outcome"] == "open":
            refused = [*refused, "not_closed"]
        outcome = OUTCOMES[pipeline][stage]
        closes = outcome not in ("open", self.deal["outcome"])
        given = {"reason": reason, "amount": money(euros)} if method != "reopen" else {}
        if not closes and any(fact is not None for fact in given.values()):
            refused = refused if refused or after < 0 else InvalidValueError
        if self.command(
            "deal", method, *arguments, after=after, refused=refused,
            pipeline=PIPELINES[pipeline], **given, **facts,
        ):  # fmt: skip
            self.entered(pipeline, stage, reason, euros)

    @precondition(lambda self: self.present("deal"))
    @rule(
        pipeline=PIPELINE_KEYS, data=st.data(), after=GAPS, euros=st.none() | EUROS,
        reason=st.sampled_from([None, None, "price"]),
    )  # fmt: skip
    def move(self, pipeline, data, after, euros, reason):
        stage = data.draw(st.sampled_from(sorted(OUTCOMES[pipeline])))
        self.go("move", [stage], pipeline, stage, after, reason, euros)

    @precondition(lambda self: self.present("deal"))
    @rule(
        pipeline=PIPELINE_KEYS, outcome=st.sampled_from(["won", "lost"]), last=st.booleans(),
        after=GAPS, euros=EUROS,
    )  # fmt: skip
    def close(self, pipeline, outcome, last, after, euros):
        method = {"won": "win", "lost": "lose"}[outcome]
        stages = [stage for stage, each in OUTCOMES[pipeline].items() if each == outcome]
        if last:
            self.go(method, [], pipeline, stages[-1], after, euros=euros, stage=stages[-1])
        else:
            here = self.deal["pipeline"] == pipeline and self.deal["stage"] in stages
            stage = self.deal["stage"] if here else stages[0]
            self.go(method, [], pipeline, stage, after, "fit", euros)

    @precondition(lambda self: self.present("deal"))
    @rule(pipeline=PIPELINE_KEYS, after=GAPS)
    def reopen(self, pipeline, after):
        back = self.deal["closed_from"]
        stage = back if back in open_stages(pipeline) else open_stages(pipeline)[0]
        self.go("reopen", [], pipeline, stage, after)

    @precondition(lambda self: self.present("deal"))
    @rule(euros=EUROS, after=GAPS)
    def change_amount(self, euros, after):
        if self.command("deal", "change_amount", money(euros), after=after):
            self.deal["amount"] = euros

    @precondition(lambda self: self.present("deal"))
    @rule(euros=EUROS, after=GAPS)
    def concede(self, euros, after):
        self.command("deal", "concede", "discount", after=after, value=money(euros))

    @precondition(lambda self: self.present("deal"))
    @rule(on=DATES, after=GAPS)
    def expect_close(self, on, after):
        if self.command("deal", "expect_close", on, after=after):
            self.deal["expected_close"] = on

    @precondition(lambda self: self.present("deal"))
    @rule(
        chance=st.sampled_from([None, "0.25", "1", "1.5"]),
        basis=st.sampled_from(["until_move", "sticky", "model", "stage"]),
        after=GAPS,
    )
    def set_probability(self, chance, basis, after):
        refused = InvalidValueError if chance == "1.5" or basis == "stage" else []
        number = None if chance is None else Decimal(chance)
        if self.command(
            "deal", "set_probability", number, after=after, refused=refused, basis=basis
        ):
            self.deal["probability"] = None if chance is None else (chance, basis)

    @precondition(lambda self: self.present("deal"))
    @rule(category=st.sampled_from([None, "commit", "best_case"]), after=GAPS)
    def set_forecast_category(self, category, after):
        if self.command("deal", "set_forecast_category", category, after=after):
            self.deal["forecast_category"] = category

    @precondition(lambda self: self.present("deal"))
    @rule(contact=st.sampled_from(["c-1", "c-2"]), link=st.booleans(), after=GAPS)
    def link(self, contact, link, after):
        method = "link_contact" if link else "unlink_contact"
        if self.command("deal", method, contact, after=after):
            others = [each for each in self.deal["contacts"] if each != contact]
            if not link:
                self.deal["contacts"] = tuple(others)
            elif contact not in self.deal["contacts"]:
                self.deal["contacts"] = (*others, contact)

    # Both

    @rule(kind=KINDS, owner=st.none() | PEOPLE, after=GAPS)
    def change_owner(self, kind, owner, after):
        if self.present(kind) and self.command(kind, "change_owner", owner, after=after):
            self.models[kind]["owner"] = owner

    @rule(kind=KINDS, field=st.sampled_from(["account", "source", "owner"]), after=GAPS)
    def set_field(self, kind, field, after):
        refused = UnknownKeyError if field == "owner" else []
        if self.present(kind) and self.command(
            kind, "set_field", field, "x-1", after=after, refused=refused
        ):
            self.models[kind][field] = "x-1"

    @rule(kind=KINDS, seats=st.integers(0, 3), after=GAPS)
    def set_attribute(self, kind, seats, after):
        if self.present(kind) and self.command(
            kind, "set_field", "attributes.seats", seats, after=after
        ):
            self.models[kind]["attributes"] = {"seats": seats}

    @rule(kind=KINDS, what=st.sampled_from(["call", "visit"]), due=DATES, after=GAPS)
    def plan_next_step(self, kind, what, due, after):
        if self.present(kind) and self.command(kind, "plan_next_step", what, after=after, due=due):
            self.models[kind]["next_step"] = (what, due)

    @rule(kind=KINDS, after=GAPS)
    def complete_next_step(self, kind, after):
        if self.present(kind) and self.command(kind, "complete_next_step", after=after):
            self.models[kind]["next_step"] = None

    @rule(kind=KINDS, verdict=st.sampled_from([None, "fit", "no fit"]), after=GAPS)
    def assess(self, kind, verdict, after):
        if (
            self.present(kind)
            and self.command(kind, "assess", "bant", "need", "met", after=after, verdict=verdict)
            and verdict
        ):
            self.models[kind]["verdict"] = verdict

    @rule(kind=KINDS, approval=PEOPLE, after=GAPS)
    def approve(self, kind, approval, after):
        if self.present(kind) and self.command(kind, "approve", approval, after=after):
            self.models[kind]["approvals"] |= {approval}

    @rule(kind=KINDS, approval=PEOPLE, after=GAPS)
    def withdraw_approval(self, kind, approval, after):
        refused = [] if approval in self.models[kind]["approvals"] else UnknownKeyError
        if self.present(kind) and self.command(
            kind, "withdraw_approval", approval, after=after, refused=refused
        ):
            self.models[kind]["approvals"] -= {approval}

    @rule(kind=KINDS, hours_back=st.integers(0, 40))
    def record_activity(self, kind, hours_back):
        if not self.present(kind):
            return
        model = self.models[kind]
        at = model["changed_at"] - timedelta(hours=hours_back)
        self.record[kind], event = self.record[kind].record_activity(
            "call", at=at, by="ada", recorded_at=model["changed_at"]
        )
        self.events[kind].append(event)
        model["version"] += 1

    @precondition(lambda self: min(map(len, self.events.values())) > 3)
    @rule(kind=KINDS, after=GAPS)
    def delete(self, kind, after):
        if self.present(kind):
            self.command(kind, "delete", after=after)

    # After every step

    @invariant()
    def the_snapshots_are_what_the_model_says(self):
        for kind, model in self.models.items():
            record = self.record[kind]
            if record is not None:
                held = {name: plain(getattr(record, name)) for name in record.names()}
                assert held == {name: model[name] for name in held}

    @invariant()
    def the_histories_tell_the_same(self):
        for kind, history in (("contact", ContactHistory), ("deal", DealHistory)):
            told = history(self.events[kind])
            now = self.models[kind]["changed_at"]
            assert told.latest == told.as_of(now) == self.record[kind]
            if self.record[kind] is not None:
                assert hash(told.latest) == hash(self.record[kind])

    @invariant()
    def the_last_visits_are_where_the_model_is(self):
        now = self.deal["changed_at"]
        last = DealHistory(self.events["deal"]).visits(now)[-1]
        assert (last.pipeline, last.state) == (self.deal["pipeline"], self.deal["stage"])
        assert (last.entered, last.left) == (self.deal["stage_since"], None)
        visits = ContactHistory(self.events["contact"]).visits(self.contact["changed_at"])
        stage = self.contact["lifecycle_stage"]
        assert [visit.state for visit in visits[-1:]] == ([stage] if stage else [])


TestPipeline = Pipeline.TestCase
TestPipeline.settings = settings(stateful_step_count=40)
