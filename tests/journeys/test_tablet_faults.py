"""A tablet in use on a show while parts of the house die, freeze and come back: what open pages say, and what still works."""

import asyncio
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import psutil
import pytest
from obswebsocket import requests
from playwright.sync_api import Page, WebSocketRoute, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from incubator.ground.servers import start_postgres, start_valkey
from studio.obs.port import Step
from tests.journeys.conftest import Desk, Town, open_town
from tests.journeys.show import LOST, PATIENCE_MS, WATCH, Show, take
from tests.journeys.test_tablet import Phone, bind, room, tile, wait_until
from tests.obs_faults import PASSWORD as FAULT_PASSWORD, FaultServer
from tests.obs_rig import SCENES, Ingest, ObsRig, require

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A centre of our own: its parts are killed."""
    with open_town(tmp_path_factory.mktemp("shaken")) as made:
        yield made


@pytest.fixture
def desk(browser: Any, town: Town) -> Iterator[Desk]:
    """Browsers for one test; faults may stand in their consoles."""
    made = Desk(browser, town)
    yield made
    for context in made.contexts:
        context.close()


def whole(pid: int, number: signal.Signals) -> None:
    """Send a signal to a server and to each of its processes."""
    first = psutil.Process(pid)
    for process in (first, *first.children(recursive=True)):
        process.send_signal(number)


def rows(town: Town, sql: str) -> list[Any]:
    """Ask the database; from a thread of its own, since the browser's loop runs in this one."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(town.postgres.dsn)
        found: list[Any] = await connection.fetch(sql)
        await connection.close()
        return found

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask()).result(20)


def ran(town: Town, show: Show) -> list[str]:
    """Return the scenes, mutes and panics that the log of a show has kept."""
    uid = show.session.url.rstrip("/").split("/")[-1]
    found = rows(town, "SELECT a.what, a.detail->>'scene' AS scene FROM as_run a JOIN live_sessions s ON s.id = a.live_session"
                       f" WHERE s.uid = '{uid}' AND a.what IN ('scene', 'mute', 'panic') ORDER BY a.id")
    return [row["scene"] or row["what"] for row in found]


def test_a_phone_takes_over_at_once_from_a_dead_tablet(desk: Desk, phone: Phone, town: Town) -> None:
    show = Show(desk, phone, town, 1)
    take(show.tablet, "双人")
    show.session.click("text=打开控制页")
    english = desk.sign_in(desk.page(390, 844, is_mobile=True, locale="en-GB"), "Alice")
    english.goto(show.session.url)
    expect(show.session.locator("#lease-who")).to_have_text("平板在操控")
    for _ in range(3):  # a tablet that reloads its page is not dead
        show.tablet.reload()
        show.tablet.wait_for_selector(".tile")
        expect(show.tablet.locator("#lease-who")).to_have_text("你在操控")
        expect(show.session.locator("#take-why")).to_be_hidden()
        expect(show.session.locator("#take-word")).to_have_text("请求接管")
    context = show.tablet.context
    show.tablet.close()
    expect(show.session.locator("#take-why")).to_have_text(re.compile(r"^平板已 \d+ 秒没有回应$"), timeout=PATIENCE_MS)
    expect(show.session.locator("#take-word")).to_have_text("现在接管", timeout=PATIENCE_MS)
    expect(english.locator("#take-word")).to_have_text("Take over now")
    expect(english.locator("#take-why")).to_have_text(re.compile(r"^The tablet has not been heard for 1\d s$"))
    desk.check_accessibility(show.session)
    assert english.evaluate("document.documentElement.scrollWidth") == 390
    show.session.tap("#take")
    expect(show.session.locator("#lease-who")).to_have_text("你在操控")
    take(show.session, "产品特写")
    back = context.new_page()
    back.goto("/tablet")
    expect(back.locator("#lease-who")).to_have_text("Alice在操控")
    back.tap("#take")
    expect(show.session.locator("#ask-title")).to_have_text("平板（1 号间）想接管操控")
    show.session.tap("#ask-hand")
    expect(back.locator("#lease-who")).to_have_text("你在操控")
    show.put_away()


def test_a_killed_director_shows_everywhere_and_comes_back(desk: Desk, phone: Phone, town: Town) -> None:
    show = Show(desk, phone, town, 1)
    take(show.tablet, "双人")
    show.go_on_air()
    expect(show.session.locator(".stl.air")).to_be_visible()
    watch = show.watch()
    town.kill("director")
    watch.check()
    show.check_stale()
    desk.check_accessibility(show.tablet)
    expect(show.session.locator(".stl.alarm")).to_contain_text("断开", timeout=PATIENCE_MS)
    # a page that is opened now knows no better
    show.session.click("text=打开控制页")
    expect(show.session.locator("#main")).to_have_attribute("data-lost", "1")
    town.start("director")
    show.check_current()
    take(show.tablet, "产品特写")
    expect(tile(show.session, "产品特写")).to_have_attribute("aria-pressed", "true")


