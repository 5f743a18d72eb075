"""Templates are strict, escaped, free of inline styles and scripts; files are served for good, compressed, and few enough."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from jinja2 import DictLoader, Environment, UndefinedError
from markupsafe import Markup

from frontend import i18n, render, statics
from incubator.ground.rights import Actor, Grant, Role

SHELL = {"acting_name": "", "acting_choices": [], "unread": 2, "form_token": "t0ken", "path": "/", "locale": "zh_CN",
         "is_demo": False}


def drawn(text: str, **context) -> str:
    """Render one template written here, with the filters and globals of the product."""
    env: Environment = render.make_environment()
    env.loader = DictLoader({"x": text})
    return env.get_template("x").render(context)


def shell(*roles: Role, path: str = "/") -> dict:
    return SHELL | {"actor": Actor(1, "陈倩", tuple(Grant(role, "all") for role in roles)), "path": path}


def error_page(**context) -> str:
    return render.render("error.html", status=404, text="没有这一页", refusal=None, number="7F3K", **context)


def test_it_works():
    page = error_page(**shell(Role.MANAGER))
    assert '<html lang="zh-CN">' in page
    assert "没有这一页" in page


@pytest.mark.parametrize(("code", "shown"), [("zh_CN", "演示。密码"), ("en", "演示。 密码")])
def test_sentences_follow_each_other_without_a_gap_in_chinese(code, shown):
    with i18n.using(code):
        assert drawn("{{ sentences('演示。', '密码') }}") == shown


def test_sentences_keep_markup_and_escape_the_rest():
    assert drawn("{% set one %}<b>演示。</b>{% endset %}{{ sentences(one, '<密码>') }}") == "<b>演示。</b>&lt;密码&gt;"


@pytest.mark.parametrize(("said", "shown"), [
    ("今天 08:00–22:00", '今天 <span class="nb">08:00–22:00</span>'), ("R261124-00469", '<span class="nb">R261124-00469</span>'),
    ("11-27 12:00", '<span class="nb">11-27</span> 12:00'), ("<b> 2 号间", "&lt;b&gt; 2 号间"),
    ("Donkey hot-pot", "Donkey hot-pot")])
def test_ranges_and_numbers_stay_in_one_piece(said, shown):
    assert drawn("{{ said|unbroken }}", said=said) == shown
    assert drawn("{{ said|unbroken }}", said=Markup(said)) == said


def test_what_is_undefined_stops_the_page():
    with pytest.raises(UndefinedError):
        drawn("{{ nobody_gave_this }}")


def test_what_people_typed_is_escaped():
    assert drawn("{{ _('{name} is in control.', name=name) }}", name="<b>x") == "&lt;b&gt;x is in control."


def test_markup_of_ours_stays_markup_and_the_rest_is_escaped():
    said = drawn("{{ _('{name}: {link}', name=name, link=link) }}", name="<i>", link=Markup("<a href='/'>go</a>"))
    assert said == "&lt;i&gt;: <a href='/'>go</a>"


def test_the_rail_shows_where_one_may_go():
    assert 'href="/jobs"' in error_page(**shell(Role.ADMIN))
    assert 'href="/jobs"' not in error_page(**shell(Role.STAFF))


def test_the_page_says_for_whom_one_acts_and_lets_one_switch():
    context = shell() | {"acting_name": "怀庆堂", "acting_choices": [(1, "怀庆堂"), (2, "沁河花茶")],
                         "actor": Actor(1, "王小满", (Grant(Role.OWNER, "merchant", 1),), merchant_id=1)}
    page = error_page(**context)
    assert re.search(r'<option value="1" selected>怀庆堂</option>', page)
    assert '<option value="2">沁河花茶</option>' in page


def test_somebody_who_is_not_signed_in_gets_no_rail():
    page = error_page(**(shell() | {"actor": Actor(None, "")}))
    assert 'class="rail"' not in page
    assert 'action="/language"' in page


def templates() -> list:
    return sorted(render.TEMPLATES.glob("*.html"))


@pytest.mark.parametrize("path", templates(), ids=lambda path: path.name)
def test_templates_obey_the_security_policy(path):
    text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
    assert not re.search(r'\sstyle\s*=\s*"', text), "style attributes are refused by the browser"
    assert not re.search(r"\son[a-z]+\s*=\s*\"", text), "handlers in attributes are refused by the browser"
    assert not re.search(r"<style|<script(?![^>]*(\bsrc=|type=\"application/json\"))", text), "styles and scripts are files"
    assert "hx-on" not in text, "hx-on needs eval"
    assert "| safe" not in text
    assert "|safe" not in text


@pytest.mark.parametrize("path", templates(), ids=lambda path: path.name)
def test_every_form_that_posts_carries_its_token(path):
    forms = re.findall(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", path.read_text("utf-8"), re.DOTALL)
    for form in forms:
        assert "m.token()" in form or "token()" in form or '"_token"' in form or "/sign-in" in form, form[:120]


@pytest.mark.parametrize("path", templates(), ids=lambda path: path.name)
def test_templates_name_files_and_icons_that_exist(path):
    text = path.read_text("utf-8")
    sprite = (statics.ROOT / "sprite.svg").read_text("utf-8")
    for name in re.findall(r"m\.icon\('([a-z]+)'", text):
        assert f'id="i-{name}"' in sprite, name
    for name in re.findall(r"'((?:js/)?[a-z_]+\.(?:css|js))'", text):
        assert statics.has(name), name


def test_the_words_of_modules_come_with_the_page_and_are_not_executed():
    with i18n.using("zh_CN"):
        tags = str(render.scripts("js/session.js"))
    block = re.search(r'<script type="application/json" id="words">(.*?)</script>', tags)
    assert block
    assert json.loads(block[1])["Path copied"] == "路径已复制"


def test_words_of_modules_include_those_of_their_imports():
    importing = [name for name, file in statics.shelf().files.items()
                 if name.startswith("js/") and name != "js/link.js" and b'from "./link.js"' in file.body]
    assert importing
    for name in importing:
        assert "Not sent: no connection. It is being restored." in statics.words_of((name,))


def test_a_file_is_served_for_good_and_compressed():
    path = statics.url("kaibo.css")
    _, _, digest, name = path.split("/", 3)
    found = render.static_file(digest, name, "gzip, br")
    assert found
    body, content_type, headers = found
    assert content_type == "text/css; charset=utf-8"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["Content-Encoding"] == "gzip"
    assert b".p100{--p:100}" in gzip.decompress(body)


def test_a_browser_without_gzip_gets_the_file_as_it_is():
    found = render.static_file(statics.shelf().digest, "sprite.svg", "")
    assert found
    assert found[0].startswith(b"<svg")
    assert "Content-Encoding" not in found[2]


def test_the_hash_of_another_release_gets_the_present_file_but_may_not_keep_it():
    found = render.static_file("000000000000", "js/base.js", "gzip")
    assert found
    assert found[2]["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["../render.py", "nothing.css", "", "js/../../app.py"])
def test_nothing_else_is_served(path):
    assert render.static_file(statics.shelf().digest, path, "gzip") is None


def test_the_hash_changes_with_any_file(monkeypatch):
    before = statics.read_shelf().digest
    monkeypatch.setitem(statics.GENERATED, "kaibo.css", lambda: ".other{}")
    assert statics.read_shelf().digest != before


def test_blocks_are_placed_by_classes():
    css = statics.shelf().files["grid.css"].body.decode()
    for rule in (".s0{--s:0}", ".s288{--s:288}", ".w24{--w:24}", ".n192{--n:192}", ".a3{--a:3}", ".z48{--z:48}"):
        assert rule in css


def test_steps_lie_within_the_day():
    opens = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    steps = [render.step(opens + timedelta(minutes=m), opens) for m in (-30, 0, 5, 61, 24 * 60, 30 * 60)]
    assert steps == [0, 0, 1, 12, 288, 288]


def zipped(*names: str) -> int:
    files = statics.shelf().files
    return sum(len(files[name].zipped or files[name].body) for name in names)


def test_the_booking_page_is_light_on_the_wire():
    """80 kB in ten requests, of which the page itself takes up to 25 kB."""
    modules = [name for name in statics.shelf().files if name.startswith("js/grid")]
    names = ["kaibo.css", "grid.css", "sprite.svg", "icon.svg", "js/base.js", "js/booking.js", *modules]
    names += [name for name in statics.VENDOR if statics.has(name)]
    assert zipped(*names) < 55_000, {name: zipped(name) for name in names}
