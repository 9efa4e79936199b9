"""What a board is: processor, clock, memory and targets, as ``boards/<name>.toml`` says."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from outliernets import resources
from outliernets.errors import ConfigError, near_miss

ROLES = ("code", "hot_code", "data", "hot_data", "stack", "spare")
#: In the linker script, where the toolchain names what code fits into the region ``hot_code``.
HOT_MARK = "/* hot functions: named here when their sizes are known */"
STACK_BYTES = 0x4000  #: reserved when a board does not say
ADDRESSES = 1 << 32  #: the tables of start-up code (firmware/bsp/common/fill_memory.h) have 32 bits
_REQUIRED: dict[str, type] = {"title": str, "family": str, "cpu": str, "clock_hz": int, "bsp": list}
_OPTIONAL: dict[str, type] = {
    "stack": int,
    "memory": list,
    "targets": dict,
    "audio": list,
    "flash": dict,
    "power": dict,
}
_MEMORY_REQUIRED: dict[str, type] = {"name": str, "base": int, "size": int, "role": str}
_MEMORY_OPTIONAL: dict[str, type] = {"alias": int}
_FLASH_REQUIRED: dict[str, type] = {"pyocd": str, "openocd": list}
_POWER_REQUIRED: dict[str, type] = {"mw_per_mhz": float, "error": float, "source": str}
_TARGET_REQUIRED: dict[str, type] = {"machine": str}
_TARGET_OPTIONAL: dict[str, type] = {"bsp": list, "memory": list, "stack": int}


@dataclass(frozen=True)
class Memory:
    """One region of a chip's memory.

    ``role`` is one of ``ROLES``. ``alias`` is a second address of the same memory, if it has one.
    """

    name: str
    base: int  #: address of the first byte
    size: int  #: bytes
    role: str
    alias: int | None = None

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.base + self.size


def _holds_data(memory: Memory) -> bool:
    return memory.role in ("data", "hot_data")


@dataclass(frozen=True)
class Variant:
    """How programs are built for, and run on, one target of a board."""

    machine: str  #: the target's name for the machine
    bsp: tuple[str, ...]  #: folders of firmware/bsp/
    memory: tuple[Memory, ...]  #: empty where an operating system gives the memory
    stack: int  #: bytes reserved for the stack in ``memory``

    @property
    def regions(self) -> tuple[Memory, ...]:
        """The memory as the linker sees it: data and the data that follow it are one region.

        It has the role of its first part, so that of ``hot_data`` if it begins with that.
        """
        merged: list[Memory] = []
        for memory in self.memory:
            last = merged[-1] if merged else None
            if last and _holds_data(last) and memory.role == "data" and last.end == memory.base:
                name, size = f"{last.name}_{memory.name}", last.size + memory.size
                merged[-1] = Memory(name, last.base, size, last.role)
            else:
                merged.append(memory)
        return tuple(merged)

    def region(self, role: str) -> Memory | None:
        """Return the first of the linker's regions with this role."""
        return next((m for m in self.regions if m.role == role), None)

    @property
    def data(self) -> Memory | None:
        """The linker's region for variables: the quickest there is."""
        return self.region("hot_data") or self.region("data")


@dataclass(frozen=True)
class Chip:
    """What the programs that write flash call a chip; st-flash asks the chip itself."""

    pyocd: str  #: as ``pyocd list --targets`` has it
    openocd: tuple[str, ...]  #: configuration files, of its debug probe and of itself


@dataclass(frozen=True)
class Power:
    """What the chip draws while it computes."""

    mw_per_mhz: float  #: mW per MHz, which is nJ per cycle
    error: float  #: relative
    source: str  #: who says so, under which conditions


@dataclass(frozen=True)
class Board:
    """A board as ``boards/<name>.toml`` describes it."""

    name: str
    title: str
    family: str
    cpu: str  #: a key of ``toolchain.CPUS``
    clock_hz: int
    native: Variant  #: the board itself
    targets: Mapping[str, Variant] = field(hash=False)  #: by target name: ``unicorn``, ``qemu``
    audio: tuple[str, ...] = ()  #: its own sources of sound, of firmware/audio/
    chip: Chip | None = None  #: None: its flash cannot be written
    power: Power | None = None  #: None: nobody knows, and no energy is reported

    @property
    def memory(self) -> tuple[Memory, ...]:
        """The memory regions of the board itself."""
        return self.native.memory

    @property
    def default_target(self) -> str:
        """The target to run on when nobody says: the first in the board's file."""
        if not self.targets:
            raise ConfigError(f"board {self.name} has no [targets.NAME] to run on")
        return next(iter(self.targets))

    def variant(self, target: str | None) -> Variant:
        """Return how to build for ``target``; None is the board itself, unlisted a ConfigError."""
        if target is None:
            return self.native
        if target not in self.targets:
            hint = near_miss(target, self.targets)
            raise ConfigError(f"board {self.name} does not run on target '{target}' ({hint})")
        return self.targets[target]


