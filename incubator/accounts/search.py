"""The words by which a Chinese name is found: itself, its pinyin and its initials."""

from pypinyin import Style, lazy_pinyin


def search_words(*texts: str) -> str:
    """Return lower-case words for a substring search: 沁河花茶 gives `沁河花茶 qinhehuacha qhhc`."""
    words = []
    for text in texts:
        if text:
            words += [text, "".join(lazy_pinyin(text)), "".join(lazy_pinyin(text, style=Style.FIRST_LETTER))]
    return " ".join(words).lower()
