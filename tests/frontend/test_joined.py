"""Modules joined into one file: in order, each once, each with its own names, and the words found in them."""

import shutil
import subprocess

import pytest

from frontend import statics
from frontend.joined import EXPORT, IMPORT, JOINED, joined

SOURCES = {
    "js/a.js": b'// A.\n\nimport { _ } from "./base.js";\nimport { b, next } from "./b.js";\nimport { c } from "./c.js";\n\nconst mine = "a";\n'
               b"globalThis.said = [b(), c(), mine, next.last(), _(\"x\")];\n",
    "js/b.js": b'import { c } from "./c.js";\nconst mine = "b";\nexport function b() {\n  return mine + c();\n}\n'
               b'export class next {\n  static last() { return "n"; }\n}\n',
    "js/c.js": b'const mine = "c";\nexport const c = () => mine;\n',
}


def test_it_works() -> None:
    text = joined(SOURCES, "js/a.js").decode()
    assert text.startswith('import { _ } from "./base.js";\n')
    assert text.count('const mine = "c";') == 1
    assert text.index("_c = ") < text.index("_b = ") < text.index("_a = ")


def test_it_runs_as_the_modules_would() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("not installed: node")
    text = joined(SOURCES, "js/a.js").decode().replace('import { _ } from "./base.js";', "const _ = (word) => word;")
    done = subprocess.run([node, "--input-type=module", "-e", f"{text}\nconsole.log(globalThis.said.join());"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert (done.stderr, done.stdout.strip()) == ("", "bc,c,a,n,x")


def test_a_missing_module_is_noticed() -> None:
    with pytest.raises(KeyError):
        joined({"js/a.js": SOURCES["js/a.js"]}, "js/a.js")


@pytest.mark.parametrize(("name", "root"), JOINED.items())
def test_what_pages_load(name: str, root: str) -> None:
    text = statics.shelf().files[name].body.decode()
    assert len(IMPORT.findall(text)) == 1
    assert EXPORT.search(text) is None
    assert "import " not in text.partition("\n")[2].replace("// ", "")
    assert statics.words_of((name,)) == statics.words_of((root,))
