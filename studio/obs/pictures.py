"""Pictures of the simulated scenes, drawn by hand as SVG: flat shapes, one light, no text but what a scene needs."""

from typing import Final

_WALL: Final = "#4c5f5a"
_FLOOR: Final = "#35443f"
_WOOD: Final = "#a87f55"
_PAPER: Final = "#f3ecdc"


def scene_picture(scene: str, *, portrait: bool, width: int) -> bytes:
    """Return the picture of a scene as SVG of the given width; unknown scenes show the empty room."""
    across, down = (90, 160) if portrait else (160, 90)
    height = width * down // across
    drawing = _DRAWINGS.get(scene, _empty)(across, down)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {across} {down}">{drawing}</svg>'
    ).encode()


def _box(x: float, y: float, w: float, h: float, fill: str, round_by: float = 0) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="{round_by:g}" fill="{fill}"/>'


def _disc(x: float, y: float, r: float, fill: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{r:g}" fill="{fill}"/>'


def _line(d: str, stroke: str, width: float) -> str:
    return f'<path d="{d}" fill="none" stroke="{stroke}" stroke-width="{width:g}" stroke-linecap="round"/>'


def _at(x: float, y: float, scale: float, drawing: str) -> str:
    return f'<g transform="translate({x:g} {y:g}) scale({scale:g})">{drawing}</g>'


def _person(coat: str, hair: str = "#2c2522") -> str:
    """Draw head and shoulders around (0, 0), 40 wide and 56 high."""
    shoulders = f'<path d="M-20 36c0-18 8-24 20-24s20 6 20 24z" fill="{coat}"/>'
    head = '<ellipse cx="0" cy="-2" rx="9" ry="11" fill="#dcb592"/>' + _box(-4, 6, 8, 9, "#d2a985", 2)
    return shoulders + head + f'<path d="M-10-1c-2-11 3-15 10-15s12 4 10 15c-2-6-4-8-10-8s-8 2-10 8z" fill="{hair}"/>'


def _room(across: float, down: float) -> str:
    horizon = down * 0.68
    shelf = _box(across * 0.68, down * 0.12, across * 0.24, down * 0.34, "#5d716b", 2)
    books = _box(across * 0.71, down * 0.17, across * 0.05, down * 0.1, "#b98f5d") + _box(
        across * 0.78, down * 0.2, across * 0.04, down * 0.07, "#86a884"
    )
    window = _box(across * 0.08, down * 0.12, across * 0.2, down * 0.28, "#71857d", 2)
    return _box(0, 0, across, down, _FLOOR) + _box(0, 0, across, horizon, _WALL) + window + shelf + books


def _table(across: float, down: float) -> str:
    top = down * 0.74
    return _box(0, top, across, down - top, _WOOD) + _box(0, top, across, down * 0.035, "#c39c6f")


def _goods(across: float, down: float) -> str:
    """Draw three yams and a tin on the table."""
    y = down * 0.79
    yams = "".join(_box(across * 0.3, y + n * 4, across * 0.34, 3.4, "#d0b78c", 1.7) for n in range(3))
    return yams + _box(across * 0.72, y - 6, 10, 16, "#14544e", 1.5) + _box(across * 0.72, y - 1, 10, 6, _PAPER)


def _empty(across: float, down: float) -> str:
    return _room(across, down) + _table(across, down)


def _wide(across: float, down: float) -> str:
    host = _at(across / 2, down * 0.46, down / 110 if across > down else 1.25, _person("#2f6d68"))
    return _room(across, down) + host + _table(across, down) + _goods(across, down)


def _pair(across: float, down: float) -> str:
    size = down / 120 if across > down else 0.95
    hosts = _at(across * 0.32, down * 0.48, size, _person("#67589a"))
    hosts += _at(across * 0.69, down * 0.49, size, _person("#a06434", "#3b302b"))
    return _room(across, down) + hosts + _table(across, down) + _goods(across, down)


def _close(across: float, down: float) -> str:
    plate = f'<ellipse cx="{across / 2:g}" cy="{down * 0.66:g}" rx="{across * 0.38:g}" ry="{down * 0.18:g}" fill="#eae2cf"/>'
    slices = "".join(_disc(across * (0.34 + 0.16 * n), down * (0.62 + 0.05 * (n % 2)), 7, "#fbf5e6") for n in range(3))
    card = _box(across * 0.6, down * 0.1, across * 0.3, down * 0.16, _PAPER, 2)
    words = _line(f"M{across * 0.64:g} {down * 0.16:g}h{across * 0.2:g}", "#5b6a48", 2.4)
    return _box(0, 0, across, down, "#5b6a48") + _box(0, 0, across, down * 0.36, "#465238") + plate + slices + card + words


def _above(across: float, down: float) -> str:
    board = _box(across * 0.14, down * 0.13, across * 0.72, down * 0.74, "#d5c096", 4)
    columns, rows = (4, 2) if across > down else (2, 4)
    pieces = "".join(
        _disc(across * (0.14 + 0.72 * (c + 0.5) / columns), down * (0.13 + 0.74 * (r + 0.5) / rows), 8, _PAPER)
        for c in range(columns)
        for r in range(rows)
    )
    return _box(0, 0, across, down, "#8b7251") + board + pieces


def _price(across: float, down: float) -> str:
    tall = down > across
    host = _at(across * (0.5 if tall else 0.26), down * (0.26 if tall else 0.5), 1.3, _person("#2f6d68"))
    x, y, w, h = (8, 86, 74, 62) if tall else (84, 12, 66, 66)
    card = _box(x, y, w, h, _PAPER, 4) + _box(x + 6, y + 6, w * 0.36, h - 12, "#cfb78b", 2)
    left = x + w * 0.36 + 12
    words = _line(f"M{left:g} {y + 14:g}h{w * 0.36:g}", "#3b4441", 3.6)
    words += _line(f"M{left:g} {y + 25:g}h{w * 0.24:g}", "#8b8f86", 2.6)
    price = _line(f"M{left:g} {y + h - 14:g}h{w * 0.3:g}", "#0d6660", 6)
    return _box(0, 0, across, down, "#24403c") + host + card + words + price


def _film(across: float, down: float) -> str:
    low, rise = down * 0.7, down * 0.3
    hills = f"M0 {low:g}q{across * 0.3:g}-{rise:g} {across * 0.5:g}-{rise / 2:g}t{across * 0.5:g}-{rise / 3:g}V{down:g}H0z"
    field = f"M0 {down * 0.84:g}q{across * 0.4:g}-{rise / 2:g} {across:g}-{rise / 3:g}V{down:g}H0z"
    land = f'<path d="{hills}" fill="#507048"/><path d="{field}" fill="#6f8b59"/>'
    x, y = across / 2, down / 2
    button = f'<circle cx="{x:g}" cy="{y:g}" r="14" opacity=".45"/><path d="M{x - 4:g} {y - 7:g}v14l12-7z" fill="#fff"/>'
    return _box(0, 0, across, down, "#213029") + _disc(across * 0.78, down * 0.22, 9, "#e4cb8d") + land + button


def _back_soon(across: float, down: float) -> str:
    x, y = across / 2, down * 0.4
    clock = f'<circle cx="{x:g}" cy="{y:g}" r="15" fill="none" stroke="#8bdacf" stroke-width="2.6"/>'
    hands = _line(f"M{x:g} {y - 9:g}v10l7 4", "#8bdacf", 2.6)
    words = _line(f"M{x - 27:g} {down * 0.7:g}h54", "#d6e8e4", 3.6) + _line(f"M{x - 17:g} {down * 0.7 + 10:g}h34", "#d6e8e4", 3.6)
    return _box(0, 0, across, down, "#12302c") + clock + hands + words


def _thanks(across: float, down: float) -> str:
    x = across / 2
    words = _line(f"M{x - 30:g} {down * 0.36:g}h60", "#eae5f2", 5) + _line(f"M{x - 20:g} {down * 0.36 + 13:g}h40", "#eae5f2", 5)
    code = _box(x - 14, down * 0.6, 28, 28, "#eae5f2", 3)
    marks = "".join(_box(x - 10 + 12 * c, down * 0.6 + 4 + 12 * r, 8, 8, "#2a2438") for c in (0, 1) for r in (0, 1) if c + r < 2)
    return _box(0, 0, across, down, "#2a2438") + words + code + marks


_DRAWINGS: Final = {
    "主播全景": _wide,
    "双人": _pair,
    "产品特写": _close,
    "俯拍台面": _above,
    "图文价格": _price,
    "产地短片": _film,
    "马上回来": _back_soon,
    "感谢观看": _thanks,
}
