"""What the sheet warns of is what the verbs refuse: each refusal that a wish can meet, asked of the check, then of the verb."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from booking.calendars import service as calendars
from booking.reservations import questions, refusals, service
from booking.reservations.queries import ReservationFacts
from booking.reservations.service import Changes, Wish
from booking.units import service as units
from frontend import i18n
from frontend.pages.booking_sheet import Sheet, Wanted, sheet_of, space_of, wanted_of, wanted_span, wish_of
from frontend.pages.booking_words import refusal_text
from incubator.accounts.queries import actor_of
from incubator.ground import clock, database
from incubator.ground.errors import Forbidden, Invalid, KaiboError
from incubator.ground.rights import Actor
from incubator.ground.values import Span
from incubator.merchants import service as merchants
from tests.frontend.pages.conftest import DAY, HOUSE, NOW, Centre, in_days
from tests.people import People

Deed = Callable[[Centre], Awaitable[Any]]
TODAY = f"{NOW:%Y-%m-%d}"


async def nothing(_centre: Centre) -> None:
    """Leave everything as it is."""


def taken(starts: str, ends: str, **options: Any) -> Deed:
    """Let Charlie have the first room."""
    async def deed(centre: Centre) -> None:
        await centre.book(centre.people.charlie, 0, starts, ends, **options)
    return deed


def status(word: str) -> Deed:
    """Let the merchant be paused, or have left."""
    async def deed(centre: Centre) -> None:
        await merchants.set_status(centre.people.mia, centre.people.sunrise_id, 1, word, "租约到期")
    return deed


async def closed(centre: Centre) -> None:
    """Close the first room around noon."""
    span = Span(centre.at("12:00"), centre.at("17:00"))
    await calendars.close(HOUSE, calendars.Extent(unit_ids=(centre.rooms[0].id,)), span, reason="排风检修")


async def retired(centre: Centre) -> None:
    """Take the second room out of use."""
    await units.retire(HOUSE, centre.rooms[1].id, version=centre.rooms[1].version)


async def bob_presents(centre: Centre) -> None:
    """Let Bob present in the second room."""
    await service.reserve(centre.people.alice, Wish(
        centre.rooms[1].uid, centre.at("15:00"), centre.at("17:00"), host_id=centre.people.bob.person_id))


async def eight_hours(centre: Centre) -> None:
    """Use eight of the ten hours of the week."""
    await centre.book(centre.people.alice, 1, "08:15", "16:15")


async def uid_of_person(actor: Actor) -> UUID:
    """Return a person's public id."""
    found: UUID = await database.fetchval("SELECT uid FROM people WHERE id = $1", actor.person_id)
    return found


@dataclass(frozen=True)
class Case:
    """A wish that is refused: what happened before, what the form says, who asks, and which refusal it is."""

    name: str
    refusal: type[KaiboError]
    before: Deed = nothing
    starts: str = "15:00"
    ends: str = "17:00"
    day: str = DAY
    more: dict[str, str] = field(default_factory=dict)
    who: str = "alice"
    host: str = ""
    at: datetime = NOW
    room: int = 0


OF_TIME = [
    Case("past", refusals.Past, day=TODAY, starts="10:00", ends="12:00"),
    Case("too far ahead", refusals.TooFarAhead, day=in_days(90)),
    Case("closed", refusals.RoomClosed, closed),
    Case("setup in a closure", refusals.RoomClosed, closed, starts="17:00", ends="19:00"),
    Case("outside hours", refusals.OutsideHours, starts="21:00", ends="23:00"),
    Case("off the step", Invalid, starts="15:07"),
    Case("too short", Invalid, starts="16:45"),
    Case("too long", Invalid, starts="08:00", ends="21:00"),
    Case("reversed", Invalid, starts="17:00", ends="16:00"),
    Case("no time", Invalid, starts="soon"),
    Case("taken", refusals.SlotTaken, taken("16:00", "18:00")),
    Case("setup clash", refusals.SetupOverlaps, taken("12:00", "14:45")),
    Case("teardown clash", refusals.TeardownOverlaps, taken("17:15", "19:00")),
    Case("filled in by another", refusals.BeingFilledIn, taken("16:00", "18:00", hold=True, page_key="theirs")),
    Case("over quota", refusals.OverQuota, eight_hours, starts="17:00", ends="20:00"),
    Case("merchant paused", refusals.MerchantPaused, status("paused")),
    Case("room retired", Invalid, retired, room=1),
]
WISHES = [
    *OF_TIME,
    Case("host taken", refusals.HostTaken, bob_presents, host="bob"),
    Case("a stranger as host", Invalid, host="charlie"),
    Case("title too long", Invalid, more={"title": "山" * 81}),
    Case("staff, paused merchant", refusals.MerchantPaused, status("paused"), who="dora"),
    Case("staff, merchant left", refusals.MerchantPaused, status("left"), who="dora"),
    Case("staff, taken", refusals.SlotTaken, taken("16:00", "18:00"), who="dora"),
    Case("people of one that left", Forbidden, status("left")),
    Case("no merchant", Forbidden, who="aud"),
]
DURING = datetime(2026, 11, 25, 10, 30, tzinfo=NOW.tzinfo)


