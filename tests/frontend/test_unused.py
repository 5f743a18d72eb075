"""Nothing lies about in styles, drawings and macros: what no page uses is gone, and what a page asks for is there."""

import re
from itertools import chain
from pathlib import Path

FRONTEND = Path(__file__).parents[2] / "frontend"
WORD = r"(?<![\w-]){}(?![\w-])"
OF_OTHERS = {"htmx-request"}  # set by htmx


def _text(*patterns: str) -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(chain(*(FRONTEND.rglob(pattern) for pattern in patterns)))
                     if "vendor" not in path.parts)


STYLES = re.sub(r"/\*.*?\*/", "", _text("*.css"), flags=re.S)
PAGES = _text("*.html", "*.js", "*.py")


def _unused(names: set[str], pattern: str, text: str) -> list[str]:
    return sorted(name for name in names if not re.search(pattern.format(re.escape(name)), text))


def test_every_class_of_the_styles_is_used() -> None:
    selectors = "\n".join(re.findall(r"([^{};]+)\{", STYLES))
    names = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors)) - OF_OTHERS
    assert len(names) > 100
    assert _unused(names, WORD, PAGES) == []


def test_every_variable_of_the_styles_is_used() -> None:
    names = set(re.findall(r"(--[\w-]+)\s*:", STYLES))
    assert len(names) > 30
    assert _unused(names, r"var\(\s*{}\s*[,)]", STYLES + PAGES) == []


def test_every_drawing_is_used() -> None:
    names = set(re.findall(r'id="i-([\w-]+)"', (FRONTEND / "static" / "sprite.svg").read_text("utf-8")))
    assert len(names) > 30
    assert _unused(names, r"[\"'`]{}[\"'`]", PAGES) == []


def test_every_macro_is_used() -> None:
    macros = (FRONTEND / "templates" / "_macros.html").read_text("utf-8")
    names = set(re.findall(r"\{% macro (\w+)\(", macros))
    assert len(names) > 10
    uses = re.sub(r"\{% macro \w+\(", "", _text("*.html"))
    assert _unused(names, r"\b{}\(", uses) == []
