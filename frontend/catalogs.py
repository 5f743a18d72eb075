"""Holds the catalogs against the sources: what is missing, stale, or against the house's words.

`python -m frontend.catalogs` fails and lists it; `--missing` prints stubs of the missing entries, ready for a .po file.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Formatter

import msgspec
from babel.messages.catalog import Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from frontend import formats, i18n

HOUSE = Path(__file__).parent.parent
FLOORS = ("incubator", "booking", "studio", "frontend")
KEYWORDS = {"N_": None, "_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}

# One word per concept (docs: the house's words). An entry may leave one out by saying so: `# without: merchant`.
TERMS = {
    "merchant": "商家", "account": "账号", "incubation": "孵化", "case manager": "跟进人", "start-up": "在孵商家",
    "mentor": "导师", "action item": "待办", "live room": "直播间", "incubation desk": "孵化工位", "hot desk": "临时工位",
    "meeting room": "会议室", "training room": "培训室", "reservation": "预约", "setup": "布场", "teardown": "撤场",
    "live session": "场次", "rig": "直播设备", "owner": "负责人", "streamer": "主播", "controller": "场控",
    "incubator manager": "孵化经理", "centre staff": "前台", "studio operator": "技术员", "auditor": "核查员",
    "administrator": "管理员",
}
UNWANTED = {
    "推流密钥": "推流码", "商户": "商家", "清场": "撤场", "会谈": "辅导", "帐号": "账号",
    "系统": "(say who or what it is)", "您们": "您",
}
COUNTS = {"count", "number", "seconds", "minutes", "hours", "days", "limit", "left", "used", "total"}
HAN = r"[\u3400-\u9fff]"
FULL = r"[，。；：？、（）「」！]"
PUNCTUATION = (
    (re.compile("[!！]"), "has an exclamation mark"),
    (re.compile(f"{HAN}[A-Za-z0-9]|[A-Za-z0-9]{HAN}"), "lacks the space between Han and Latin or digits"),
    (re.compile(f"{HAN}[,;:?]|{HAN}\\.(?![\\w])|{HAN}\\(|\\){HAN}"), "has half-width punctuation beside Han"),
    (re.compile(f" {FULL}|{FULL} "), "has a space beside full-width punctuation"),
    (re.compile("[\"“”‘’]"), "has quotes other than 「」"),
    (re.compile(r"\.\.\."), "has three dots instead of ……"),
    (re.compile("^.{0,4}(失败|异常)$"), "says 失败 or 异常 alone"),
)


class Use(msgspec.Struct, frozen=True):
    """One msgid in the sources, with its plural (empty when it has none) and where it stands."""

    context: str
    msgid: str
    plural: str
    where: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies the message in a catalog."""
        return self.context, self.msgid


class Entry(msgspec.Struct, frozen=True):
    """One translated message of a catalog file."""

    context: str
    msgid: str
    texts: tuple[str, ...]
    comments: str
    where: str

    @property
    def key(self) -> tuple[str, str]:
        """Return what identifies the message in a catalog."""
        return self.context, self.msgid


