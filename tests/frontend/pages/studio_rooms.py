"""A room with a simulated rig, a booking of Alice's and its session, and words of a director that does not run."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from booking.reservations import service as reservations
from booking.reservations.queries import ReservationFacts
from booking.units.queries import UnitFacts
from booking.units.service import NewUnit, add_unit
from incubator.ground import clock, database
from incubator.ground.values import new_uid
from studio.director import wire
from studio.director.wire import InputNow, LinkNow, OutputNow, OutputPhase, PlanNow, RigSnapshot
from studio.live_sessions import preparation
from studio.rigs import service as rigs
from studio.rigs.queries import RigFacts
from tests.people import HOUSE, People


class Room(msgspec.Struct, frozen=True):
    """One room with all that belongs to it."""

    unit: UnitFacts
    rig: RigFacts
    booking: ReservationFacts
    session: UUID
    session_id: int

    def says(self, **changes: Any) -> RigSnapshot:
        """Return what its director would say now."""
        said = RigSnapshot(
            rig=self.rig.id, driver="simulated", fence=1, epoch=1, version=1, at=clock.now(),
            link=LinkNow("online", 0.1), canvas_width=1080, canvas_height=1920, stand_by_scene="马上回来",
            audio_through_obs=False, scenes=("主播全景", "马上回来"), program="主播全景",
            inputs=(InputNow("主播麦", muted=False, volume_db=-3.0),),
            plan=PlanNow(session=self.session_id, session_uid=self.session, state="waiting_for_key"), obs_version="30.2",
            websocket_version="5.5.1", pictures_at=(1, 1))
        return msgspec.structs.replace(said, **changes)

    async def tell(self, redis: Any, silent_s: float = 0.0, **changes: Any) -> None:
        """Say it where the web looks, or have said it so many seconds ago."""
        left_ms = int((wire.SNAPSHOT_LIFE_S - silent_s) * 1000)
        await redis.set(wire.snapshot_key(self.rig.id), wire.encode(self.says(**changes)), px=left_ms if silent_s else None)

    async def airs(self, kind: str = "stream") -> None:
        """Write down, as a director does, that something goes out."""
        await database.execute("INSERT INTO air_spans (uid, rig, live_session, kind, started_at) VALUES ($1, $2, $3, $4, $5)",
                               new_uid(), self.rig.id, self.session_id, kind, clock.now())

    async def begins(self) -> datetime:
        """Check the party in, as if the booking had begun."""
        await database.execute("UPDATE reservations SET state = 'checked_in', checked_in_at = $2 WHERE id = $1", self.booking.id,
                               clock.now())
        return clock.now()


ON_AIR = OutputNow(OutputPhase.LIVE, datetime.fromisoformat("2026-11-23T05:00:00+00:00"))


async def make_room(people: People, code: str = "L1") -> Room:
    """Make room, rig, booking at the next quarter of an hour (its setup has begun) and session."""
    new = NewUnit("live_room", code, f"{code} 号间", f"Room {code}", setup_min=60, teardown_min=15)
    unit = await add_unit(HOUSE, people.site.id, new)
    rig = await rigs.add(HOUSE, unit.id, rigs.SetUp("simulated", lead_min=60))
    at = clock.now().replace(second=0, microsecond=0)
    start = at.replace(minute=at.minute // 15 * 15) + timedelta(minutes=15)
    wish = reservations.Wish(unit.uid, start, start + timedelta(minutes=60), "铁棍山药专场", people.sunrise_id)
    booking = await reservations.reserve(people.alice, wish)
    await preparation.follow(booking.id)
    row = await database.fetchrow("SELECT uid, id FROM live_sessions WHERE reservation = $1", booking.id)
    return Room(unit, rig, booking, row["uid"], row["id"])
