"""The draft of a deal as its events: stages, the one closing date with two meanings, amounts."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from attrs import frozen

from salespipeline.connectors._items import Facts
from salespipeline.connectors._logs import DealLog
from salespipeline.connectors.hubspot._values import (
    CELLS,
    SAME_SAVE,
    Change,
    Draft,
    Entry,
    Source,
    attribute,
    changes_of,
    day,
    instant,
    text,
)
from salespipeline.connectors.hubspot._writers import (
    AFTER,
    ATTRIBUTE,
    FIRST,
    STATE,
    Reading,
    Writer,
)
from salespipeline.errors import InvalidValueError
from salespipeline.events import ForecastCategory, NextStep, SaleType
from salespipeline.money import Money
from salespipeline.pipelines import Outcome, check_probability

_ENTERED = re.compile(r"hs_(v2_)?date_entered_(.+)", re.DOTALL)
_NOT_WORD = re.compile(r"[^a-z0-9]+")
_NUMBERED = re.compile(r"_\d+$")
_PLACES = Decimal("1e-9")
_REASONS = {Outcome.WON: "closed_won_reason", Outcome.LOST: "closed_lost_reason"}
_LAG = timedelta(seconds=1)

FORECASTS = {
    "OMIT": ForecastCategory.OMITTED,
    "PIPELINE": ForecastCategory.PIPELINE,
    "BEST_CASE": ForecastCategory.BEST_CASE,
    "COMMIT": ForecastCategory.COMMIT,
    "CLOSED": ForecastCategory.CLOSED,
}
"""HubSpot's forecast categories, by its own names."""
NEW_BUSINESS = "newbusiness"


def write_deal(draft: Draft, reading: Reading) -> DealLog:
    """The events of a deal; it is refused where nothing says its stage or its close."""
    return _DealWriter(draft, reading).written()


@frozen
class _Step:
    """A stage entered.

    Attributes:
        at: When.
        stage: Which.
        pipeline: The pipeline it is in.
        outcome: What it means.
        key: What the entry is known by.
        signed: Who did it.
    """

    at: datetime
    stage: str
    pipeline: str
    outcome: Outcome
    key: str
    signed: Facts


