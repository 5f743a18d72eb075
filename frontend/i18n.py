"""Two languages: catalogs read at start, the language and time zone of the present request, and messages told in them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from babel import Locale
from babel.messages.pofile import read_po

from frontend import formats

log = structlog.get_logger()

DEFAULT = "zh_CN"
# Locale objects, never strings: formatting with a string parses it anew and takes ten times as long.
LOCALES: Mapping[str, Locale] = {"zh_CN": Locale.parse("zh_CN"), "en": Locale.parse("en")}
TAGS: Mapping[str, str] = {"zh_CN": "zh-CN", "en": "en"}
FOLDER = Path(__file__).parent / "locale"
Key = tuple[str, str]
Catalog = Mapping[Key, tuple[str, ...]]

_code: ContextVar[str] = ContextVar("code", default=DEFAULT)
_HOME = ZoneInfo("Asia/Shanghai")
_zone: ContextVar[ZoneInfo] = ContextVar("zone", default=_HOME)


def use(code: str, zone: ZoneInfo | None = None) -> None:
    """Speak this language from now on in this request; `zone` None leaves the time zone as it is."""
    _code.set(known(code))
    if zone is not None:
        _zone.set(zone)


@contextmanager
def using(code: str, zone: ZoneInfo | None = None) -> Iterator[None]:
    """Speak this language within a block: a notice to somebody else, a feed, a test."""
    before = _code.get(), _zone.get()
    use(code, zone)
    try:
        yield
    finally:
        use(*before)


def current_code() -> str:
    """Return the code of the language in use: `zh_CN` or `en`."""
    return _code.get()


def current_tag() -> str:
    """Return the language in use as HTML writes it: `zh-CN` or `en`."""
    return TAGS[_code.get()]


def current_zone() -> ZoneInfo:
    """Return the time zone in which moments are told."""
    return _zone.get()


def known(code: str) -> str:
    """Return the code when it is one of ours, else the default."""
    return code if code in LOCALES else DEFAULT


def negotiate(accept_language: str | None, cookie: str | None, person_locale: str | None) -> str:
    """Return the language to speak: the person's, else this browser's choice, else the first accepted one that we have."""
    for chosen in (person_locale, cookie):
        if chosen in LOCALES:
            return str(chosen)
    for tag in _by_weight(accept_language or ""):
        if tag.startswith("zh"):
            return "zh_CN"
        if tag.startswith("en"):
            return "en"
    return DEFAULT


def _by_weight(accept_language: str) -> list[str]:
    """Return the tags of an Accept-Language header, most wanted first; what cannot be read counts as unwanted."""
    weighed = []
    for place, part in enumerate(accept_language.lower().split(",")):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            quality = 0.0
        if tag and quality > 0:
            weighed.append((-quality, place, tag))
    return [tag for _, _, tag in sorted(weighed)]


@cache
def catalog(code: str) -> Catalog:
    """Return all translations of a language, by context and msgid, read once from `locale/<code>/*.po`."""
    found: dict[Key, tuple[str, ...]] = {}
    for path in sorted((FOLDER / code).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=code):
                if not message.id or message.fuzzy:
                    continue
                msgid = message.id if isinstance(message.id, str) else message.id[0]
                texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
                if texts and all(texts):
                    found[message.context or "", msgid] = texts
    return found


def pgettext(context: str, msgid: str) -> str:
    """Return the translation of a msgid that means something else in another context."""
    texts = catalog(_code.get()).get((context, msgid))
    return texts[0] if texts else msgid


def gettext(msgid: str) -> str:
    """Return the translation, its placeholders still open."""
    return pgettext("", msgid)


def ngettext(one: str, many: str, count: int) -> str:
    """Return the form that goes with a count; Chinese has one form only."""
    texts = catalog(_code.get()).get(("", one))
    if texts is None:
        return one if count == 1 else many
    return texts[0] if count == 1 else texts[-1]


class _Params(dict[str, Any]):
    """The parameters of a message; one that is missing shows its name, because half a message is better than none."""

    def __missing__(self, name: str) -> str:
        log.error("message lacks a parameter", parameter=name)
        return f"{{{name}}}"


def filled(text: str, params: Mapping[str, Any]) -> str:
    """Return a translated text with its parameters told in the present language and zone."""
    if "{" not in text:
        return text
    speech = formats.Speech(current_code(), current_zone(), gettext)
    shown = _Params((name, formats.Shown(value, speech)) for name, value in params.items())
    return text.format_map(shown)


def translate(msgid: str, params: Mapping[str, Any] | None = None) -> str:
    """Tell a msgid of the domain in the present language.

    Placeholders are those of `str.format`; what is put in is told by its type (see `frontend/formats.py`), or as the placeholder
    says: `{starts_at:time}`, `{price:summary}`, `{kind:word}`.
    """
    return filled(gettext(msgid), readable(params) if params else {})


def readable(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return parameters for the present reader: of a text given in both languages (`reason`, `reason_en`) the fitting one."""
    if current_code() != "en":
        return params
    return {name: params.get(f"{name}_en") or value for name, value in params.items()}


def either(chinese: str, english: str) -> str:
    """Return a text that was written down in both languages as the reader reads it; where English is missing, the Chinese."""
    return english if english and current_code() == "en" else chinese


def person(name: str, latin: str) -> str:
    """Return a person's name in the reader's script: the Latin one for English where it is known."""
    return latin if latin and current_code() == "en" else name


def speech() -> formats.Speech:
    """Return the present language and zone for the functions of `frontend/formats.py`."""
    return formats.Speech(current_code(), current_zone(), gettext)
