"""One request in flight, in order of rank."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from studio.obs.errors import AnswerTimeout, Dropped, LinkLost, NotSent, ObsError
from studio.obs.lane import Answer, Lane, Rank
from studio.obs.port import Step, StepResult
from studio.obs.protocol import Ask


class Wire:
    """Takes what a lane sends and answers when told to."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open: dict[str, Callable[[Answer | ObsError], None]] = {}
        self.forgotten: list[str] = []

    def post(self, ask: Ask, on_answer: Callable[[Answer | ObsError], None]) -> str:
        self.sent.append(ask.steps[0].request)
        self.open[ask.steps[0].request] = on_answer
        return ask.steps[0].request

    def answer(self, name: str) -> None:
        self.open.pop(name)((StepResult(name, 100),))


def ask(name: str, **data: Any) -> Ask:
    return Ask((Step(name, data),))


async def turn() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def lane_of(wire: Wire, answer_s: float = 60.0) -> Lane:
    return Lane(wire.post, wire.forgotten.append, answer_s=answer_s)


async def test_it_works(wire: Wire) -> None:
    asked = asyncio.create_task(lane_of(wire).ask(ask("A")))
    await turn()
    wire.answer("A")
    assert (await asked)[0].request == "A"


async def test_the_second_leaves_after_the_answer_to_the_first(wire: Wire) -> None:
    lane = lane_of(wire)
    both = [asyncio.create_task(lane.ask(ask(name))) for name in "AB"]
    await turn()
    assert wire.sent == ["A"]
    wire.answer("A")
    await turn()
    assert wire.sent == ["A", "B"]
    wire.answer("B")
    await asyncio.gather(*both)
    assert lane.idle


async def test_a_write_goes_before_a_poll_and_a_picture_last(wire: Wire) -> None:
    lane = lane_of(wire)
    ranks = {"first": Rank.WRITE, "picture": Rank.PICTURE, "poll": Rank.POLL, "write": Rank.WRITE}
    tasks = [asyncio.create_task(lane.ask(ask(name), rank=rank)) for name, rank in ranks.items()]
    await turn()
    for name in ("first", "write", "poll", "picture"):
        wire.answer(name)
        await turn()
    await asyncio.gather(*tasks)
    assert wire.sent == ["first", "write", "poll", "picture"]


async def test_urgent_goes_past_everybody(wire: Wire) -> None:
    lane = lane_of(wire)
    stuck = asyncio.create_task(lane.ask(ask("A")))
    await turn()
    urgent = lane.ask_now(ask("panic"))
    assert wire.sent == ["A", "panic"]
    wire.answer("panic")
    await urgent
    wire.answer("A")
    await stuck


async def test_waiting_moves_of_one_fader_become_one(wire: Wire) -> None:
    lane = lane_of(wire)
    stuck = asyncio.create_task(lane.ask(ask("A")))
    await turn()
    moves = [asyncio.create_task(lane.ask(ask(f"move{n}"), key="fader")) for n in range(5)]
    await turn()
    wire.answer("A")
    await turn()
    wire.answer("move4")
    await asyncio.gather(stuck, *moves)
    assert wire.sent == ["A", "move4"]


async def test_a_move_in_flight_is_not_replaced(wire: Wire) -> None:
    lane = lane_of(wire)
    moves = [asyncio.create_task(lane.ask(ask(f"move{n}"), key="fader")) for n in range(2)]
    await turn()
    wire.answer("move0")
    await turn()
    wire.answer("move1")
    await asyncio.gather(*moves)
    assert wire.sent == ["move0", "move1"]


async def test_a_cancelled_caller_keeps_the_lane_until_the_answer(wire: Wire) -> None:
    lane = lane_of(wire)
    gone = asyncio.create_task(lane.ask(ask("A")))
    next_one = asyncio.create_task(lane.ask(ask("B")))
    await turn()
    gone.cancel()
    await turn()
    assert wire.sent == ["A"]
    wire.answer("A")
    await turn()
    wire.answer("B")
    await next_one


async def test_no_answer_in_time_is_unknown_and_frees_the_lane(wire: Wire) -> None:
    lane = lane_of(wire, 0.02)
    with pytest.raises(AnswerTimeout):
        await lane.ask(ask("A"))
    assert wire.forgotten == ["A"]
    assert lane.idle


async def test_a_wait_that_is_over_was_never_sent(wire: Wire) -> None:
    lane = lane_of(wire)
    stuck = asyncio.create_task(lane.ask(ask("A")))
    await turn()
    with pytest.raises(NotSent):
        await lane.ask(ask("picture"), rank=Rank.PICTURE, wait_s=0.02)
    wire.answer("A")
    await stuck
    assert wire.sent == ["A"]


async def test_dropping_spares_the_one_in_flight(wire: Wire) -> None:
    lane = lane_of(wire)
    flying = asyncio.create_task(lane.ask(ask("A")))
    waiting = asyncio.create_task(lane.ask(ask("B")))
    await turn()
    lane.drop_waiting()
    with pytest.raises(Dropped):
        await waiting
    wire.answer("A")
    await flying


async def test_a_break_tells_sent_from_unsent_and_lasts(wire: Wire) -> None:
    lane = lane_of(wire)
    tasks = [asyncio.create_task(lane.ask(ask(name))) for name in "AB"]
    await turn()
    lane.break_off("gone")
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, LinkLost) and one.sent for one in outcomes] == [True, False]
    with pytest.raises(LinkLost):
        await lane.ask(ask("C"))
    with pytest.raises(LinkLost):
        await lane.ask_now(ask("panic"))


async def test_a_closed_gate_holds_everything_but_urgent(wire: Wire) -> None:
    lane = lane_of(wire)
    lane.gate(True)
    waiting = asyncio.create_task(lane.ask(ask("A")))
    await turn()
    lane.ask_now(ask("panic"))
    assert wire.sent == ["panic"]
    lane.gate(False)
    await turn()
    wire.answer("A")
    await waiting


async def test_what_is_in_flight_is_waited_for_urgent_or_not(wire: Wire) -> None:
    lane = lane_of(wire)
    flying = asyncio.create_task(lane.ask(ask("A")))
    await turn()
    lane.gate(True)
    waiting = asyncio.create_task(lane.ask(ask("B")))
    lane.ask_now(ask("panic"))
    landed = asyncio.create_task(lane.landed())
    for name in ("A", "panic"):
        await turn()
        assert lane.in_flight
        assert not landed.done()
        wire.answer(name)
    await landed
    assert not lane.in_flight
    assert wire.sent == ["A", "panic"]
    lane.break_off("gone")
    with pytest.raises(LinkLost):
        await waiting
    await flying


async def test_a_break_fails_what_was_sent_past_everybody_too(wire: Wire) -> None:
    lane = lane_of(wire)
    urgent = lane.ask_now(ask("panic"))
    landed = asyncio.create_task(lane.landed())
    await turn()
    lane.break_off("gone")
    with pytest.raises(LinkLost) as caught:
        await urgent
    assert caught.value.sent
    await landed
