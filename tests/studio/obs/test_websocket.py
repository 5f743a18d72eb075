"""One connection: each limit of the protocol library that the subclass answers."""

import logging
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from obswebsocket import requests

from studio.obs import websocket
from studio.obs.errors import AnswerTimeout, BadAnswer, LinkLost, NotFoundInObs, ObsError, Unreachable, WrongPassword
from studio.obs.port import Step
from studio.obs.protocol import Ask
from studio.obs.redaction import LOGGERS
from studio.obs.websocket import ObsSocket, _Frames
from tests.obs_faults import PASSWORD, PATIENCE_S, FaultServer

QUICKACK = 12  # as Linux calls it
STATS = Ask((Step("GetStats"),))


@contextmanager
def connected(server: FaultServer, on_event: Callable[[str, Mapping[str, Any]], None] | None = None) -> Iterator[ObsSocket]:
    client = ObsSocket("127.0.0.1", server.port, PASSWORD, on_event=on_event)
    client.connect()
    try:
        yield client
    finally:
        client.disconnect()


def true(is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.005)


def test_it_works(server: FaultServer) -> None:
    with connected(server) as client:
        assert client.call(requests.GetVersion()).getObsWebSocketVersion() == "5.2.0"
        assert client.hello["rpcVersion"] == 1


def test_limit_2_a_refusal_keeps_its_code_and_comment(server: FaultServer) -> None:
    with connected(server) as client, pytest.raises(NotFoundInObs) as caught:
        client.call(requests.SetCurrentProgramScene(sceneName="没有"))
    assert (caught.value.code, caught.value.request) == (600, "SetCurrentProgramScene")
    assert "没有" in caught.value.comment


def test_limit_3_a_batch_brings_all_results_in_order(server: FaultServer) -> None:
    ask = Ask((Step("GetStats"), Step("MakeCoffee"), Step("GetVersion")), batch=True)
    with connected(server) as client:
        results = client.call_batch(ask)
    assert [(result.request, result.code) for result in results] == [("GetStats", 100), ("MakeCoffee", 204), ("GetVersion", 100)]


