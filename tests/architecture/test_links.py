"""Every address that a page, a script or a notice names has a route that answers."""

import ast
import re
from collections.abc import Iterator

from frontend.app import build
from tests.architecture.calls import HOUSE, trees

ANY = "*"  # stands for whatever is put in at run time
QUOTED = re.compile(r"""(?<![\w>])(["'`])(/[a-z][^"'`<>\s]*)\1""")
NO_LINKS = {"/static/", "/units/", "/favicon", "/problems/*", "/recordings"}  # beginnings of addresses, names of problems, a folder of OBS
FILLED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\$\{[^}]*\}")


def _routes() -> list[list[str]]:
    paths = {route.path for route in build().routes} - {"/api/{path:str}"}  # the last: that nothing is there
    return [path.strip("/").split("/") for path in sorted(paths)]


def _answers(route: list[str], link: list[str]) -> bool:
    if ":path}" in route[-1]:
        route, link = route[:-1], link[:len(route) - 1]
    pairs = zip(route, link, strict=False)
    return len(route) == len(link) and all(ANY in there or part.startswith("{") or part == there for part, there in pairs)


def _files() -> Iterator[tuple[str, str]]:
    """Yield the addresses in templates and scripts, with what is put in at run time as ANY; a cut-off end may be anything."""
    for path in (*sorted((HOUSE / "frontend" / "templates").rglob("*.html")), *sorted((HOUSE / "frontend" / "static").rglob("*.js"))):
        text = FILLED.sub(ANY, path.read_text("utf-8"))
        for number, line in enumerate(text.splitlines(), 1):
            yield from ((f"{path.name}:{number}", found[2]) for found in QUOTED.finditer(line))


def _sources() -> Iterator[tuple[str, str]]:
    """Yield the addresses in what is written in Python: links of notices, forms, redirects."""
    for path, tree in trees():
        if path.startswith(("frontend/api/", "incubator/ground/")) or "migrations" in path:
            continue
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                text = node.value
            if re.fullmatch(r"/(?!proc/)[a-z][\w/*?=&#.-]*", text) and text not in NO_LINKS:
                yield f"{path}:{node.lineno}", text


def _dead(links: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    routes = _routes()
    found = []
    for where, link in links:
        path = re.split(r"[?#]", link)[0]
        parts = (path + ANY if path.endswith("/") else path).strip("/").split("/")
        if not any(_answers(route, parts) for route in routes):
            found.append((where, link))
    return found


def test_every_link_of_a_page_has_a_route() -> None:
    links = list(_files())
    assert len(links) > 60
    assert _dead(iter(links)) == []


def test_every_link_that_the_house_writes_has_a_route() -> None:
    links = list(_sources())
    assert len(links) > 60
    assert _dead(iter(links)) == []


def test_a_link_to_nowhere_is_found() -> None:
    assert _dead(iter([("here", "/rooms"), ("here", "/book"), ("here", "/merchants/*"), ("here", "/merchants/*/nowhere")])) == [
        ("here", "/rooms"), ("here", "/merchants/*/nowhere")]
