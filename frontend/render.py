"""Pages and partials from templates: strict about what is undefined, escaped by default, told in the present language."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from frontend import formats, i18n, statics, ways

static_file = statics.static_file
TEMPLATES = Path(__file__).parent / "templates"
SHELL = "js/base.js"
VENDORED = ("vendor/htmx.js",)
UNBROKEN = re.compile(r"([A-Z]?\d[\d:]*(?:[–-]\d[\d:]*)+)")
HTMX_CONFIG = json.dumps({
    "allowEval": False,
    "includeIndicatorStyles": False,
    "historyCacheSize": 0,
    "defaultSwapStyle": "outerHTML",
    "responseHandling": [
        {"code": "204", "swap": False},
        {"code": "[23]..", "swap": True},
        # A refusal is a partial that names the way out, so it is shown like an answer.
        {"code": "409|422|503", "swap": True, "error": False},
        {"code": "...", "swap": False, "error": True},
    ],
}, separators=(",", ":"))


def _told(msgid: str, params: Mapping[str, Any]) -> str:
    """Tell a msgid; when a parameter is markup of ours (a link, a <b>), the rest is escaped and the whole is markup."""
    if not params:
        return i18n.translate(msgid)
    if any(isinstance(value, Markup) for value in params.values()):
        pieces = {name: value if isinstance(value, Markup) else escape(formats.told(value, i18n.speech()))
                  for name, value in params.items()}
        return Markup(escape(i18n.gettext(msgid)).format(**pieces))  # noqa: S704 -- both parts are escaped above
    return i18n.translate(msgid, params)


def _(msgid: str, /, **params: Any) -> str:
    """Tell a msgid of a template with its parameters."""
    return _told(msgid, params)


def counted(one: str, many: str, count: int, /, **params: Any) -> str:
    """Tell a msgid that goes with a count: `{{ ngettext("{count} row", "{count} rows", n) }}`."""
    return i18n.filled(i18n.ngettext(one, many, count), {"count": count} | params)


def translated(msgid: str, params: Mapping[str, Any] | None = None) -> str:
    """Tell a msgid that came from the domain with its parameters."""
    return i18n.translate(msgid, params)


def scripts(*modules: str, bare: bool = False) -> Markup:
    """Return the script tags of a page's modules and, as a block of data, the words that they use; `bare`: without htmx.

    The block is no script (its type is application/json), so the content security policy lets it be; `base.js` reads it.
    """
    return _scripts((SHELL, *modules), i18n.current_code(), bare)


@lru_cache(maxsize=256)
def _scripts(names: tuple[str, ...], _code: str, bare: bool) -> Markup:
    words = {msgid: i18n.gettext(msgid) for msgid in statics.words_of(names)}
    data = json.dumps(words, ensure_ascii=False, sort_keys=True).replace("<", "\\u003c")
    vendored = [] if bare else [name for name in VENDORED if statics.has(name)]
    tags = [f'<script type="application/json" id="words">{data}</script>']
    tags += [f'<script src="{escape(statics.url(name))}" defer></script>' for name in vendored]
    # else a browser finds imports only when the importing file has come: three round trips before the first tap works
    tags += [f'<link rel="modulepreload" href="{escape(statics.url(name))}">' for name in statics.modules_of(names)[len(names):]]
    tags += [f'<script type="module" src="{escape(statics.url(name))}"></script>' for name in names]
    return Markup("".join(tags))  # noqa: S704 -- made of our own files and of JSON in which < is escaped


@lru_cache(maxsize=1024)
def drawing(name: str, label: str = "") -> Markup:
    """Return a drawing of the sprite; without a label it is decoration."""
    said = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="i"{}><use href="{}#i-{}"/></svg>').format(said, statics.url("sprite.svg"), name)


def _filter(tell: Callable[[Any, formats.Speech], str]) -> Callable[[Any], str]:
    def apply(value: Any) -> str:
        return formats.NONE if value is None else tell(value, i18n.speech())

    return apply


def shown(value: Any) -> str:
    """Tell a value as its type suggests."""
    return formats.told(value, i18n.speech())


def initial(name: str) -> str:
    """Return the one character that stands for a name in a small round field."""
    return name.strip()[:1].upper()


def sentences(*told: str) -> Markup:
    """Return sentences one after the other: with a space between them, but not in Chinese."""
    return (Markup("") if i18n.speech().is_chinese else Markup(" ")).join(told)


def unbroken(text: str) -> Markup:
    """Return a text with its ranges, dates and reference numbers kept from breaking: 08:00–22:00, 11-27, R261124-00469.

    Markup is returned as it is: its numbers may be part of an address.
    """
    if isinstance(text, Markup):
        return text
    pieces = UNBROKEN.split(str(text))
    return Markup("").join(Markup('<span class="nb">{}</span>').format(piece) if place % 2 else escape(piece)
                           for place, piece in enumerate(pieces))


def iso(moment: Any) -> str:
    """Return a moment as the attribute `datetime` wants it."""
    return str(moment.isoformat())


def pairs(names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return keys with their names told, for the choices of a field."""
    return [(key, i18n.gettext(name)) for key, name in names.items()]


def seconds(count: float) -> timedelta:
    """Return a count of seconds as a duration, to be told."""
    return timedelta(seconds=count)


def step(moment: Any, opens: Any) -> int:
    """Return how many steps of 5 minutes a moment lies after the opening; never before it or beyond the day."""
    steps = int((moment - opens).total_seconds() // (statics.STEP_MIN * 60))
    return min(max(steps, 0), statics.STEPS)


def share(part: float, whole: float) -> int:
    """Return a part in whole percent from 0 to 100, for the classes `.p0` to `.p100`."""
    return min(max(round(100 * part / whole), 0), 100) if whole else 0


def make_environment(folder: Path = TEMPLATES, *, reload: bool = False) -> Environment:
    """Return the environment of all templates; `reload` rereads changed ones, for work on them."""
    env = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, auto_reload=reload, cache_size=-1,
        trim_blocks=True, lstrip_blocks=True,
    )
    env.filters |= {name: _filter(tell) for name, tell in formats.SPECS.items() if name not in ("list", "word")}
    env.filters |= {"told": shown, "initial": initial, "iso": iso, "word": lambda msgid: i18n.gettext(str(msgid)),
                    "unbroken": unbroken, "listing": _filter(formats.listing), "step": step, "seconds": seconds}
    env.globals |= {
        "_": _, "ngettext": counted, "translate": translated, "static": statics.url, "scripts": scripts, "share": share,
        "sentences": sentences, "pairs": pairs, "person": i18n.person, "drawing": drawing,
        "ways": ways.ways_of,
        "htmx_config": HTMX_CONFIG, "lang": i18n.current_tag, "locale_code": i18n.current_code,
    }
    return env


environment = make_environment()


def render(template: str, **context: Any) -> str:
    """Return a template filled in.

    Raises:
        UndefinedError: a template uses what it was not given.
    """
    return environment.get_template(template).render(context)