def refused(tablet: Page, address: str) -> int:
    """Open a new control socket as this tablet, and return the status with which it is refused."""
    cookies = "; ".join(f"{one['name']}={one['value']}" for one in tablet.context.cookies())
    with pytest.raises(InvalidStatus) as told, connect(
            address.replace("http", "ws"), origin=tablet.url.rsplit("/", 1)[0], additional_headers={"cookie": cookies},
            open_timeout=20):
        raise AssertionError("it was let in")
    return told.value.response.status_code


def without_database(show: Show, town: Town, late: Page, sockets: list[WebSocketRoute]) -> None:
    """Work on a show while the database is away, and have a page that loses its socket say why it gets no other."""
    tablet = show.tablet
    take(tablet, "产品特写")
    tablet.locator(".chn", has_text="背景音乐").locator("button").tap()
    expect(tablet.locator('.chn [aria-pressed="true"]')).to_have_count(1)
    tablet.tap("#panic")
    expect(tile(tablet, "马上回来")).to_have_attribute("aria-pressed", "true")
    expect(tablet.locator("#over-title")).to_have_text("已遮屏")
    tablet.tap("#over-act")
    expect(tile(tablet, "产品特写")).to_have_attribute("aria-pressed", "true")
    assert refused(tablet, f"{show.session.url}/control") == 503
    fresh = tablet.context.new_page()
    fresh.goto("/tablet", timeout=PATIENCE_MS)
    expect(fresh.locator("h1")).to_contain_text("再试")
    sockets[-1].close()
    expect(late.locator("#health")).to_have_text("预约数据暂时连不上", timeout=PATIENCE_MS)
    expect(late.locator("#over-title")).to_contain_text("预约暂时读不到", timeout=PATIENCE_MS)
    # the tablet is told by the director, and goes on
    expect(tablet.locator("#health")).to_have_text("预约数据暂时连不上", timeout=PATIENCE_MS)
    take(tablet, "俯拍台面")


@pytest.mark.parametrize("fault", ["frozen", "killed"])
def test_without_postgresql_a_show_goes_on(desk: Desk, phone: Phone, town: Town, fault: str) -> None:
    show = Show(desk, phone, town, 2 if fault == "frozen" else 4)
    take(show.tablet, "双人")
    show.go_on_air()
    late, sockets = phone("Dora"), []

    def carry(route: WebSocketRoute) -> None:
        route.connect_to_server()
        sockets.append(route)

    late.route_web_socket(re.compile("/control$"), carry)
    late.goto(f"{show.session.url}/control")
    expect(late.locator("#main")).to_have_attribute("data-lost", "0")
    if fault == "frozen":
        whole(town.postgres.pid, signal.SIGSTOP)
    else:
        whole(town.postgres.pid, signal.SIGKILL)
        town.postgres.stop()
    try:
        without_database(show, town, late, sockets)
    finally:
        if fault == "frozen":
            whole(town.postgres.pid, signal.SIGCONT)
        else:
            town.postgres = start_postgres(town.folder / "pg", fast=True)
    expect(show.tablet.locator("#health")).to_have_text("运行正常", timeout=PATIENCE_MS)
    expect(late.locator("#health")).to_have_text("运行正常", timeout=PATIENCE_MS)
    show.tablet.context.pages[-1].wait_for_selector(".tile", timeout=PATIENCE_MS)  # nobody touched it
    show.check_current()
    expect(show.tablet.locator("#main")).to_have_attribute("data-air", "1")
    wanted = ["双人", "产品特写", "mute", "马上回来", "panic", "产品特写", "panic", "俯拍台面"]
    wait_until(show.tablet, lambda: len(ran(town, show)) >= len(wanted), 40)
    assert sorted(ran(town, show)) == sorted(wanted)


def test_valkey_dies_and_comes_back(desk: Desk, phone: Phone, town: Town) -> None:
    show = Show(desk, phone, town, 3)
    take(show.tablet, "双人")
    show.go_on_air()
    watch = show.watch()
    town.valkey.process.kill()
    town.valkey.stop()
    try:
        watch.check()
        show.check_stale()
        # panic has a second way, by the database
        show.tablet.tap("#panic")
        panicked = "SELECT 1 FROM panic_calls WHERE handled_at IS NOT NULL AND called_at > now() - interval '30 seconds'"
        wait_until(show.tablet, lambda: bool(rows(town, panicked)))
    finally:
        town.valkey = start_valkey(town.folder / "valkey")
    show.check_current()
    expect(tile(show.tablet, "马上回来")).to_have_attribute("aria-pressed", "true")
    show.tablet.tap("#over-act")
    expect(tile(show.tablet, "双人")).to_have_attribute("aria-pressed", "true")
    take(show.tablet, "俯拍台面")