def sources(house: Path = HOUSE) -> Iterator[tuple[Path, str]]:
    """Yield every file that may hold msgids, with the kind of its text."""
    for floor in FLOORS:
        for path in sorted((house / floor).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path, "python"
    for path in sorted((house / "frontend" / "templates").rglob("*.html")):
        yield path, "jinja"
    for path in sorted((house / "frontend" / "static" / "js").rglob("*.js")):
        yield path, "javascript"


def uses(house: Path = HOUSE) -> list[Use]:
    """Return every msgid of the sources."""
    found = []
    for path, kind in sources(house):
        method = "jinja2.ext:babel_extract" if kind == "jinja" else kind
        options = {"silent": "false", "trimmed": "true"} if kind == "jinja" else {}
        with path.open("rb") as file:
            for line, message, _comments, context in extract(method, file, keywords=KEYWORDS, options=options):
                msgid, plural = (message, "") if isinstance(message, str) else (message[0], message[1])
                found.append(Use(context or "", msgid, plural, f"{path.relative_to(house)}:{line}"))
    return found


def entries(code: str, house: Path = HOUSE) -> list[Entry]:
    """Return every entry of a language, file by file, untranslated ones included."""
    found = []
    for path in sorted((house / "frontend" / "locale" / code).glob("*.po")):
        with path.open("rb") as file:
            messages: Iterable[Message] = read_po(file, locale=code)
            for message in messages:
                if not message.id:
                    continue
                msgid = message.id if isinstance(message.id, str) else message.id[0]
                texts = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
                kept = () if message.fuzzy or not all(texts) else texts
                comments = " ".join(message.user_comments)
                found.append(Entry(message.context or "", msgid, kept, comments, f"{path.name}:{message.lineno}"))
    return found


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders.

    Raises:
        ValueError: braces that do not close, or a format that nobody knows.
    """
    names = set()
    for _literal, name, spec, _conversion in Formatter().parse(text):
        if name is None:
            continue
        if spec and spec not in formats.SPECS:
            raise ValueError(f"no such format: {spec}")
        names.add(name)
    return names


def _placeholder_problems(entry: Entry) -> Iterator[str]:
    for text in entry.texts:
        try:
            wanted, got = placeholders(entry.msgid), placeholders(text)
        except ValueError as error:
            yield f"{entry.where}: {entry.msgid!r}: {error}"
            return
        if not got <= wanted or (len(entry.texts) == 1 and got != wanted):
            yield f"{entry.where}: {entry.msgid!r}: placeholders {sorted(got)} instead of {sorted(wanted)}"


def chinese_problems(text: str) -> Iterator[str]:
    """Yield what is wrong with a Chinese text by the house's rules of typography and words."""
    bare = re.sub(r"\{[^}]*\}", "\ue000", text)
    for pattern, problem in PUNCTUATION:
        if pattern.search(bare):
            yield problem
    for name in re.findall(f"{HAN}\\{{(\\w+)[^}}]*\\}}|\\{{(\\w+)(?::\\w+)?\\}}{HAN}", text):
        if COUNTS & set(name):
            yield f"lacks the space beside {{{''.join(name)}}}"
    for word, better in UNWANTED.items():
        if word in text:
            yield f"says {word} instead of {better}"


def term_problems(entry: Entry) -> Iterator[str]:
    """Yield the concepts of the msgid whose one Chinese word is missing."""
    waived = set(re.findall(r"without: ([\w -]+)", entry.comments))
    msgid = re.sub(r"\{[^}]*\}", "", entry.msgid).lower()
    for english, chinese in TERMS.items():
        if english in waived or not re.search(rf"(?<![\w-]){re.escape(english)}s?(?![\w-])", msgid):
            continue
        longer = (term for term in TERMS if term != english and english in term and term in msgid)
        if any(TERMS[term] in text for term in longer for text in entry.texts):
            continue
        if not all(chinese in text for text in entry.texts):
            yield f"{english} is {chinese}"


def missing(code: str, house: Path = HOUSE) -> list[Use]:
    """Return the msgids without translation, each once."""
    translated = {entry.key for entry in entries(code, house) if entry.texts}
    first: dict[tuple[str, str], Use] = {}
    for use in uses(house):
        if use.key not in translated:
            first.setdefault(use.key, use)
    return list(first.values())


def problems(house: Path = HOUSE) -> list[str]:
    """Return everything that is wrong with the catalogs, one line each."""
    found = [f"{use.where}: no zh_CN translation: {use.msgid!r}" for use in missing("zh_CN", house)]
    wanted = {use.key for use in uses(house)}
    for code in i18n.LOCALES:
        places = defaultdict(list)
        for entry in entries(code, house):
            places[entry.key].append(entry.where)
            if entry.key not in wanted:
                found.append(f"{code}/{entry.where}: nobody uses {entry.msgid!r}")
            found += [f"{code}/{problem}" for problem in _placeholder_problems(entry)]
            if code == "zh_CN":
                odd = [problem for text in entry.texts for problem in chinese_problems(text)]
                found += [f"{code}/{entry.where}: {entry.msgid!r}: {problem}" for problem in (*odd, *term_problems(entry))]
        found += [f"{code}: {key[1]!r} stands in {' and '.join(where)}" for key, where in places.items() if len(where) > 1]
    return found


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def stub(use: Use) -> str:
    """Return an empty entry for a .po file."""
    lines = [f"#: {use.where}"]
    if use.context:
        lines.append(f"msgctxt {_quoted(use.context)}")
    lines.append(f"msgid {_quoted(use.msgid)}")
    lines += [f"msgid_plural {_quoted(use.plural)}", 'msgstr[0] ""'] if use.plural else ['msgstr ""']
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Check, or with `--missing` print stubs; return the exit status."""
    if "--missing" in arguments:
        sys.stdout.write("\n".join(stub(use) for use in missing("zh_CN")))
        return 0
    found = problems()
    for line in found:
        sys.stderr.write(line + "\n")
    sys.stderr.write(f"catalogs: {len(found)} problems\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