def test_limit_4_many_threads_never_share_an_id(server: FaultServer) -> None:
    answers: list[str] = []

    def ask_often(client: ObsSocket) -> None:
        answers.extend(client.call_batch(STATS)[0].request for _ in range(40))

    with connected(server) as client:
        threads = [threading.Thread(target=ask_often, args=(client,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert client.waiting == 0
    assert answers == ["GetStats"] * 320


def test_limit_5_an_answer_after_its_timeout_is_dropped_in_peace(server: FaultServer) -> None:
    server.late_s["GetStats"] = 60
    with connected(server) as client:
        with pytest.raises(AnswerTimeout):
            client.call_batch(STATS, timeout_s=0.05)
        answered_at = client.answered_at
        server.clear()
        true(lambda: client.answered_at > answered_at)
        assert client.call(requests.GetVersion()).status
        assert client.waiting == 0


def test_limit_6_a_failing_callback_ends_the_connection_audibly(server: FaultServer) -> None:
    ends: list[ObsError] = []

    def fail(_name: str, _data: Mapping[str, Any]) -> None:
        raise KeyError("a bug of ours")

    client = ObsSocket("127.0.0.1", server.port, PASSWORD, on_event=fail, on_end=ends.append)
    client.connect()
    server.say("CurrentProgramSceneChanged", {"sceneName": "双人"})
    true(lambda: bool(ends))
    assert "KeyError" in str(ends[0])
    with pytest.raises(LinkLost):
        client.call_batch(STATS)


def test_limit_7_a_call_from_within_a_callback_is_refused_at_once(server: FaultServer) -> None:
    caught: list[Exception] = []

    def call_inside(_name: str, _data: Mapping[str, Any]) -> None:
        try:
            client.call_batch(STATS)
        except RuntimeError as error:
            caught.append(error)

    with connected(server, call_inside) as client:
        server.say("CurrentProgramSceneChanged", {"sceneName": "双人"})
        true(lambda: bool(caught))
        assert client.call(requests.GetVersion()).status


def test_limit_8_closing_from_within_a_callback_is_allowed(server: FaultServer) -> None:
    done = threading.Event()

    def close_inside(_name: str, _data: Mapping[str, Any]) -> None:
        client.disconnect()
        done.set()

    with connected(server, close_inside) as client:
        server.say("CurrentProgramSceneChanged", {"sceneName": "双人"})
        assert done.wait(PATIENCE_S)
        assert client.thread_recv
        client.thread_recv.join(PATIENCE_S)
        assert not client.thread_recv.is_alive()


def test_limits_9_and_12_a_reset_fails_all_that_waits_at_once(server: FaultServer) -> None:
    ends: list[ObsError] = []
    answers: list[Any] = []
    server.swallow.add("GetStats")
    client = ObsSocket("127.0.0.1", server.port, PASSWORD, on_end=ends.append)
    client.connect()
    for _ in range(5):
        client.post(STATS, answers.append)
    true(lambda: server.seen.count("GetStats") == 5)
    server.reset_all()
    true(lambda: len(answers) == 5)
    assert all(isinstance(answer, LinkLost) and answer.sent for answer in answers)
    assert len(ends) == 1


def test_limit_15_the_close_code_is_kept(server: FaultServer) -> None:
    ends: list[ObsError] = []
    client = ObsSocket("127.0.0.1", server.port, PASSWORD, on_end=ends.append)
    client.connect()
    server.close_all(1001)
    true(lambda: bool(ends))
    assert "1001 scripted" in str(ends[0])


def test_limit_16_a_failed_login_leaves_no_socket_open(server: FaultServer) -> None:
    client = ObsSocket("127.0.0.1", server.port, "guess")
    with pytest.raises(WrongPassword):
        client.connect()
    assert client.ws
    assert client.ws.sock is None
    client.disconnect()


def test_limit_16_closing_before_connecting_is_fine() -> None:
    client = ObsSocket("127.0.0.1", 1, PASSWORD)
    client.disconnect()
    client.disconnect()
    with pytest.raises(LinkLost) as caught:
        client.call_batch(STATS)
    assert not caught.value.sent


def test_limit_17_a_failed_send_leaves_nothing_waiting(server: FaultServer) -> None:
    with connected(server) as client:
        assert client.ws
        client.ws.shutdown()  # type: ignore[no-untyped-call]  # websocket-client is partly annotated
        for _ in range(10):
            with pytest.raises(LinkLost):
                client.post(STATS, lambda _: None)
        assert client.waiting == 0


def test_limit_19_an_address_of_the_new_internet_gets_its_brackets() -> None:
    assert ObsSocket("fd00::7", 4455, "")._url() == "ws://[fd00::7]:4455"
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(Unreachable):
            ObsSocket("::1", port, "").connect(0.2)


def test_limit_20_port_4444_speaks_the_new_protocol_too() -> None:
    assert ObsSocket("127.0.0.1", 4444, "").legacy is False


def test_limit_21_no_key_and_no_proof_reach_the_logs(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = {"server": "rtmp://a/live", "key": "very-secret-key", "password": "very-secret-word"}
    with connected(server) as client:
        caplog.set_level(logging.DEBUG, logger="obswebsocket.core")
        client.call(requests.SetStreamServiceSettings(streamServiceType="rtmp_custom", streamServiceSettings=settings))
        client.call(requests.GetStreamServiceSettings())
        server.close_all(4011)
    ours = [record.getMessage() for record in caplog.records if record.name.split(".")[0] in {*LOGGERS, "studio"}]
    assert not [line for line in ours if "very-secret" in line or "authentication" in line]


def test_limit_23_what_crosses_the_border_can_be_packed(server: FaultServer) -> None:
    with connected(server) as client:
        results = client.call_batch(STATS)
    assert pickle.loads(pickle.dumps(results)) == results
    assert msgspec.json.encode(results)


def test_what_is_no_request_is_refused(server: FaultServer) -> None:
    with connected(server) as client, pytest.raises(BadAnswer):
        client.call("GetStats")


def test_a_lost_connection_is_replaced_never_mended(server: FaultServer) -> None:
    with connected(server) as client, pytest.raises(RuntimeError):
        client.reconnect()


def test_a_password_is_not_needed_where_obs_asks_for_none() -> None:
    client = ObsSocket("127.0.0.1", 1, "")
    sent: list[dict[str, Any]] = []
    replies = iter([{"op": 0, "d": {"rpcVersion": 1}}, {"op": 2, "d": {}}])
    client._receive = lambda: next(replies)  # type: ignore[method-assign]  # a wire of the test's own
    client._send = sent.append  # type: ignore[method-assign, assignment]  # the same
    client._auth()
    assert "authentication" not in sent[0]["d"]


class Noted(socket.socket):
    """Notes which readings and which settings of QUICKACK happened, in their order."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(fileno=sock.detach())
        self.happened: list[str] = []

    def recv(self, *args: int) -> bytes:
        self.happened.append("read")
        return super().recv(*args)

    def setsockopt(self, *args: Any) -> None:
        self.happened.append("acknowledge" if args == (socket.IPPROTO_TCP, QUICKACK, 1) else f"{args}")


def test_each_reading_is_acknowledged_at_once_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel forgets it by itself, and then every tenth answer of OBS comes 40 ms late; only Linux has it."""
    monkeypatch.setattr(websocket, "_QUICKACK", QUICKACK)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    frames = _Frames()
    with far, Noted(near) as noted:
        frames.sock = noted
        for text in (b"one", b"two"):
            far.sendall(text)
            assert frames._recv(3) == text
    assert noted.happened == ["acknowledge", "read", "acknowledge"] * 2
