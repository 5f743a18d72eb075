"""Calls in the sources of the product, for tests that compare what is written with what has words."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

HOUSE = Path(__file__).parents[2]
FLOORS = ("incubator", "booking", "studio", "frontend")


@cache
def trees() -> list[tuple[str, ast.Module]]:
    """Return every source file with its path and tree."""
    paths = [path for floor in FLOORS for path in sorted((HOUSE / floor).rglob("*.py"))]
    return [(str(path.relative_to(HOUSE)), ast.parse(path.read_text("utf-8"))) for path in paths]


@cache
def all_calls() -> list[tuple[str, str, ast.Call]]:
    """Return every call: the name of what is called, where it stands, and the call."""
    return [(_name(node.func), f"{path}:{node.lineno}", node)
            for path, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield the calls of functions and methods of these names, with where they stand."""
    yield from ((where, call) for name, where, call in all_calls() if name in names)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def texts(node: ast.expr) -> list[str]:
    """Return the texts that an expression may be: a literal, or a choice among literals; empty for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=body, orelse=other):
            return [*texts(body), *texts(other)]
        case ast.BoolOp(values=values):
            return [text for value in values for text in texts(value)]
    return []
