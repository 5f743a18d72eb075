"""What people paste is split at the right place, never changed, and refused with what is missing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings, strategies as st

from incubator.ground.errors import Invalid
from studio.destinations.rules import expires_at, read

NOW = datetime(2026, 11, 23, 6, 20, tzinfo=UTC)
LATER = int(NOW.timestamp()) + 3600


@pytest.mark.parametrize(("text", "server", "key"), [
    ("rtmp://push.example.cn/live/key-1", "rtmp://push.example.cn/live", "key-1"),
    ("  rtmp://push.example.cn/live/key-1 \r\n", "rtmp://push.example.cn/live", "key-1"),
    ("rtmp://push.example.cn/third/app/key-1?a=b/c&d=%2F", "rtmp://push.example.cn/third/app", "key-1?a=b/c&d=%2F"),
    ("rtmps://push.example.cn:443/live/\nkey?x=1", "rtmps://push.example.cn:443/live/", "key?x=1"),
    ("服务器：rtmp://push.example.cn/live\n串流密钥：key-1", "rtmp://push.example.cn/live", "key-1"),
    ("stream-key-123456\nrtmp://push.example.cn/live", "rtmp://push.example.cn/live", "stream-key-123456"),
    ("RTMP://Push.Example.cn/live/Key", "RTMP://Push.Example.cn/live", "Key"),
    ("rtmp://[2001:db8::1]/live/key", "rtmp://[2001:db8::1]/live", "key"),
])
def test_it_works(text: str, server: str, key: str) -> None:
    found = read(text, NOW)
    assert (found.server, found.key) == (server, key)


@pytest.mark.parametrize(("text", "says"), [
    ("", "Paste the stream address first"),
    ("\n \n", "Paste the stream address first"),
    ("stream-118723?sign=ab", "Only the key is here"),
    ("hello", "No stream address found"),
    ("rtmp://push.example.cn/live", "Only the server address is here"),
    ("rtmp://push.example.cn", "Only the server address is here"),
    ("rtmp://push.example.cn/live/?x=1", "Only the server address is here"),
    ("rtmp:///live/key", "No stream address found"),
    ("srt://push.example.cn/live/key", r"rtmp:// and rtmps:// only"),
    ("https://push.example.cn/live/key", r"rtmp:// and rtmps:// only"),
    ("rtmp://push.example.cn/li ve/key", "space inside"),
    ("rtmp://a.cn/live\nkey\nmore", "one address, or server and key"),
    ("rtmp://a.cn/live/" + "k" * 10_000, "longer than any"),
    ("rtmp://[broken/live/key", "No stream address found"),
])
def test_refused(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read(text, NOW)


@pytest.mark.parametrize("query", [
    f"expire={int(NOW.timestamp()) - 1}", f"txTime={int(NOW.timestamp()) - 1:X}", f"wsTime={int(NOW.timestamp()) - 1:x}",
    f"wsTime={int(NOW.timestamp()) - 1}", f"expire={(int(NOW.timestamp()) - 1) * 1000}", f"sign=1&expire={int(NOW.timestamp())}",
])
def test_an_end_in_the_past_is_said_at_once(query: str) -> None:
    with pytest.raises(Invalid, match="This address ended"):
        read(f"rtmp://push.example.cn/live/key?{query}", NOW)


def test_an_end_to_come_is_kept() -> None:
    assert read(f"rtmp://push.example.cn/live/key?expire={LATER}", NOW).expires_at == datetime.fromtimestamp(LATER, UTC)
    assert read(f"rtmp://push.example.cn/live/key?txTime={LATER:X}", NOW).expires_at == datetime.fromtimestamp(LATER, UTC)


@pytest.mark.parametrize("query", ["expire=soon", "expire=12", "txTime=zz", "expire=", "x=1"])
def test_what_is_no_moment_is_no_end(query: str) -> None:
    assert expires_at(f"rtmp://a.cn/live/key?{query}") is None


def test_the_mask_shows_no_more_than_four_of_a_long_key() -> None:
    assert read("rtmp://push.example.cn/live/stream-9F3K5T?sign=topsecret", NOW).shown == "rtmp://push…/live · ****3K5T"
    assert read("rtmp://push.example.cn/live/shortkey", NOW).shown == "rtmp://push…/live · ****"
    assert "secret" not in repr(read("rtmp://push.example.cn/live/secret", NOW))


URL_BYTES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


@settings(deadline=None)
@given(key=URL_BYTES)
def test_bytes_are_never_changed(key: str) -> None:
    """Two lines give back exactly what was typed, unless a moment in it has passed or it is an address itself."""
    text = f"rtmp://push.example.cn/live\n{key}"
    ends = expires_at(key)
    if (ends is not None and ends <= NOW) or "://" in key:
        return
    found = read(text, NOW)
    assert found.server == "rtmp://push.example.cn/live"
    assert found.key == key
