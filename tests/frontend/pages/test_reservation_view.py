"""A page offers what the verbs do, no more and no less: every state of a booking at every hour that matters."""

import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from booking.checkin import service as desk
from booking.reservations import queries, questions, service, undoing
from booking.reservations.queries import ReservationFacts
from booking.reservations.refusals import NotYet
from booking.reservations.service import Changes
from booking.reservations.tables import State
from frontend.pages.reservation_view import may
from incubator.ground import clock, database
from incubator.ground.errors import Conflict
from incubator.ground.rights import Actor
from tests.frontend.pages.conftest import NOW, Centre

MINUTE = timedelta(minutes=1)
# minutes from the start of a booking of two hours, with a quarter of an hour of setup and of teardown
MOMENTS = (-120, -16, -15, -1, 0, 1, 119, 120, 125, 134, 136)
Verb = Callable[[Actor, ReservationFacts], Awaitable[ReservationFacts]]


def _later(actor: Actor, one: ReservationFacts) -> Awaitable[ReservationFacts]:
    by = timedelta(minutes=15)
    return service.move(actor, one.uid, Changes(one.starts_at + by, one.ends_at + by), version=one.version)


def _renamed(actor: Actor, one: ReservationFacts) -> Awaitable[ReservationFacts]:
    return service.move(actor, one.uid, Changes(title="新题"), version=one.version)


VERBS: Mapping[str, tuple[Verb, ...]] = {
    "change": (_renamed, lambda actor, one: service.extend(actor, one.uid, 30)),
    "move": (_later,),
    "cancel": (lambda actor, one: service.cancel(actor, one.uid),),
    "end": (lambda actor, one: service.end_early(actor, one.uid),),
    "no_show": (lambda actor, one: service.mark_no_show(actor, one.uid),),
    "check_in": (lambda actor, one: desk.check_in(actor, one.uid),),
    "restore": (lambda actor, one: undoing.restore(actor, one.uid),),
}


class TakenBackError(Exception):
    """The deed was only tried."""


async def _refusal(verb: Verb, actor: Actor, one: ReservationFacts) -> Conflict | None:
    """Return what the verb says, and leave everything as it was."""
    try:
        async with database.transaction():
            await verb(actor, one)
            raise TakenBackError
    except TakenBackError:
        return None
    except Conflict as refusal:
        return refusal


async def _put(one: ReservationFacts, state: str, *, has_come: bool) -> None:
    """Bring a booking into a state as if it had come to it five minutes ago."""
    is_hold, just = state in (State.HELD, State.EXPIRED), clock.now() - timedelta(minutes=5)
    is_closed = state in (State.FINISHED, State.NO_SHOW, State.CANCELLED, State.EXPIRED)
    await database.execute(
        "UPDATE reservations SET state = $2, number = $3, hold_until = $4, checked_in_at = $5, closed_at = $6 WHERE id = $1",
        one.id, state, None if is_hold else one.number, clock.now() + MINUTE if is_hold else None, just if has_come else None,
        just if is_closed else None)
    await database.execute("UPDATE allocations SET holds = $2 WHERE reservation = $1", one.id, not is_closed)


@pytest.mark.parametrize(("state", "has_come"), [
    *((state, state == State.CHECKED_IN) for state in State), (State.FINISHED, True)])
async def test_it_works(centre: Centre, state: State, has_come: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "cut_offs", [])  # the reservation alone decides here
    made, desk_clerk, seen = await centre.book(centre.people.alice, starts="15:00", ends="17:00"), centre.people.dora, set()
    for minutes in MOMENTS:
        with clock.frozen_at(made.starts_at + minutes * MINUTE):
            await _put(made, state, has_come=has_come)
            one = await queries.reservation(desk_clerk, made.uid)
            can = may(desk_clerk, one, clock.now())
            for name, verbs in VERBS.items():
                for verb in verbs:
                    refusal = await _refusal(verb, desk_clerk, one)
                    assert getattr(can, name) == (refusal is None), (name, minutes, refusal)
                    seen |= {name} if refusal is None else set()
                    if name == "check_in":
                        assert can.check_in_from == (refusal.params["opens_at"] if isinstance(refusal, NotYet) else None)
    assert seen == POSSIBLE[state, has_come]


POSSIBLE: Mapping[tuple[State, bool], set[str]] = {
    (State.HELD, False): {"cancel"},
    (State.PENDING, False): {"cancel"},
    (State.CONFIRMED, False): {"change", "move", "cancel", "end", "no_show", "check_in"},
    (State.CHECKED_IN, True): {"change", "cancel", "end"},
    (State.FINISHED, False): {"no_show"},
    (State.FINISHED, True): set(),
    (State.NO_SHOW, False): {"restore"},
    (State.CANCELLED, False): {"restore"},
    (State.EXPIRED, False): set(),
}


async def test_after_the_cut_off_it_can_be_ended_and_not_go_on(
        centre: Centre, visit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    alice = await visit(centre.people.alice)

    async def at_five_past(_reservation_id: int) -> datetime:
        return centre.at("17:05", "2026-11-24")

    monkeypatch.setattr(questions, "cut_offs", [at_five_past])
    for minute, can_go_on in (("17:04", True), ("17:05", False)):
        with clock.frozen_at(centre.at(minute, "2026-11-24")):
            page = (await alice.get(f"/reservations/{made.uid}")).text
            assert ("/extend" in page, "/end" in page) == (can_go_on, True)


async def test_who_may_not_is_offered_nothing(centre: Centre) -> None:
    made = await centre.book(centre.people.alice)
    can = may(centre.people.aud, made, NOW)
    assert not any((can.change, can.move, can.cancel, can.end, can.no_show, can.check_in, can.check_in_from, can.restore))


async def test_what_has_begun_can_get_another_end_or_title(centre: Centre, visit: Any) -> None:
    made = await centre.book(centre.people.alice, day="2026-11-24", starts="15:00", ends="17:00")
    alice = await visit(centre.people.alice)
    with clock.frozen_at(centre.at("16:10", "2026-11-24")):
        page = (await alice.get(f"/reservations/{made.uid}")).text
        form = page.split('id="move"')[1].split("</form>")[0]
        kept = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        ends = re.findall(r'<option value="([^"]*)"', form)
        assert (ends[0], "17:00" in ends, "16:00" in ends) == ("16:15", True, False)
        kept["start"] = kept.pop("from")
        kept.pop("_token")
        answer = await alice.post(f"/reservations/{made.uid}/move", **kept, to="17:30", title="加长专场")
        assert answer.status_code == 303
    after = await queries.reservation(centre.people.alice, made.uid)
    assert (after.starts_at, after.ends_at, after.title) == (made.starts_at, centre.at("17:30", "2026-11-24"), "加长专场")