def names() -> list[str]:
    """Return the names of the boards that come with the package."""
    return sorted(path.stem for path in resources.boards().glob("*.toml"))


def load(name_or_path: str | Path) -> Board:
    """Read a board by name, or from a TOML file of the user's; raise ConfigError on any mistake."""
    path = _find(name_or_path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read board file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    return _board(path, table)


def load_for(name_or_path: str, target: str | None) -> tuple[Board, str]:
    """Return a board and the target to run on; ``target`` None: the board's first.

    Raise ConfigError for a target the board does not run on.
    """
    board = load(name_or_path)
    chosen = target or board.default_target
    board.variant(chosen)
    return board, chosen


def _find(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    if str(name_or_path) in names():
        return resources.boards() / f"{name_or_path}.toml"
    hint = near_miss(str(name_or_path), names())
    raise ConfigError(f"unknown board '{name_or_path}' ({hint}; or give the path of a .toml file)")


def _board(path: Path, table: dict[str, Any]) -> Board:
    where = f"{path.parent.name}/{path.name}"
    _check_keys(where, table, _REQUIRED, _OPTIONAL)
    if table["clock_hz"] <= 0:
        raise ConfigError(f"{where}: clock_hz = {table['clock_hz']} is not a positive number of Hz")
    native = _variant(where, {"machine": path.stem}, table)
    targets = {}
    for name, settings in table.get("targets", {}).items():
        there = f"{where}: [targets.{name}]"
        if not isinstance(settings, dict):
            raise ConfigError(f"{there} must be a table")
        _check_keys(there, settings, _TARGET_REQUIRED, _TARGET_OPTIONAL)
        targets[name] = _variant(there, settings, table)
    facts = (path.stem, table["title"], table["family"], table["cpu"], table["clock_hz"])
    return Board(
        *facts,
        native,
        targets,
        audio=_audio(where, table.get("audio", [])),
        chip=_chip(where, table.get("flash")),
        power=_power(where, table.get("power")),
    )


def _audio(where: str, sources: list[Any]) -> tuple[str, ...]:
    known = sorted(folder.parent.name for folder in resources.firmware().glob("audio/*/*.c"))
    for source in sources:
        if source not in known:
            raise ConfigError(
                f"{where}: audio names {source!r}, which is no folder of firmware/audio/ "
                f"({', '.join(dict.fromkeys(known))})"
            )
    return tuple(sources)


def _chip(where: str, settings: dict[str, Any] | None) -> Chip | None:
    if settings is None:
        return None
    there = f"{where}: [flash]"
    _check_keys(there, settings, _FLASH_REQUIRED, {})
    if not all(isinstance(file, str) for file in settings["openocd"]):
        raise ConfigError(f"{there}: openocd must be a list of names of configuration files")
    return Chip(settings["pyocd"], tuple(settings["openocd"]))


def _power(where: str, settings: dict[str, Any] | None) -> Power | None:
    if settings is None:
        return None
    there = f"{where}: [power]"
    _check_keys(there, settings, _POWER_REQUIRED, {})
    power = Power(**settings)
    if not 0.0 < power.mw_per_mhz < math.inf:
        raise ConfigError(f"{there}: mw_per_mhz = {power.mw_per_mhz} is not a positive number")
    if not 0.0 <= power.error < 1.0:
        raise ConfigError(f"{there}: error = {power.error} must be 0.0 or more and less than 1.0")
    if not power.source.strip():
        raise ConfigError(f"{there}: source must say where the number comes from")
    return power


def _variant(where: str, settings: dict[str, Any], board: dict[str, Any]) -> Variant:
    """Read a target's settings; what it leaves out is the board's."""
    chosen = {**board, **settings}
    if not all(isinstance(folder, str) for folder in chosen["bsp"]):
        raise ConfigError(f"{where}: bsp must be a list of folder names of firmware/bsp/")
    memory = tuple(
        _memory(f"{where}: memory {i + 1}", entry)
        for i, entry in enumerate(chosen.get("memory", []))
    )
    variant = Variant(
        chosen["machine"], tuple(chosen["bsp"]), memory, chosen.get("stack", STACK_BYTES)
    )
    _check_memory(where, variant)
    return variant


def _memory(where: str, entry: object) -> Memory:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} must be a table")
    _check_keys(where, entry, _MEMORY_REQUIRED, _MEMORY_OPTIONAL)
    memory = Memory(**entry)
    if memory.role not in ROLES:
        raise ConfigError(
            f"{where}: unknown role '{memory.role}' ({near_miss(memory.role, ROLES)})"
        )
    if memory.base < 0 or memory.size <= 0 or memory.base % 8 or memory.size % 8:
        raise ConfigError(f"{where}: base and size must be positive multiples of 8")
    if memory.end > ADDRESSES:
        raise ConfigError(
            f"{where}: {memory.name} ends at {memory.end:#x}, but start-up code reaches addresses"
            f" below {ADDRESSES:#x}"
        )
    return memory


def _check_memory(where: str, variant: Variant) -> None:
    if not variant.memory:
        return
    for role in ("code", "data"):
        if not any(m.role == role for m in variant.memory):
            raise ConfigError(f"{where}: no [[memory]] has the role '{role}'")
    ordered = sorted(variant.memory, key=lambda m: m.base)
    for low, high in pairwise(ordered):
        if low.end > high.base:
            raise ConfigError(f"{where}: memory regions {low.name} and {high.name} overlap")
    if len({m.name for m in variant.memory}) != len(variant.memory):
        raise ConfigError(f"{where}: two memory regions have the same name")
    _check_hot(where, variant)
    home = stack_region(variant)
    if not 0 < variant.stack <= home.size or variant.stack % 8:
        raise ConfigError(
            f"{where}: stack = {variant.stack} must be a multiple of 8, at most {home.size}"
            f" ({home.name})"
        )


def _check_hot(where: str, variant: Variant) -> None:
    for role in ("hot_code", "hot_data"):
        if sum(m.role == role for m in variant.memory) > 1:
            raise ConfigError(f"{where}: at most one [[memory]] can have the role '{role}'")
    hot = variant.region("hot_data")
    if hot in variant.memory:  # else it has become a part of a larger one
        raise ConfigError(
            f"{where}: {hot.name} has the role 'hot_data' and ends at {hot.end:#x}, where the next"
            " [[memory]] must begin and have the role 'data'"
        )
    if hot and variant.region("stack"):
        raise ConfigError(f"{where}: no role 'stack' beside 'hot_data', which holds the stack")


def _check_keys(
    where: str, table: Mapping[str, Any], required: Mapping[str, type], optional: Mapping[str, type]
) -> None:
    known = {**required, **optional}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key '{key}' ({near_miss(key, known)})")
        if type(value) is not known[key]:
            got = _KINDS.get(type(value), "that")
            raise ConfigError(f"{where}: {key} must be {_KINDS[known[key]]}, not {got}")
    for key in required:
        if key not in table:
            raise ConfigError(f"{where}: key '{key}' is missing ({_KINDS[known[key]]})")


_KINDS: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    float: "a decimal number",
    bool: "a truth value",
    list: "a list",
    dict: "a table",
}