@pytest.fixture(scope="module")
def obs() -> Iterator[ObsRig]:
    """A real OBS with a small portrait canvas."""
    require("obs", "Xvfb", "ffmpeg")
    with ObsRig() as rig:
        yield rig


@pytest.fixture
def real(desk: Desk, phone: Phone, town: Town, obs: ObsRig) -> Iterator[Show]:
    """A show in room 6, which has the real OBS; its tablet is new, and goes away with its test."""
    operator = desk.sign_in(desk.page(1440, 900, touch=False), "Olaf")
    operator.goto(f"/rigs/{room(town, 6)['rig']}")
    if operator.locator("select[name=driver]").input_value() != "obs":
        bind(operator, town, obs)
    operator.close()
    show = Show(desk, phone, town, 6)
    show.check_current()
    yield show
    show.put_away()


def program(obs: ObsRig) -> str:
    """Return the scene that OBS itself says is on."""
    with obs.client() as hand:
        return str(hand.call(requests.GetCurrentProgramScene()).datain["currentProgramSceneName"])


@pytest.mark.obs
def test_real_obs_streams_on_while_its_director_is_dead(real: Show, town: Town, obs: ObsRig) -> None:
    with Ingest() as ingest:
        real.go_on_air(f"{ingest.server}/key?sign=7f3kq9xywv")
        wait_until(real.tablet, lambda: ingest.taken_bytes() > 5_000)
        watch = real.watch()
        town.kill("director")
        watch.check()
        real.check_stale()
        taken = ingest.taken_bytes()
        wait_until(real.tablet, lambda: ingest.taken_bytes() > taken)
        with obs.client() as hand:
            hand.call(requests.SetCurrentProgramScene(sceneName=SCENES[1]))
        town.start("director")
        real.check_current()
        expect(real.tablet.locator("#tally-word")).to_have_text("推流中")
        expect(tile(real.tablet, SCENES[1])).to_have_attribute("aria-pressed", "true")
        take(real.tablet, SCENES[0])
        assert program(obs) == SCENES[0]
        assert len(rows(town, f"SELECT 1 FROM air_spans a JOIN rigs r ON r.id = a.rig WHERE r.uid = '{room(town, 6)['rig']}'")) == 1
        obs.settle()
    expect(real.tablet.locator("#tally-word")).not_to_have_text("推流中")


@pytest.mark.obs
@pytest.mark.parametrize("fault", ["killed", "silent"])
def test_real_obs_goes_away_and_comes_back(real: Show, obs: ObsRig, fault: str) -> None:
    take(real.tablet, SCENES[0])
    # nothing stands still on an idle line: for as long as a page would need to call it stale, it does not
    real.tablet.evaluate(WATCH.replace("TEST", LOST))
    real.tablet.wait_for_timeout(6000)
    assert real.tablet.evaluate("window.tookMs") == 0
    watch = real.watch()
    if fault == "killed":
        obs.kill()
    else:
        obs.freeze()
    watch.check()
    real.tablet.locator('.tile[aria-pressed="false"]').first.tap()
    expect(real.tablet.locator("#toast")).to_be_visible()
    if fault == "killed":
        obs.start()
    else:
        obs.thaw()
    with obs.client() as hand:
        hand.call(requests.SetCurrentProgramScene(sceneName=SCENES[1]))
    real.check_current()
    expect(tile(real.tablet, SCENES[1])).to_have_attribute("aria-pressed", "true")
    take(real.tablet, SCENES[0])
    assert program(obs) == SCENES[0]


def test_a_dropped_link_and_a_wrong_password(desk: Desk, phone: Phone, town: Town) -> None:
    with FaultServer() as server:
        operator = desk.sign_in(desk.page(1440, 900, touch=False), "Olaf")
        operator.goto(f"/rigs/{room(town, 5)['rig']}")
        operator.select_option("select[name=driver]", "obs")
        operator.fill("input[name=address]", f"ws://127.0.0.1:{server.port}")
        operator.fill("input[name=password]", FAULT_PASSWORD)
        operator.click("text=保存")
        show = Show(desk, phone, town, 5)
        take(show.tablet, "双人")
        show.go_on_air()
        for code, word in ((None, "OBS"), (4009, "OBS 拒绝")):
            watch = show.watch()
            server.close_identify = code
            if code is None:
                server.stop_listening()
            else:
                server.reset_all()
            watch.check()
            expect(show.rig.locator("#rig-state .chip")).to_contain_text(word)
            expect(show.tablet.locator("#tally")).to_have_class(re.compile(r"\bold\b"))
            server.close_identify = None
            server.machine.carry(Step("SetCurrentProgramScene", {"sceneName": "产品特写"}))
            if code is None:
                server.listen_again()
            show.check_current()
            expect(tile(show.tablet, "产品特写")).to_have_attribute("aria-pressed", "true")
            expect(show.tablet.locator("#tally-word")).to_have_text("推流中")
            take(show.tablet, "双人")
