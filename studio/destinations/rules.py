"""How a pasted stream address is read: split, never changed, its end of life found, masked."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import msgspec

from incubator.ground.errors import N_, Invalid

SCHEMES = ("rtmp", "rtmps")
LONGEST = 4000
ADDRESS = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
# what platforms print before the value: a Chinese word, or an English one followed by a space, so that no key is cut
LABEL = re.compile(r"^(?:[^\x00-\x7f：]{1,12}\s*[:：]|(?:server|stream ?key|key|url|address):(?=\s))\s*(?=\S)", re.IGNORECASE)
OVER = N_("This address ended: {ended_at:moment}. Start on the platform again and copy the new one.")
# what platforms call the moment at which an address ends, and how they write it
ENDS = {"expire": 10, "expires": 10, "expiretime": 10, "txtime": 16, "wstime": 16, "volctime": 10}


class Pasted(msgspec.Struct, frozen=True):
    """A destination as it was pasted; `expires_at` None: the address names no end."""

    server: str
    key: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        """Say nothing that may not stand in a log."""
        return "Pasted(***)"

    @property
    def shown(self) -> str:
        """Return what may be shown: host and first letters of the server, last four of the key where it is long enough."""
        parts = urlsplit(self.server)
        stem = self.key.split("?")[0]
        tail = stem[-4:] if len(stem) >= 12 else ""
        return f"{parts.scheme}://{_masked_host(parts.hostname or '')}{_masked_path(parts.path)} · ****{tail}"


def _masked_host(host: str) -> str:
    return host if len(host) <= 4 else f"{host[:4]}…"


def _masked_path(path: str) -> str:
    first = path.strip("/").split("/")[0]
    return f"/{first}" if 0 < len(first) <= 8 else ""


def read(text: str, now: datetime) -> Pasted:
    """Return the two parts of what was pasted: one full address, or server and key on two lines; bytes are kept as they are.

    A full address is split at the last `/` before its `?`. Words before a colon at the beginning of a line (推流地址：) are
    what platforms print beside the value, and are left out.

    Raises:
        Invalid: nothing usable, and what is missing; or the address has ended already.
    """
    lines = [LABEL.sub("", line.strip()) if not ADDRESS.match(line.strip()) else line.strip() for line in text.splitlines()]
    parts = [line for line in lines if line]
    server, key = _split(parts)
    ends = expires_at(f"{server}?{key.partition('?')[2]}" if "?" in key else server)
    if ends is not None and ends <= now:
        raise Invalid.field("text", OVER, ended_at=ends)
    return Pasted(server, key, ends)


def _split(parts: list[str]) -> tuple[str, str]:
    if not parts:
        raise Invalid.field("text", N_("Paste the stream address first."))
    if sum(map(len, parts)) > LONGEST:
        raise Invalid.field("text", N_("This is longer than any stream address."))
    first = ADDRESS.match(parts[0])
    if len(parts) == 2 and first is None and ADDRESS.match(parts[1]):
        parts = parts[::-1]  # key above, server below: the scheme tells which is which
        first = ADDRESS.match(parts[0])
    if first is None:
        raise Invalid.field("text", _without_scheme(parts))
    if first["scheme"].lower() not in SCHEMES:
        raise Invalid.field("text", N_("This OBS sends to rtmp:// and rtmps:// only."))
    if len(parts) > 2:
        raise Invalid.field("text", N_("Paste one address, or server and key on two lines."))
    if len(parts) == 2:
        return _checked(parts[0], parts[1])
    path, mark, query = parts[0].partition("?")
    server, slash, key = path.rpartition("/")
    folder = server.partition("://")[2].partition("/")[2]
    if not slash or not folder.strip("/") or not key:
        raise Invalid.field("text", N_("Only the server address is here; paste the key on the next line."))
    return _checked(server, key + mark + query)


def _without_scheme(parts: list[str]) -> str:
    is_key = len(parts) == 1 and len(parts[0]) > 11 and re.search(r"[=?&_\-\d]", parts[0]) is not None
    if is_key and " " not in parts[0]:
        return N_("Only the key is here; the server address (rtmp://…) is missing. Paste both, one per line.")
    return N_("No stream address found. It starts with rtmp:// and is on the platform’s go-live page.")


def _checked(server: str, key: str) -> tuple[str, str]:
    if re.search(r"\s", server) or re.search(r"\s", key):
        raise Invalid.field("text", N_("There is a space inside the address. Copy it again, whole."))
    try:
        host = urlsplit(server).hostname
    except ValueError:
        host = None
    if not host:
        raise Invalid.field("text", N_("No stream address found. It starts with rtmp:// and is on the platform’s go-live page."))
    if not key:
        raise Invalid.field("text", N_("Only the server address is here; paste the key on the next line."))
    return server, key


def expires_at(address: str) -> datetime | None:
    """Return when an address ends by its own words, the earliest of them; None when it does not say.

    `expire=` is decimal seconds since 1970, `txTime=` and `wsTime=` are hexadecimal (decimal where ten digits are given).
    """
    found = [_moment(name, value) for name, value in parse_qsl(address.partition("?")[2])]
    return min((moment for moment in found if moment is not None), default=None)


def _moment(name: str, value: str) -> datetime | None:
    base = ENDS.get(name.lower())
    if base is None:
        return None
    if base == 16 and len(value) == 10 and value.isdigit():
        base = 10
    try:
        seconds = int(value, base)
    except ValueError:
        return None
    if seconds > 10**11:
        seconds //= 1000  # some count in milliseconds
    return datetime.fromtimestamp(seconds, UTC) if 10**9 < seconds < 10**10 else None
