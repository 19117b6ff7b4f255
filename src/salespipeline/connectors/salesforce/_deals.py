"""What is known of an opportunity, written down as the events of a deal."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from salespipeline.attributes import Attributes
from salespipeline.connectors._logs import DealLog
from salespipeline.connectors.salesforce._gathered import (
    SAME_SAVE,
    Change,
    Gathered,
    differing,
    tell,
)
from salespipeline.connectors.salesforce._opportunities import DOORS
from salespipeline.connectors.salesforce._rows import Says, category, just_before, own_day
from salespipeline.connectors.salesforce._stages import Stages
from salespipeline.events import ForecastCategory, NextStep, SaleType, Start
from salespipeline.pipelines import Outcome

_SURE: Mapping[Outcome, int] = {Outcome.WON: 1, Outcome.LOST: 0}
_USUAL = {Outcome.WON: ForecastCategory.CLOSED, Outcome.LOST: ForecastCategory.OMITTED}
_CATEGORIES = ("forecastcategory", "forecastcategoryname")
_OF_THE_STAGE = ("probability", *_CATEGORIES)
"""The fields that Salesforce sets anew whenever the stage changes."""
_OURS = frozenset({*DOORS, "amount"}) - {"recordtypeid"}
_FIELDS = {
    "title": "name",
    "account": "accountid",
    "owner": "ownerid",
    "source": "leadsource",
    "amount": "amount",
}

Fault = tuple[str, str]
"""A field, and why without it a record cannot be written."""


class Words(NamedTuple):
    """What the words of one organisation mean.

    Attributes:
        sale_types: By Type, in small letters, the kind of sale.
        categories: By stage, its forecast category.
    """

    sale_types: Mapping[str, SaleType]
    categories: Mapping[str, ForecastCategory]


class Beginning(NamedTuple):
    """How a deal begins.

    Attributes:
        at: When.
        complete_from: The instant from which its history is complete; None: from the start.
        entry: How it came into the first stage known, if it did not begin there.
    """

    at: datetime
    complete_from: datetime | None
    entry: Change | None = None


class DealWriter:
    """One opportunity being written down.

    Attributes:
        log: Its events so far.
    """

    def __init__(self, deal: Gathered, stages: Stages, words: Words) -> None:
        self.log = DealLog(deal.record, stages)
        self._deal = deal
        self._stages = stages
        self._words = words
        self._was: dict[str, Any] = {}
        self._closed: tuple[Outcome, date] | None = None

    def write(self) -> Fault | None:
        """Write all of it; or give back what it lacks to begin with."""
        deal = self._deal
        deal.settle()
        state = deal.at_first()
        if state.get("stagename") is None:
            return deal.names.get(
                "stagename", "StageName"
            ), "it has no stage for its deal to begin in"
        self._leave_for_later(state)
        beginning = self._beginning(state)
        if not isinstance(beginning, Beginning):
            return beginning
        state = self._begin(beginning, state)
        if beginning.entry is not None:
            deal.changes.append(beginning.entry)
            deal.settle()
        for change in deal.changes:
            self._go_on(change, state)
        self._catch_up(state)
        self._end()
        return None

    def _leave_for_later(self, state: Says) -> None:
        """Say with the last stage what the present row alone says of it, and nobody knew before."""
        deal = self._deal
        places = [place for place, each in enumerate(deal.changes) if "stagename" in each.says]
        if not places or deal.present is None:
            return
        last = deal.changes[places[-1]]
        late = [*_OF_THE_STAGE]
        if self._outcome(last.says) is not Outcome.OPEN:
            late += ["amount", "closedate"]
        said = {key: deal.says[key] for key in late if key in deal.says and not deal.first(key)}
        for key in said:
            del state[key]
        if last.says["stagename"] == deal.says.get("stagename"):
            deal.changes[places[-1]] = last._replace(says={**said, **last.says})

    def _outcome(self, state: Says) -> Outcome:
        return self._stages.outcome(self._pipeline(state), state["stagename"])

    def _pipeline(self, state: Says) -> str:
        return self._stages.of(state.get("recordtypeid", self._deal.says.get("recordtypeid")))

    def _beginning(self, state: Says) -> Beginning | Fault:
        deal, first = self._deal, self._deal.first("stagename")
        if first is None:
            return self._undated(state, None)
        if deal.began_complete(first):
            return Beginning(deal.begun(first.at), None)
        if first.before is not None:
            return Beginning(deal.begun(first.at), just_before(first.at))
        return self._undated(state, first.at)

    def _undated(self, state: Says, seen: datetime | None) -> Beginning | Fault:
        """A beginning for a deal of whose first stage no history says when it came there.

        Args:
            state: How it was when it was first seen.
            seen: When that was, or None.
        """
        deal, moved = self._deal, self._deal.moved
        if moved is not None and (seen is None or moved <= seen):  # else it is of a later stage
            if deal.created is not None and moved - deal.created <= SAME_SAVE:
                return Beginning(deal.created, None)
            return self._entered(state, moved, "LastStageChangeDate")
        if self._outcome(state) is not Outcome.OPEN:
            return self._closing(state, seen)
        known = [at for at in (deal.created, seen, *deal.seen) if at is not None]
        if not known:
            return "CreatedDate", "no row says when it was made, or was there"
        begun = deal.begun(known[0])
        return Beginning(begun, seen or begun)

    def _closing(self, state: Says, seen: datetime | None) -> Beginning | Fault:
        """A beginning for a deal that was closed when it was first seen."""
        day: date | None = state.get("closedate")
        by_then = seen or self._deal.modified
        if day is not None:
            closed = own_day(datetime.combine(day, time(), UTC), self._deal.created)
            at = closed if by_then is None else min(closed, by_then)
            return self._entered(state, at, "CloseDate")
        if seen is not None:
            return self._entered(state, seen, "StageName")
        return "CloseDate", f"the deal is {self._outcome(state).value}, and has no closing date"

    def _entered(self, state: Says, at: datetime, column: str) -> Beginning:
        """A beginning in a stage that is not known, before the first that is."""
        deal = self._deal
        begun, event_id = deal.begun(at), f"{deal.record}:{column}:{at.isoformat()}"
        event_id = deal.sign(deal.items[0], column, None, event_id)
        late = [*_OF_THE_STAGE]
        if self._outcome(state) is not Outcome.OPEN:
            late += ["amount", "closedate"]
        says = {key: state[key] for key in late if key in state and not deal.changed(key)}
        says["stagename"] = state["stagename"]
        return Beginning(begun, begun, Change(at, -1, event_id, says))

    def _begin(self, beginning: Beginning, state: Says) -> Says:
        """Write the first event; gives back the state after it."""
        if beginning.entry is not None:
            late = {*beginning.entry.says} - {*_unread(state)}
            state = {key: value for key, value in state.items() if key not in late}
            state["stagename"] = self._stages.opening(self._pipeline(state))
        deal, at, complete_from = self._deal, beginning.at, beginning.complete_from
        self._was = self._facts(state, at)
        row = {name: fact for name, fact in self._was.items() if fact is not None}
        if deal.by is not None:
            row["by"] = deal.by
        if deal.created is None:
            row["start"] = Start.BY_THEN
            complete_from = None if complete_from is None or complete_from <= at else complete_from
        if complete_from is not None:
            row["observed_from"] = complete_from
        self.log.happen({"at": at, "event_id": deal.record, **row})
        return state

    def _go_on(self, change: Change, state: Says) -> None:
        """Write what a change of the state comes to."""
        moves = change.says.get("stagename", state["stagename"]) != state["stagename"]
        for key in _OF_THE_STAGE if moves else ():
            state.pop(key, None)
        state |= change.says
        now = self._facts(state, change.at)
        row, self._was = _row(self._was, now), now
        cleared = "stage" in row and row.get("amount", now) is None
        if cleared:  # a closing without an amount keeps the one before
            del row["amount"]
        tell(self.log, change, row)
        if cleared:
            self.log.happen({"at": change.at, "amount": None})

    def _catch_up(self, state: Says) -> None:
        """Write how the deal stands now, where its history ends elsewhere."""
        now, moved = self._deal.as_it_stands(state), self._deal.moved
        if now is None:
            return
        if (
            now.says.get("stagename", state["stagename"]) != state["stagename"]
            and moved is not None
        ):
            now = now._replace(at=min(now.at, max(moved, self._deal.changes[-1].at)))
        self._go_on(now, state)

    def _end(self) -> None:
        """Write that the deal was deleted, if it was."""
        deleted = self._deal.deleted
        if self._deal.present is None or deleted is True:
            deleted = _ended(self._deal) or deleted
        self._deal.end(self.log, deleted)

    def _facts(self, state: Says, at: datetime) -> dict[str, Any]:
        """What a state of Salesforce's means of ours, at an instant."""
        pipeline, stage = self._pipeline(state), state["stagename"]
        self._stages.meet(pipeline, stage)
        outcome = self._stages.outcome(pipeline, stage)
        expected, closed = self._dates(state, outcome, at)
        step, contact = state.get("nextstep"), state.get("contactid")
        return {
            "pipeline": pipeline,
            "stage": stage,
            **{fact: state.get(key) for fact, key in _FIELDS.items()},
            "expected_close": expected,
            "sale_type": self._words.sale_types.get(str(state.get("type")).lower()),
            "probability": self._probability(state, outcome),
            "forecast_category": self._category(state, outcome),
            "next_step": None if step is None else NextStep(step),
            "contacts": () if contact is None else (contact,),
            "attributes": self._attributes(state, closed),
        }

    def _dates(
        self, state: Says, outcome: Outcome, at: datetime
    ) -> tuple[date | None, date | None]:
        """When a deal is expected to close, and its CloseDate once that is something else."""
        stated: date | None = state.get("closedate")
        if outcome is Outcome.OPEN:
            self._closed = None
            return stated, None
        if self._closed is None or self._closed[0] is not outcome:
            self._closed = outcome, at.date()
        expected: date | None = self._was.get("expected_close")
        return expected, None if stated in {expected, self._closed[1]} else stated

    def _probability(self, state: Says, outcome: Outcome) -> Decimal | None:
        """A chance that is not that of the stage."""
        stage = self._stages.stage(self._pipeline(state), state["stagename"])
        usual = None if stage is None else stage.probability
        own: Decimal | None = state.get("probability")
        return None if own == (_SURE.get(outcome) if usual is None else usual) else own

    def _category(self, state: Says, outcome: Outcome) -> ForecastCategory | None:
        """A forecast category that is not that of the stage."""
        names = (state.get(key) for key in _CATEGORIES)
        own = next((found for name in names if name and (found := category(name))), None)
        usual = self._words.categories.get(state["stagename"], _USUAL.get(outcome))
        return None if own is usual else own

    def _attributes(self, state: Says, closed: date | None) -> Attributes:
        """The fields that are none of ours, and those whose words mean nothing to us."""
        deal = self._deal
        kept = {key: value for key, value in state.items() if key not in _OURS}
        kept["closedate"] = closed
        if str(state.get("type")).lower() not in self._words.sale_types:
            kept["type"] = state.get("type")
        kept |= _unread(state)
        if state.get("amount") is not None:
            kept["currencyisocode"] = None
        return Attributes({
            deal.names.get(key, key): value for key, value in kept.items() if value is not None
        })  # fmt: skip


def _row(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What a deal's log is told of two states, one after the other."""
    row = differing(was, now)
    if "stage" in row or "pipeline" in row:
        row |= {"stage": now["stage"], "pipeline": now["pipeline"]}
        row.pop("probability", None)  # that of the stage before was given until the move
        if now["probability"] is not None:
            row["probability"] = now["probability"]
    if "contacts" in row:
        del row["contacts"]
        row |= dict(zip(["contact_unlinked"], was["contacts"], strict=False))
        row |= dict(zip(["contact_linked"], now["contacts"], strict=False))
    return row


def _unread(state: Says) -> Says:
    """The forecast categories that are none of ours, so that they are attributes."""
    return {key: state[key] for key in _CATEGORIES if key in state and not category(state[key])}


def _ended(deal: Gathered) -> datetime | None:
    """Since when the versions of a deal say that it is deleted, or have none any more."""
    since: datetime | None = None
    was_deleted = False
    for at, is_deleted, ended in sorted(deal.versions, key=lambda each: each[0]):
        if not is_deleted:
            since = ended
        elif not was_deleted:
            since = at
        was_deleted = is_deleted
    return since