def stack_region(variant: Variant) -> Memory:
    """Return the region that holds the stack; ``variant`` must have memory."""
    home = variant.region("stack") or variant.data
    if home is None:
        raise ConfigError(f"machine {variant.machine} has no memory for a stack")
    return home


def _split(home: Memory, stack: int) -> tuple[Memory, Memory]:
    """Return the stack, and what it leaves of its region.

    In ``hot_data`` the stack comes first, so that the data can go on in the memory behind, and a
    stack that overflows is a fault; elsewhere it is at the top.
    """
    rest = home.size - stack
    stack_base, rest_base = home.base + rest, home.base
    if home.role == "hot_data":
        stack_base, rest_base = home.base, home.base + stack
    return replace(home, base=stack_base, size=stack), replace(home, base=rest_base, size=rest)


def linker_context(board: Board, target: str | None) -> dict[str, Any] | None:
    """Return the numbers ``templates/linker.ld.j2`` places; None where no linker script is needed.

    Regions are ``{name, base, size, attributes}``; ``hot_code`` names the RAM that code is copied
    to, or is None; ``spare`` names the RAM regions that get a section of their own name; the stack
    is ``[stack_low, stack_high)``, and its region is what is left without it.
    """
    variant = board.variant(target)
    if not variant.memory:
        return None
    home = stack_region(variant)
    stack, rest = _split(home, variant.stack)
    code, data, hot = variant.region("code"), variant.data, variant.region("hot_code")
    assert code
    assert data
    regions = [
        {
            "name": m.name,
            "base": m.base,
            "size": m.size,
            "attributes": "rx" if m.role == "code" else "rwx",
        }
        for m in (rest if m == home else m for m in variant.regions)
    ]
    return {
        "board": board.name,
        "machine": variant.machine,
        "regions": regions,
        "code": code.name,
        "data": data.name,
        "hot_code": hot.name if hot else None,
        "hot_mark": HOT_MARK,
        "spare": [m.name for m in variant.regions if m not in (code, data, hot)],
        "stack_low": stack.base,
        "stack_high": stack.end,
        "stack_size": variant.stack,
    }
