"""The check of the catalogs: the product passes it, and each kind of fault is found."""

from pathlib import Path

import pytest

from frontend import catalogs, statics

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n"Plural-Forms: nplurals=1; plural=0;\\n"\n\n'


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A house with one msgid in Python, one in a template, one in a module, and all of them translated."""
    for floor in catalogs.FLOORS:
        (tmp_path / floor).mkdir()
    (tmp_path / "booking" / "service.py").write_text('N_("This slot was just taken.")\n')
    (tmp_path / "frontend" / "templates").mkdir()
    (tmp_path / "frontend" / "templates" / "x.html").write_text("{{ _('Booked: {room}', room=room) }}")
    (tmp_path / "frontend" / "static" / "js").mkdir(parents=True)
    (tmp_path / "frontend" / "static" / "js" / "x.js").write_text('toast(_("{count} of {total} hours", { count, total }));')
    (tmp_path / "frontend" / "locale" / "zh_CN").mkdir(parents=True)
    write(tmp_path, 'msgid "This slot was just taken."\nmsgstr "这个时段刚被订走。"\n\n'
                    'msgid "Booked: {room}"\nmsgstr "已预约：{room}"\n\n'
                    'msgid "{count} of {total} hours"\nmsgstr "共 {total} 小时，已用 {count} 小时"\n')
    return tmp_path


def write(house: Path, text: str, name: str = "base") -> None:
    (house / "frontend" / "locale" / "zh_CN" / f"{name}.po").write_text(HEADER + text)


def test_it_works():
    assert catalogs.problems() == []


def test_a_sound_house_has_no_problems(house):
    assert catalogs.problems(house) == []


def test_a_missing_translation_is_named_with_its_place(house):
    (house / "studio" / "x.py").write_text('\nN_("The link is lost.")\n')
    assert catalogs.problems(house) == ["studio/x.py:2: no zh_CN translation: 'The link is lost.'"]
    assert 'msgid "The link is lost."\nmsgstr ""' in catalogs.stub(catalogs.missing("zh_CN", house)[0])


def test_an_untranslated_entry_counts_as_missing(house):
    (house / "studio" / "x.py").write_text('N_("The link is lost.")\n')
    write(house, 'msgid "The link is lost."\nmsgstr ""\n', "studio")
    assert any("no zh_CN translation" in problem for problem in catalogs.problems(house))


def test_an_entry_that_nobody_uses_is_named(house):
    write(house, 'msgid "Gone."\nmsgstr "没有了。"\n', "studio")
    assert any("nobody uses 'Gone.'" in problem for problem in catalogs.problems(house))


def test_two_files_with_one_msgid_are_named(house):
    write(house, 'msgid "Booked: {room}"\nmsgstr "订好了：{room}"\n', "booking")
    assert any("stands in" in problem for problem in catalogs.problems(house))


@pytest.mark.parametrize("text", ["已预约", "已预约：{raum}", "已预约：{room:nonsense}"])
def test_other_placeholders_are_named(house, text):
    page = house / "frontend" / "templates" / "x.html"
    page.write_text("{{ _('Held: {room}', room=room) }} {{ _('Booked: {room}', room=1) }}")
    write(house, f'msgid "Held: {{room}}"\nmsgstr "{text}"\n', "booking")
    assert any("Held" in problem for problem in catalogs.problems(house))


@pytest.mark.parametrize(("text", "fault"), [
    ("已预约！", "exclamation"),
    ("剩2 小时", "space between"),
    ("OBS断开", "space between"),
    ("已预约,明天见", "half-width"),
    ("已预约 ，明天见", "space beside"),
    ("“火锅节”开始布场", "quotes"),
    ("上传失败", "alone"),
    ("共{count} 小时", "{count}"),
    ("代商户预约", "商家"),
])
def test_faults_of_chinese_typography_are_found(text, fault):
    assert any(fault in problem for problem in catalogs.chinese_problems(text))


@pytest.mark.parametrize("text", [
    "撤场到 18:45，而「驴肉火锅节」18:30 开始布场，重叠 15 分钟。", "{name}前", "¥39.90 一罐", "剩 {count} 小时",
    "94.1%（175 / 186）",
])
def test_sound_chinese_passes(text):
    assert list(catalogs.chinese_problems(text)) == []


def entry(msgid: str, text: str, comments: str = "") -> catalogs.Entry:
    return catalogs.Entry("", msgid, (text,), comments, "x.po:1")


def test_one_word_per_concept():
    assert list(catalogs.term_problems(entry("Choose a merchant", "选企业"))) == ["merchant is 商家"]
    assert list(catalogs.term_problems(entry("Choose a merchant", "选商家"))) == []
    assert list(catalogs.term_problems(entry("Owners and members", "负责人和成员"))) == []
    assert list(catalogs.term_problems(entry("Choose a merchant", "选一家", "without: merchant"))) == []
    assert list(catalogs.term_problems(entry("{merchant} asks", "{merchant} 在问"))) == []


def test_browsers_get_the_words_that_the_check_sees():
    """The pages find the words of modules by a pattern, the check by a parser; both must find the same."""
    modules = tuple(name for name in statics.shelf().files if name.startswith("js/"))
    by_parser = {use.msgid for use in catalogs.uses() if use.where.startswith("frontend/static/js/")}
    assert set(statics.words_of(modules)) == by_parser
