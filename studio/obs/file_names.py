"""How OBS names a recording's file: its placeholders, filled in when the recording begins."""

import re
from datetime import datetime
from typing import Final

OWN: Final = {"CCYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M", "ss": "%S", "%": "%%"}
SHARED: Final = "aAbBdHImMpSyYzZ"  # these mean the same in C
PLACEHOLDER: Final = re.compile(f"%({'|'.join(OWN)}|[{SHARED}])")


def file_name(pattern: str, at: datetime) -> str:
    """Return the name without its ending as OBS writes it at a moment of the machine's clock; what means nothing is left out."""
    filled = PLACEHOLDER.sub(lambda found: at.strftime(OWN.get(found[1], found[0])).replace("%", "\0"), pattern)
    return filled.replace("%", "").replace("\0", "%")