async def cancelled(centre: Centre) -> None:
    """Cancel what is to be moved."""
    uid = await database.fetchval("SELECT uid FROM reservations WHERE merchant = $1", centre.people.sunrise_id)
    await service.cancel(centre.people.alice, uid)


MOVES = [
    *OF_TIME,
    Case("begun, another start", refusals.HasBegun, at=DURING),
    Case("begun, into a closure", refusals.RoomClosed, closed, starts="10:00", ends="13:00", at=DURING),
    Case("cancelled", refusals.WrongState, cancelled),
    Case("an auditor", Forbidden, who="aud"),
]


async def asked(centre: Centre, case: Case, move: ReservationFacts | None = None) -> tuple[Actor, Wanted]:
    """Return who asks, as they are now, and what the form says."""
    people: People = centre.people
    actor = await actor_of(getattr(people, case.who).person_id)
    assert actor is not None
    fields = {"kind": "live_room", "space": str(centre.rooms[case.room].uid), "date": case.day, "from": case.starts, "to": case.ends,
              "page_key": "mine", **case.more}
    fields["for"] = str(people.sunrise_uid) if case.who == "dora" else ""
    fields["host"] = str(await uid_of_person(getattr(people, case.host))) if case.host else ""
    return actor, wanted_of(fields, move)


def holds_together(sheet: Sheet, refusal: KaiboError, case: Case) -> None:
    """Hold the sheet's first alarm against the refusal: the same code, and where both know as much the same words."""
    assert type(refusal).__name__.replace("Clash", "SlotTaken") == case.refusal.__name__
    alarms = [one for one in sheet.findings if one.kind == "alarm"]
    assert sheet.is_bad
    assert alarms[0].code == refusal.code
    is_as_a_whole = not isinstance(refusal, Invalid | Forbidden) and case.refusal is not refusals.SlotTaken
    assert not is_as_a_whole or case.who == "dora" or alarms[0].text == refusal_text(refusal)


@pytest.mark.parametrize("case", WISHES, ids=lambda case: case.name)
async def test_what_reserve_refuses_the_sheet_warns_of(centre: Centre, case: Case) -> None:
    await case.before(centre)
    actor, wanted = await asked(centre, case)
    site = centre.people.site
    i18n.use("zh_CN", site.zone)
    sheet = await sheet_of(actor, site, wanted)
    with pytest.raises(KaiboError) as refused:
        await service.reserve(actor, await wish_of(actor, site, wanted), page_key="mine")
    holds_together(sheet, refused.value, case)


@pytest.mark.parametrize("case", MOVES, ids=lambda case: case.name)
async def test_what_move_refuses_the_sheet_warns_of(centre: Centre, case: Case) -> None:
    made = await centre.book(centre.people.alice, 0, "10:00", "11:00")
    await case.before(centre)
    with clock.frozen_at(case.at):
        actor, wanted = await asked(centre, case, made)
        assert await compare_move(centre, case, actor, wanted, made) == case.refusal.code


async def compare_move(centre: Centre, case: Case, actor: Actor, wanted: Wanted, made: ReservationFacts) -> str:
    """Ask sheet and verb about a move, and return the refusal's code."""
    site = centre.people.site
    i18n.use("zh_CN", site.zone)
    sheet = await sheet_of(actor, site, wanted)
    version = await database.fetchval("SELECT version FROM reservations WHERE id = $1", made.id)
    with pytest.raises(KaiboError) as refused:
        span = await wanted_span(wanted, site)
        await service.move(actor, made.uid, Changes(span.starts_at, span.ends_at, (await space_of(wanted)).uid), version=version)
    holds_together(sheet, refused.value, case)
    return refused.value.code


