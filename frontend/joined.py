"""Small modules served as one file where a page would otherwise ask for a dozen: each keeps a scope of its own."""

import re
from collections.abc import Mapping

# what a page loads, and the module from which it is put together; `base.js` stays apart, since every page has it already
JOINED = {"js/tablet.joined.js": "js/tablet.js", "js/live_control.joined.js": "js/live_control.js"}
APART = "./base.js"
IMPORT = re.compile(r'^import \{ (?P<names>[^}]+) \} from "(?P<path>\./[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?P<rest>(?:async )?(?:const|class|function) (?P<name>\w+))", re.MULTILINE)


def joined(sources: Mapping[str, bytes], root: str) -> bytes:
    """Return one module with everything that `root` imports; of each its exports are all that the others see.

    Raises:
        KeyError: it imports a file that is not there.
    """
    parts: dict[str, str] = {}
    _add(sources, root, parts)
    named = sorted({name.strip() for path in parts for found in IMPORT.finditer(sources[path].decode())
                    if found["path"] == APART for name in found["names"].split(",")})
    head = f'import {{ {", ".join(named)} }} from "{APART}";\n'
    return (head + "".join(parts.values())).encode()


def _add(sources: Mapping[str, bytes], path: str, parts: dict[str, str]) -> None:
    """Add what a module imports, then the module itself, each once."""
    if path in parts:
        return
    text, folder = sources[path].decode(), path.rpartition("/")[0]
    for found in IMPORT.finditer(text):
        if found["path"] != APART:
            _add(sources, f"{folder}/{found['path'][2:]}", parts)
    parts[path] = _scoped(path, text)


def _scoped(path: str, text: str) -> str:
    body = IMPORT.sub(_taken, text)
    names = [found["name"] for found in EXPORT.finditer(body)]
    body = EXPORT.sub(lambda found: found["rest"], body)
    return f"const {_scope(path)} = (() => {{\n{body}return {{ {', '.join(names)} }};\n}})();\n"


def _taken(found: re.Match[str]) -> str:
    return "" if found["path"] == APART else f"const {{ {found['names']} }} = {_scope(found['path'])};\n"


def _scope(path: str) -> str:
    """Return the name under which a module's exports are known in the joined file."""
    return "_" + path.rpartition("/")[2].removesuffix(".js")
