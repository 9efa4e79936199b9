"""Detectors that come with ongen, one TOML file each; ``default`` chooses among those by hand."""

from functools import cache
from importlib import resources

from outliernets.config import Task
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError


@cache
def library() -> dict[str, DetectorSpec]:
    """Return the detectors made by hand, by name, in alphabetical order."""
    files = [f for f in resources.files(__name__).iterdir() if f.name.endswith(".toml")]
    texts = {f.name.removesuffix(".toml"): f.read_text("utf-8") for f in files}
    return {name: DetectorSpec.from_toml(texts[name], f"{name}.toml") for name in sorted(texts)}


def searched(task: Task) -> DetectorSpec:
    """Return the detector that ``ongen search`` found for a task.

    Its file says how it was found. Raise ConfigError for a task that was not searched for.
    """
    folder = resources.files(__name__) / "searched"
    file = folder / f"{task.identifier}.toml"
    if not file.is_file():
        known = sorted(f.name.removesuffix(".toml") for f in folder.iterdir())
        raise ConfigError(
            f"no searched detector for {task} comes with ongen, only for {', '.join(known)}; "
            f"'ongen search --task {task} --board BOARD' finds one"
        )
    return DetectorSpec.from_toml(file.read_text("utf-8"), file.name)
