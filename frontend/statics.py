"""Files of the interface: read once, compressed once, served for good under an address that holds their hash."""

import gzip
import hashlib
import mimetypes
import re
from functools import cache
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent / "static"
PACKAGES = Path(__file__).parent.parent / "node_modules"
# Third-party modules come from the registry; `npm ci` brings them, nothing of them is committed.
VENDOR = {"vendor/htmx.js": "htmx.org/dist/htmx.min.js"}
COMPRESSED = {".css", ".js", ".svg", ".json", ".txt", ".webmanifest"}
FOREVER = "public, max-age=31536000, immutable"
BRIEFLY = "no-cache"
STEP_MIN = 5
STEPS = 24 * 60 // STEP_MIN
Answer = tuple[bytes, str, dict[str, str]]


class StaticFile(msgspec.Struct, frozen=True):
    """One file as it is served; `zipped` None when compression does not pay."""

    body: bytes
    zipped: bytes | None
    content_type: str


class Shelf(msgspec.Struct, frozen=True):
    """All files by path; one hash stands for all of them, so that modules can import each other by relative paths."""

    digest: str
    files: dict[str, StaticFile]


def step_rules() -> str:
    """Return the classes that place blocks on a day in steps of 5 minutes, because the pages allow no style attributes.

    `.s0` to `.s288` the start, `.w0` to `.w288` the length, `.n1` to `.n288` the steps of the visible day, `.a0` to `.a48` setup
    and `.z0` to `.z48` teardown within a block. Each sets a number that `grid.css` calculates with.
    """
    rules = [f".{letter}{step}{{--{letter}:{step}}}" for letter in "swn" for step in range(STEPS + 1)]
    rules += [f".{letter}{step}{{--{letter}:{step}}}" for letter in "az" for step in range(49)]
    return "".join(rules)


def percent_rules() -> str:
    """Return `.p0` to `.p100`, the length of a bar in percent."""
    return "".join(f".p{step}{{--p:{step}}}" for step in range(101))


GENERATED = {"kaibo.css": percent_rules, "grid.css": step_rules}


def _sources() -> dict[str, bytes]:
    found = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in sorted(ROOT.rglob("*")) if path.is_file()}
    for name, package in VENDOR.items():
        if name not in found and (PACKAGES / package).is_file():
            found[name] = (PACKAGES / package).read_bytes()
    for name, rules in GENERATED.items():
        found[name] = found.get(name, b"") + b"\n" + rules().encode()
    return found


def _file(name: str, body: bytes) -> StaticFile:
    content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if Path(name).suffix == ".js":
        content_type = "text/javascript"  # some systems register another type, and modules need this one
    zipped = gzip.compress(body, 9, mtime=0) if Path(name).suffix in COMPRESSED else None
    if zipped is not None and len(zipped) >= len(body):
        zipped = None
    if content_type.startswith("text/") or content_type == "image/svg+xml":
        content_type += "; charset=utf-8"
    return StaticFile(body, zipped, content_type)


def read_shelf() -> Shelf:
    """Read all files anew."""
    sources = _sources()
    digest = hashlib.sha256()
    for name, body in sorted(sources.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(body).digest())
    return Shelf(digest.hexdigest()[:12], {name: _file(name, body) for name, body in sources.items()})


@cache
def shelf() -> Shelf:
    """Return all files, read once per process."""
    return read_shelf()


def has(path: str) -> bool:
    """Tell whether there is such a file."""
    return path in shelf().files


def url(path: str) -> str:
    """Return the address of a file.

    Raises:
        KeyError: no such file; a page must not point to nothing.
    """
    if path not in shelf().files:
        raise KeyError(path)
    return f"/static/{shelf().digest}/{path}"


def static_file(digest: str, path: str, accept_encoding: str) -> Answer | None:
    """Return body, content type and headers of a file, None when there is no such file.

    A request with the hash of another release gets the present file, but may not keep it: two releases may serve side by side.
    """
    file = shelf().files.get(path)
    if file is None:
        return None
    headers = {"Cache-Control": FOREVER if digest == shelf().digest else BRIEFLY, "X-Content-Type-Options": "nosniff"}
    if file.zipped is None:
        return file.body, file.content_type, headers
    headers["Vary"] = "Accept-Encoding"
    if "gzip" not in accept_encoding:
        return file.body, file.content_type, headers
    return file.zipped, file.content_type, headers | {"Content-Encoding": "gzip"}


JS_WORD = re.compile(r'\b_\(\s*"((?:[^"\\]|\\.)*)"')
JS_IMPORT = re.compile(r'^import\s[^"]*"(\./[^"]+)"', re.MULTILINE)


@cache
def modules_of(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Return these modules and all that they import, in the order in which a browser finds them."""
    found: list[str] = []
    waiting = list(modules)
    while waiting:
        name = waiting.pop(0)
        if name in found or not has(name):
            continue
        found.append(name)
        text = shelf().files[name].body.decode()
        waiting += [f"{name.rpartition('/')[0]}/{imported[2:]}" for imported in JS_IMPORT.findall(text)]
    return tuple(found)


@cache
def words_of(modules: tuple[str, ...]) -> tuple[str, ...]:
    """Return the msgids that these modules, and those that they import, ask for with `_("...")`."""
    found: set[str] = set()
    for name in modules_of(modules):
        words = JS_WORD.findall(shelf().files[name].body.decode())
        found.update(word.encode().decode("unicode_escape") if "\\" in word else word for word in words)
    return tuple(sorted(found))
