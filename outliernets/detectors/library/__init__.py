"""Detectors that come with ongen, one TOML file each; ``default`` chooses among them."""

from functools import cache
from importlib import resources

from outliernets.detectors.spec import DetectorSpec


@cache
def library() -> dict[str, DetectorSpec]:
    """Return the detectors by name, in alphabetical order."""
    files = [f for f in resources.files(__name__).iterdir() if f.name.endswith(".toml")]
    texts = {f.name.removesuffix(".toml"): f.read_text("utf-8") for f in files}
    return {name: DetectorSpec.from_toml(texts[name], f"{name}.toml") for name in sorted(texts)}
