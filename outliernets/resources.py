"""Where templates/, firmware/ and boards/ are: beside the package, or inside it in a wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def root() -> Path:
    """Return the folder that holds ``templates``, ``firmware`` and ``boards``."""
    bundled = _PACKAGE / "_data"
    return bundled if bundled.is_dir() else _PACKAGE.parent


def templates() -> Path:
    """Return the folder of Jinja2 templates."""
    return root() / "templates"


def firmware() -> Path:
    """Return the folder of hand-written C."""
    return root() / "firmware"


def boards() -> Path:
    """Return the folder of board descriptions (TOML)."""
    return root() / "boards"