class _DealWriter(Writer):
    clusters: ClassVar = {
        "dealstage": ("dealstage", "pipeline"),
        "amount": ("amount", "deal_currency_code"),
    }
    fields: ClassVar = {
        "dealname": "title",
        "hubspot_owner_id": "owner",
        "hs_analytics_source": "source",
    }
    states = frozenset({
        "dealstage", "closedate", "hs_deal_stage_probability", *_REASONS.values(),
    })  # fmt: skip

    def __init__(self, draft: Draft, reading: Reading) -> None:
        super().__init__(draft, reading)
        self._pipeline_now: str | None = None
        self._known = True
        self._used: set[int] = set()
        self._steps = self._dated() if "dealstage" in draft.history else self._undated()
        self._first = self._opening()
        self._closings = self._closed()

    def written(self) -> DealLog:
        first = self.take_fields()
        closing = self._closings[-1] if self._closings else None
        on_close: dict[str, Any] = {}
        undated = "amount" in first and "amount" not in self.draft.history
        if undated and self._last.outcome is not Outcome.OPEN and closing in self._steps:
            on_close["amount"] = first.pop("amount")
        self._plan_steps(on_close)
        first |= self._close_dates()
        first |= self._reasons()
        self._probabilities()
        log = DealLog(self.draft.identity, self.reading.ground)
        seen = None if self._known else self._observed_from()
        stage = {"stage": self._first.stage, "pipeline": self._first.pipeline}
        contacts = {"contacts": tuple(self.draft.contacts)} if self.draft.contacts else {}
        self.write(log, {**first, **stage, **contacts, "observed_from": seen})
        return log

    # Stages

    @property
    def _last(self) -> _Step:
        return self._steps[-1] if self._steps else self._first

    def _step(self, at: datetime, stage: str, key: str, signed: Facts) -> _Step:
        pipeline = self._pipeline_of(stage)
        outcome = self.reading.ground.outcome(pipeline, stage)
        return _Step(at, stage, pipeline, outcome, key, signed)

    def _pipeline_of(self, stage: str) -> str:
        ground, item = self.reading.ground, self.draft.item
        if self._pipeline_now is not None:
            return self._pipeline_now
        having = [key for key, pipeline in ground.pipelines.items() if stage in pipeline.keys]
        if len(having) == 1:
            return having[0]
        if ground.pipeline is None:
            item.refuse("properties.pipeline", "it has no pipeline, and its stage does not say it")
        return ground.pipeline

    def _dated(self) -> list[_Step]:
        """The stages of a history; a change of pipeline alone stays in the stage."""
        history: dict[str, list[Entry]] = {
            name: self.draft.history[name]
            for name in ("dealstage", "pipeline")
            if name in self.draft.history
        }
        self._pipeline_now = self._first_pipeline()
        steps: list[_Step] = []
        stage: str | None = None
        for change in changes_of(history, self.clusters):
            stage = self._told(change, "dealstage") or stage
            self._pipeline_now = self._told(change, "pipeline") or self._pipeline_now
            if stage is not None:
                entry = change.first
                steps.append(self._step(change.at, stage, entry.original_id, entry.signature))
        if not steps:
            self.draft.item.refuse("properties.dealstage", "it has no stage")
        return steps

    def _first_pipeline(self) -> str | None:
        """The pipeline before any change of it."""
        if "pipeline" in self.draft.history:
            return next(map(text_of, self.draft.history["pipeline"]), None)
        source = self.draft.present.get("pipeline")
        return None if source is None else source.read(text, needed=True)

    def _told(self, change: Change, name: str) -> str | None:
        entry = change.entries.get(name)
        return None if entry is None else text_of(entry)

    def _undated(self) -> list[_Step]:
        """The stages of a deal without a history of them, as far as it has dates."""
        draft, source = self.draft, self.draft.present.get("dealstage")
        stage = None if source is None else source.read(text, needed=True)
        history = draft.history.get("pipeline", ())
        self._pipeline_now = text_of(history[-1]) if history else self._first_pipeline()
        if stage is None:
            stage = self.reading.opening
            if stage is None:
                draft.item.refuse("properties.dealstage", "it has no stage")
            self._pipeline_now = self._pipeline_now or self.reading.ground.pipeline
        path = sorted(self._entered(stage), key=lambda step: (step.at, step.stage == stage))
        now = self._step(self.begun, stage, draft.key("dealstage"), {})
        if path and path[-1].stage == stage:
            return path
        if now.outcome is not Outcome.OPEN:
            return [*path, self._step(self._close_of(now), stage, draft.key("closedate"), {})]
        if path:
            draft.item.note(
                "properties.dealstage",
                "no date says when it was entered; the dates of other stages are left out", stage,
            )  # fmt: skip
        return []

    def _close_of(self, now: _Step) -> datetime:
        """When a deal was closed, by its closing date."""
        history = self.draft.history.get("closedate")
        source = history[-1] if history else self.draft.present.get("closedate")
        at = None if source is None else source.read(instant, needed=True)
        if at is None:
            reason = f"the deal is {now.outcome.value}, and has no closing date"
            self.draft.item.refuse("properties.closedate", reason)
        return at

    def _entered(self, present: str) -> list[_Step]:
        """The stages with a date on which they were entered, last."""
        keys = [key for each in self.reading.ground.pipelines.values() for key in each.keys]
        named = {_NOT_WORD.sub("_", key.lower()): key for key in (*keys, present)}
        found: dict[str, tuple[str, Source]] = {}
        for name in sorted(self.draft.present, reverse=True):  # the newer names come first
            if (match := _ENTERED.fullmatch(name)) is not None:
                word = _NOT_WORD.sub("_", match[2].lower())
                key = named.get(word) or named.get(_NUMBERED.sub("", word)) or match[2]
                found.setdefault(key, (name, self.draft.present[name]))
        steps: list[_Step] = []
        for stage, (name, source) in found.items():
            steps.append(self._step(source.demand(instant), stage, self.draft.key(name), {}))
        return steps

    def _opening(self) -> _Step:
        """The stage that the deal began in; it is taken off the steps where its entry is known."""
        steps, begun = self._steps, self.begun
        if not steps:
            self._known = False
            source = self.draft.present.get("dealstage")
            stage = None if source is None else source.read(text)
            return self._step(begun, stage or self.reading.opening or "", self.draft.key(), {})
        first = steps[0]
        if first.at <= begun + SAME_SAVE and first.key != self.draft.key("closedate"):
            self._note_early(first)
            return steps.pop(0)
        self._known = False
        return self._before(first)

    def _note_early(self, first: _Step) -> None:
        for name in ("dealstage", "pipeline"):
            for entry in self.draft.history.get(name, ())[:1]:
                if entry.original_id == first.key:
                    self.note_if_early(entry)

    def _before(self, first: _Step) -> _Step:
        """Where a deal stood before the first stage that is known, which need not be the first."""
        pipeline = self.reading.ground.pipelines.get(first.pipeline)
        stage = first.stage
        if first.outcome is not Outcome.OPEN and pipeline is not None:
            stage = next(each.key for each in pipeline.stages if each.outcome is Outcome.OPEN)
        outcome = self.reading.ground.outcome(first.pipeline, stage)
        return _Step(self.begun, stage, first.pipeline, outcome, self.draft.key(), {})

    def _observed_from(self) -> datetime:
        """The instant from which on the stages are known."""
        history = "dealstage" in self.draft.history
        return max(self.begun, self._steps[0].at) if history else self.begun

    def _closed(self) -> list[_Step]:
        """The steps by which the deal was closed, the opening among them."""
        path = [self._first, *self._steps]
        return [
            step
            for before, step in zip([None, *path], path, strict=False)
            if step.outcome is not Outcome.OPEN
            and (before is None or before.outcome is not step.outcome)
        ]

    def _outcome_at(self, at: datetime) -> Outcome:
        past = [step for step in self._steps if step.at <= at]
        return past[-1].outcome if past else self._first.outcome

    def _plan_steps(self, on_close: Facts) -> None:
        for step in self._steps:
            row: dict[str, Any] = {"stage": step.stage, "pipeline": step.pipeline}
            if any(step is each for each in self._closings):
                last = step is self._closings[-1]
                reason = self._reason(step, last=last)
                row |= {"reason": reason, **(on_close if last else {})}
            self.plan(step.at, STATE, {**row, **step.signed, "event_id": step.key})

    def _reason(self, step: _Step, *, last: bool) -> str | None:
        """The reason in force when a deal was closed; one of that very change is used up."""
        name = _REASONS[step.outcome]
        if name in self.draft.history:
            entries = [each for each in self.draft.history[name] if each.at <= step.at]
            self._used |= {id(each) for each in entries if each.at == step.at}
            return text_of(entries[-1]) if entries else None
        source = self.draft.present.get(name)
        if source is None or not last or self._last.outcome is not step.outcome:
            return None
        self._used.add(id(source))
        return self.value(source, text)

    # What is no field by itself

    def _reasons(self) -> dict[str, Any]:
        """Keep reasons that were not given with a close as attributes."""
        first: dict[str, Any] = {}
        for name in _REASONS.values():
            for entry in self.draft.history.get(name, ()):
                if id(entry) not in self._used:
                    facts = {ATTRIBUTE + name: self.value(entry, attribute)}
                    self.say(entry.at, FIRST, entry.original_id, facts, entry.signature)
            source = self.draft.present.get(name)
            if source is not None and id(source) not in self._used:
                first[ATTRIBUTE + name] = self.value(source, attribute)
        return first

    def _close_dates(self) -> dict[str, Any]:
        """Plan what the closing date said while the deal was open, and otherwise."""
        if "closedate" not in self.draft.history:
            return self._close_date_now()
        first: dict[str, Any] = {}
        used: set[int] = set()
        newer: Entry | None = None
        planned: list[tuple[Entry, dict[str, Any]]] = []
        for entry in reversed(self.draft.history["closedate"]):
            at = None if entry.value is None else self.value(entry, instant)
            same = newer is not None and newer.at == entry.at
            if not self._overwrites(entry, at, used):
                is_open = self._outcome_at(entry.at) is Outcome.OPEN
                closing = any(step.at == entry.at for step in self._closings)
                planned.append(
                    (entry, self._dated_facts(entry, is_open=is_open or (same and closing)))
                )
            newer = entry
        for number, (entry, facts) in enumerate(reversed(planned)):
            if entry.at <= self.begun and not number:
                first |= {name: value for name, value in facts.items() if value is not None}
            else:
                self.say(entry.at, FIRST, entry.original_id, facts, entry.signature)
        return first

    def _overwrites(self, entry: Entry, at: datetime | None, used: set[int]) -> bool:
        """Whether a closing date was written by the close itself, which says no more."""
        for step in self._closings:
            near = abs(entry.at - step.at) <= _LAG and id(step) not in used
            again = step.at <= entry.at and self._outcome_at(entry.at) is step.outcome
            if at is not None and (near or again) and abs(at - step.at) <= SAME_SAVE:
                used.add(id(step))
                return True
        return False

    def _dated_facts(self, source: Source, *, is_open: bool) -> dict[str, Any]:
        if is_open:
            return {"expected_close": self._day(source)}
        value = self.value(source, attribute) if source.value is not None else None
        return {ATTRIBUTE + "closedate": value}

    def _day(self, source: Source) -> object:
        return source.read(day(self.reading.zone))

    def _close_date_now(self) -> dict[str, Any]:
        """What a closing date without a history says of the deal."""
        source = self.draft.present.get("closedate")
        if source is None:
            return {}
        if self._last.outcome is Outcome.OPEN:
            return self._dated_facts(source, is_open=True)
        at = self.value(source, instant)
        closing = self._closings[-1]
        if at is None or abs(at - closing.at) <= SAME_SAVE:
            return {}
        facts = self._dated_facts(source, is_open=False)
        if closing is self._first:
            return facts
        self.say(closing.at, AFTER, self.draft.key("closedate"), facts, {})
        return {}

    def _probabilities(self) -> None:
        """Plan where the deal's probability differs from its stage's."""
        name = "hs_deal_stage_probability"
        changes: list[tuple[datetime, Source, str, Facts]] = [
            (entry.at, entry, entry.original_id, entry.signature)
            for entry in self.draft.history.get(name, ())
        ]
        if (source := self.draft.present.get(name)) is not None:
            changes.append((self._last.at, source, self.draft.key(name), {}))
        said: _Step | None = None
        for at, source, key, signed in changes:
            past = [step for step in self._steps if step.at <= at]
            step = past[-1] if past else self._first
            facts = self._probable(source, step, is_set=said is step)
            if "probability" in facts:
                said = None if facts["probability"] is None else step
            self.say(max(at, self.begun), AFTER, key, facts, signed)

    def _probable(self, source: Source, step: _Step, *, is_set: bool) -> dict[str, Any]:
        pipeline = self.reading.ground.pipelines.get(step.pipeline)
        if pipeline is None or step.stage not in pipeline:
            name = "hs_deal_stage_probability"
            return {ATTRIBUTE + name: self.value(source, attribute)}
        value, usual = self.value(source, _probability), pipeline.stage(step.stage).probability
        if value is not None and value != usual:
            return {"probability": value}
        return {"probability": None} if is_set else {}

    def facts_of(self, cluster: str, sources: Mapping[str, Source]) -> dict[str, Any]:
        """What the values of a cluster say; see `Writer.facts_of`."""
        if cluster == "amount":
            return self._amount(sources)
        [source] = sources.values()
        if cluster == "dealtype":
            is_new = source.value == NEW_BUSINESS
            kept = None if is_new else self.value(source, attribute)
            sale = SaleType.NEW_BUSINESS if is_new else None
            return {"sale_type": sale, ATTRIBUTE + cluster: kept}
        if cluster == self._forecast_name():
            said = source.value if isinstance(source.value, str) else None
            category = FORECASTS.get(said) if said is not None else None
            kept = self.value(source, attribute) if category is None else None
            return {"forecast_category": category, ATTRIBUTE + cluster: kept}
        if cluster == "hs_next_step":
            what = self.value(source, text)
            return {"next_step": None if what is None else NextStep(what)}
        return super().facts_of(cluster, sources)

    def _forecast_name(self) -> str:
        """The property that holds the forecast category given by hand, or the only one."""
        name = "hs_manual_forecast_category"
        has = name in self.draft.present or name in self.draft.history
        return name if has else "hs_forecast_category"

    def _amount(self, sources: Mapping[str, Source]) -> dict[str, Any]:
        stated, amount = sources.get("deal_currency_code"), sources.get("amount")
        currency, fault = self.reading.currency, "it has no currency, and none is given for all"
        if stated is not None and stated.value is not None:
            currency, fault = self.value(stated, CELLS.currency), "its currency cannot be read"
        if amount is None:  # nothing but a currency, which no amount can hold
            return {ATTRIBUTE + "deal_currency_code": currency}

        def money(value: object, name: str) -> Money:
            if currency is None:
                raise InvalidValueError(name, (fault,))
            return CELLS.money(value.strip() if isinstance(value, str) else value, currency)

        return {"amount": amount.read(money)}


def text_of(entry: Entry) -> str | None:
    """The text of an entry that its record cannot be read without."""
    return entry.read(text, needed=True)


def _probability(value: object, _name: str) -> Decimal:
    """A probability; HubSpot writes the nearest float, with all its digits."""
    if isinstance(value, float):
        value = float.__repr__(value)
    found = check_probability(value.strip() if isinstance(value, str) else value)
    return found if found == found.quantize(_PLACES) else found.quantize(_PLACES).normalize()