async def test_a_move_after_the_cut_off(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    async def before(_reservation: int) -> datetime:
        return DURING - timedelta(minutes=1)

    made = await centre.book(centre.people.alice, 0, "10:00", "11:00")
    case = Case("cut off", refusals.CutOff, starts="10:00", ends="12:00", at=DURING)
    monkeypatch.setattr(questions, "cut_offs", [before])
    with clock.frozen_at(case.at):
        assert await compare_move(centre, case, *await asked(centre, case, made), made) == "cut-off"


async def test_a_move_of_a_host_who_is_taken(centre: Centre) -> None:
    await bob_presents(centre)
    made = await service.reserve(centre.people.alice, Wish(
        centre.rooms[0].uid, centre.at("10:00"), centre.at("11:00"), host_id=centre.people.bob.person_id))
    case = Case("host taken", refusals.HostTaken)
    assert await compare_move(centre, case, *await asked(centre, case, made), made) == "slot-taken"


ALLOWED = [
    Case("free", Invalid),
    Case("back to back with setup", Invalid, taken("17:30", "19:00")),
    Case("staff beyond the quota", Invalid, eight_hours, starts="17:00", ends="20:00", who="dora"),
    Case("staff in the running step", Invalid, day=TODAY, starts="14:15", ends="16:15", who="dora"),
]


@pytest.mark.parametrize("case", ALLOWED, ids=lambda case: case.name)
async def test_what_the_sheet_does_not_warn_of_is_booked(centre: Centre, case: Case) -> None:
    await case.before(centre)
    actor, wanted = await asked(centre, case)
    sheet = await sheet_of(actor, centre.people.site, wanted)
    assert not sheet.is_bad
    assert [one.kind for one in sheet.findings if one.kind == "alarm"] == []
    made = await service.reserve(actor, await wish_of(actor, centre.people.site, wanted))
    assert made.number is not None


async def test_a_paused_merchant_reads_it_before_booking(centre: Centre, visit: Any) -> None:
    await status("paused")(centre)
    visitor = await visit(centre.people.alice)
    query = f"space={centre.rooms[0].uid}&date={DAY}&from=10:00&to=12:00&kind=live_room"
    for page in (f"/reservations/check?{query}", f"/book?{query}&hours=2"):
        text = (await visitor.get(page, partial=True)).text
        assert "朝阳山药已暂停或离开，不能预约。请联系前台。" in text
        assert 'class="alt"' not in text
    answer = await visitor.post("/reservations/new", space=centre.rooms[0].uid, date=DAY, start="10:00", to="12:00")
    assert answer.status_code == 409


async def test_a_look_writes_nothing(centre: Centre) -> None:
    """The first booking makes a host's unit; looking whether the host is free does not."""
    actor, wanted = await asked(centre, Case("free", Invalid, host="bob"))
    assert not (await sheet_of(actor, centre.people.site, wanted)).is_bad
    assert await database.fetchval("SELECT count(*) FROM units WHERE kind = 'person'") == 0


async def test_a_title_is_told_to_whoever_may_see_it(centre: Centre) -> None:
    await centre.book(centre.people.charlie, 0, "17:15", "19:00", "怀菊花茶秋季场")
    for who, words in (("dora", "而「怀菊花茶秋季场」从 17:00 开始布场"), ("alice", "而另一场预约从 17:00 开始布场")):
        actor, wanted = await asked(centre, Case("", Invalid, who=who))
        i18n.use("zh_CN", centre.people.site.zone)
        texts = [one.text for one in (await sheet_of(actor, centre.people.site, wanted)).findings]
        assert any(words in text for text in texts)
        assert who == "dora" or not any("怀菊" in text for text in texts)


async def test_a_move_that_changes_nothing_meets_nothing(centre: Centre) -> None:
    made = await centre.book(centre.people.alice, 0, "10:00", "11:00")
    actor, wanted = await asked(centre, Case("", Invalid, starts="10:00", ends="11:00"), made)
    sheet = await sheet_of(actor, centre.people.site, wanted)
    assert [one.code for one in sheet.findings] == ["unchanged"]
    assert not sheet.is_bad
    await service.move(actor, made.uid, Changes(made.starts_at, made.ends_at, made.unit_uid), version=1)
