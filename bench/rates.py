"""Tables of fitted rates, of which a part can be fitted anew without the rest."""

import re
from collections.abc import Mapping
from pathlib import Path

_KEY = re.compile(r"^\[([\w-]+\.\w+)", re.MULTILINE)


def update(path: Path, header: str, blocks: Mapping[str, str]) -> None:
    """Write blocks of TOML by key (``dsp.zig``) to a file; blocks with other keys stay."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    keys = {match[1]: text for text in old.split("\n\n") if (match := _KEY.search(text))}
    kept = {key: text.strip("\n") for key, text in keys.items()}
    path.write_text("\n\n".join([header, *(kept | dict(blocks)).values()]) + "\n", encoding="utf-8")
