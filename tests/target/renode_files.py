"""Readers of Renode's platform descriptions and scripts that know what ongen may use of them."""

import re
from dataclasses import dataclass, field

#: Types of Renode 1.16.1 and the names that may follow: constructor parameters and properties.
TYPES = {
    "Memory.MappedMemory": {"size"},
    "IRQControllers.NVIC": {"priorityMask", "systickFrequency", "IRQ"},
    "CPU.CortexM": {"cpuType", "nvic", "PerformanceInMips"},
    "Miscellaneous.DWT": {"frequency"},
    "UART.STM32F7_USART": {"frequency", "IRQ"},
    "GPIOPort.STM32_GPIOPort": {
        "modeResetValue",
        "outputSpeedResetValue",
        "pullUpPullDownResetValue",
        "numberOfAFs",
    },
    "Timers.STM32F4_RTC": {"AlarmIRQ"},
    "Miscellaneous.STM32F4_RCC": {"rtcPeripheral"},
}
#: bytes that types occupy when nobody says
SIZES = {
    "IRQControllers.NVIC": 0x1000,
    "Miscellaneous.DWT": 0x1000,
    "UART.STM32F7_USART": 0x400,
    "Timers.STM32F4_RTC": 0x400,
    "Miscellaneous.STM32F4_RCC": 0x400,
}
#: commands of the monitor, as regular expressions
COMMANDS = {
    "mach create": r'"(?P<machine>[\w-]+)"',
    "machine LoadPlatformDescription": r"(?P<platform>\S+\.repl)",
    "logLevel": r"[0-4]",
    "emulation SetGlobalAdvanceImmediately": r"true|false",
    "sysbus LoadELF": r"(?P<elf>\S+\.elf)",
    "cpu VectorTableOffset": r"(?P<vectors>0x[0-9A-F]+)",
    "emulation CreateServerSocketTerminal": r'(?P<port>\d+) "(?P<line>\w+)" false',
    "connector Connect": r"sysbus\.(?P<uart>\w+) (?P<end>\w+)",
    "cpu EnableProfilerCollapsedStack": r'"(?P<profile>[^"]+)"',
    "cpu DisableProfiler": "",
    "cpu ExecutedInstructions": "",
    "cpu PC": "",
    "sysbus ReadDoubleWord": r"(?P<address>0x[0-9a-f]+)",
    "sysbus.usart1 WriteChar": r"(?P<byte>0x[0-9A-F]{2})",
    "emulation RunFor": r'"(?P<seconds>[0-9.]+)"',
    "start": "",
    "pause": "",
}

_ENTRY = re.compile(r"(\w+): (?:([\w.]+) @ (.+))?$")
_PLACE = re.compile(r"sysbus (?:(0x[0-9A-F]{8})|<(0x[0-9A-F]{8}), \+(0x[0-9A-F]+)>)$")
_ATTRIBUTE = re.compile(r'    (\w+)(?:: (0x[0-9A-F]+|\d+|"[^"]*"|[a-z]\w*)| -> (\w+)@(\d+))$')
_TAG = re.compile(r'        Tag <(0x[0-9A-F]{8}), (0x[0-9A-F]{8})> "\w+" (0x[0-9A-F]{8})$')


class WrongError(Exception):
    """A line that Renode would not take, or that ongen must not write."""


@dataclass
class Peripheral:
    kind: str
    places: list[tuple[int, int]]  #: first address and bytes; bytes 0 until the size is known
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class Platform:
    peripherals: dict[str, Peripheral]
    tags: dict[tuple[int, int], int]  #: value read from [first, last]

    def ranges(self) -> dict[str, list[tuple[int, int]]]:
        """[first, end) of everything on the bus, by name."""
        found = {
            name: [(first, first + size) for first, size in p.places if size]
            for name, p in self.peripherals.items()
        }
        found["tags"] = [(first, last + 1) for first, last in self.tags]
        return found


def parse_platform(text: str) -> Platform:
    """Read a .repl; raise WrongError on what is not the grammar, an unknown type or name, a URL."""
    refuse_urls(text)
    text = re.sub(
        r"@ \{\n\s*(.*?)\s*\}", lambda m: "@ " + re.sub(r";\s*", "; ", m[1]), text, flags=re.S
    )
    peripherals: dict[str, Peripheral] = {}
    tags: dict[tuple[int, int], int] = {}
    current = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("//"):
            continue
        if entry := _ENTRY.match(line):
            current, kind, places = entry.groups()
            if current == "sysbus" and kind is None:
                continue
            if kind not in TYPES or current in peripherals:
                raise WrongError(f"unknown type or second entry: {line}")
            peripherals[current] = Peripheral(kind, _places(kind, places))
        elif line == "sysbus:":
            current = "sysbus"
        elif current == "sysbus" and line == "    init:":
            continue
        elif current == "sysbus" and (tag := _TAG.match(line)):
            first, last, value = (int(n, 16) for n in tag.groups())
            tags[first, last] = value
        elif current in peripherals and (attribute := _ATTRIBUTE.match(line)):
            name, value, other, _ = attribute.groups()
            if name not in TYPES[peripherals[current].kind]:
                raise WrongError(f"{peripherals[current].kind} has no {name}")
            peripherals[current].values[name] = value or other
        else:
            raise WrongError(f"not understood: {line}")
    _resolve(peripherals)
    return Platform(peripherals, tags)


def _places(kind: str, text: str) -> list[tuple[int, int]]:
    if text == "sysbus":
        return []
    found = []
    for part in text.split("; "):
        place = _PLACE.match(part)
        if place is None:
            raise WrongError(f"no place on the bus: {part}")
        first = int(place[1] or place[2], 16)
        found.append((first, int(place[3], 16) if place[3] else SIZES.get(kind, 0)))
    return found


def _resolve(peripherals: dict[str, Peripheral]) -> None:
    """Give memories their sizes; look for names that do not exist."""
    for name, p in peripherals.items():
        if "size" in p.values:
            p.places = [(first, int(p.values["size"], 16)) for first, _ in p.places]
        if any(size == 0 for _, size in p.places):
            raise WrongError(f"{name} has no size")
        for value in p.values.values():
            if value[0].isalpha() and value not in peripherals:
                raise WrongError(f"{name} names {value}, which does not exist")


def parse_command(line: str) -> tuple[str, dict[str, str]]:
    """Return a monitor command and its arguments; WrongError if there is none."""
    refuse_urls(line)
    for command, arguments in COMMANDS.items():
        match = re.fullmatch(
            rf"{re.escape(command)}(?: (?:{arguments}))?" if arguments else re.escape(command), line
        )
        if match:
            return command, {k: v for k, v in match.groupdict().items() if v is not None}
    raise WrongError(f"No such command or device: {line}")


def script_lines(text: str) -> list[str]:
    """The commands of a .resc, without its comments and description."""
    return [line for line in text.splitlines() if line.strip() and line[0] not in "#:"]


def refuse_urls(text: str) -> None:
    """Raise WrongError if a text names something on the network."""
    if re.search(r"\w+://", text) or "ApplySVD" in text:
        raise WrongError("a URL")
