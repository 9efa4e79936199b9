"""Interrupts in Unicorn: the controller, what the processor stores, whole programs."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards
from outliernets.errors import ConfigError, TargetError
from outliernets.target import Client
from outliernets.target.machines import Device, Machine, Stm32, create
from outliernets.target.machines.exceptions import Core
from outliernets.target.machines.nvic import THREAD, Nvic
from outliernets.target.symbols import Functions
from outliernets.target.unicorn import UnicornTarget
from tests.target import stub
from tests.target.conftest import Build

ISER, ICER, ISPR, ICPR, IABR, IPR = (
    0xE000_E100,
    0xE000_E180,
    0xE000_E200,
    0xE000_E280,
    0xE000_E300,
    0xE000_E400,
)
#: boards, and how many interrupts their chips have
VECTORS = {"stm32f746": 98, "stm32f446": 97, "stm32f207": 81, "stm32g0b1": 32}
BOARDS = list(VECTORS)


# the controller


def test_only_enabled_interrupts_are_taken() -> None:
    nvic = Nvic(4)
    nvic.set_line(37, True)
    assert nvic.most_urgent(THREAD) is None
    assert nvic.read(ISPR + 4, 4) == 1 << 5
    nvic.write(ISER + 4, 4, 1 << 5)
    assert nvic.read(ISER + 4, 4) == nvic.read(ICER + 4, 4) == 1 << 5
    assert nvic.most_urgent(THREAD) == 37
    nvic.write(ICER + 4, 4, 1 << 5)
    assert nvic.most_urgent(THREAD) is None
    assert not nvic.listens


def test_an_interrupt_comes_again_while_its_line_is_high() -> None:
    nvic = Nvic(4)
    nvic.write(ISER, 4, 1 << 3)
    nvic.set_line(3, True)
    nvic.enter(3)
    assert (nvic.read(IABR, 4), nvic.read(ISPR, 4)) == (8, 0)
    nvic.set_line(3, True)
    assert nvic.most_urgent(THREAD) is None  # it does not interrupt itself
    nvic.leave(3)
    assert nvic.most_urgent(THREAD) == 3
    nvic.enter(3)
    nvic.set_line(3, False)
    nvic.leave(3)
    assert nvic.most_urgent(THREAD) is None


def test_software_can_raise_an_interrupt_and_take_it_back() -> None:
    nvic = Nvic(4)
    nvic.write(ISER, 4, 1 << 9)
    nvic.write(ISPR, 4, 1 << 9)
    assert nvic.most_urgent(THREAD) == 9
    nvic.write(ICPR, 4, 1 << 9)
    assert nvic.most_urgent(THREAD) is None


def test_priorities() -> None:
    nvic = Nvic(4)
    nvic.write(ISER, 4, 0b1110)
    nvic.write(IPR, 4, 0x2F_3F_40_00)  # interrupts 1, 2, 3: the lower four bits do not exist
    assert nvic.read(IPR, 4) == 0x20_30_40_00
    assert nvic.read(IPR + 2, 1) == 0x30
    nvic.set_line(1, True)
    nvic.enter(1)
    nvic.set_line(2, True)
    nvic.set_line(3, True)
    assert nvic.most_urgent(THREAD) == 3
    assert nvic.most_urgent(0x20) is None  # BASEPRI
    nvic.enter(3)
    assert nvic.most_urgent(THREAD) is None
    nvic.set_line(3, False)
    nvic.leave(3)
    assert nvic.most_urgent(THREAD) == 2
    nvic.write(IPR + 2, 1, 0x40)
    assert nvic.most_urgent(THREAD) is None  # an equal priority waits


# the processor


@pytest.fixture
def processor():
    unicorn = pytest.importorskip("unicorn")
    from unicorn import arm_const
    from unicorn.unicorn_py3.unicorn import uclib

    uc = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)
    uc.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M7)
    uc.mem_map(0x2000_0000, 0x1000)

    def register(name: str, value: int | None = None) -> int:
        number = getattr(arm_const, f"UC_ARM_REG_{name.upper()}")
        if value is not None:
            uc.reg_write(number, value)
        return int(uc.reg_read(number))

    return uc, Core(uc, uclib), register


CORE = [f"r{i}" for i in range(13)] + ["sp", "lr", "pc", "xpsr", "control"]
FLOAT = [f"s{i}" for i in range(32)] + ["fpscr"]


@pytest.mark.emulator
@pytest.mark.parametrize("sp", [0x2000_1000, 0x2000_0FFC])
@pytest.mark.parametrize("floats", [False, True])
def test_a_handler_leaves_no_trace(processor, sp: int, floats: bool) -> None:
    _, core, register = processor
    values = np.random.default_rng(3).integers(0, 1 << 31, 64).tolist()
    for name, value in zip(CORE[:13] + FLOAT[:-1], values, strict=False):
        register(name, value)
    register("sp", sp)
    register("lr", 0x0800_0101)
    register("pc", 0x0800_0200 | 1)
    # Flags, and the middle of an IT block: four instructions left, of the condition NE.
    register("xpsr", 0xA100_0000 | 0b0001 << 12 | 0b00 << 10 | 0b11 << 25)
    register("control", 4 if floats else 0)
    before = [register(name) for name in CORE + FLOAT]
    core.enter(16 + 37, 0x0800_0400)
    assert register("ipsr") == 53
    assert register("xpsr") & 0x0600_FC00 == 0  # the handler is outside of the block
    assert register("pc") == 0x0800_0400
    assert register("lr") == (0xFFFF_FFE9 if floats else 0xFFFF_FFF9)
    assert register("control") == 0
    assert register("sp") % 8 == 0
    assert sp - register("sp") == (104 if floats else 32) + sp % 8
    clobbered = [*CORE[:4], "r12", *(FLOAT[:16] if floats else [])]  # what a C function may
    for name in clobbered:
        register(name, 0xDEAD)
    register("pc", register("lr"))
    assert core.leave() == 53
    assert [register(name) for name in CORE + FLOAT] == before
    assert register("ipsr") == 0


@pytest.mark.emulator
def test_the_process_stack_is_refused(processor) -> None:
    _, core, register = processor
    register("control", 2)
    with pytest.raises(TargetError, match="process stack"):
        core.enter(53, 0x0800_0400)


# whole programs


class Timer(Device):
    """Raises an interrupt again and again from the first write on; a write lowers the line."""

    first, size = 0x4002_6400, 0x400

    def __init__(self, interrupt: int, every: int) -> None:
        self.interrupt, self.every, self.runs = interrupt, every, False
        self.reads: list[int] = []

    def read(self, offset: int) -> int:
        self.reads.append(offset)
        return 0x1234

    def write(self, offset: int, value: int) -> None:
        self.bus.set_interrupt(self.interrupt, False)
        if not self.runs:
            self.runs = True
            self.bus.at(self.bus.now() + self.every, self._tick)

    def _tick(self) -> None:
        self.bus.set_interrupt(self.interrupt, True)
        self.bus.at(self.bus.now() + self.every, self._tick)


HANDLER = """
#include <stdint.h>
#define TIMER (*(volatile uint32_t *)0x40026400U)
volatile uint32_t on_ticks;
void DMA2_Stream4_IRQHandler(void);
void DMA2_Stream4_IRQHandler(void) {
    TIMER = 1;
    on_ticks++;
    __asm__ volatile("movs r0, #0\\n mov r1, r0\\n mov r2, r0\\n mov r3, r0\\n mov r12, r0\\n"
                     "cmp r0, r0\\n vmov s0, r0\\n vmov s15, r0\\n"
                     ::: "r0", "r1", "r2", "r3", "r12", "s0", "s15", "cc");
}
"""


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
def test_a_program_does_not_notice_interrupts(compiler: str, tmp_path: Path) -> None:
    """Equal answers, and equal counts of every function to the last instruction."""
    board = boards.load("stm32f746")
    source = tmp_path / "handler.c"
    source.write_text(HANDLER)
    elf = stub.build(board, compiler, "unicorn", tmp_path, (source,)).elf
    pcm = np.random.default_rng(8).integers(-32768, 32768, 3000).astype(np.int16)
    counts, steps = [], []
    for every in (None, 211, 1009):
        with UnicornTarget().open(elf, board) as running:
            timer = Timer(60, every or 1)
            running.attach(timer)
            client = Client(running, elf)
            client.hello(stub.MODEL_ID)
            if every:
                running._running()._nvic.write(ISER + 4, 4, 1 << 28)
                timer.write(0, 1)
            client.reset()
            assert [r.score for r in client.push(pcm)] == stub.scores(pcm)
            counts.append(running.counts())
            steps.append(running.flow().steps)
            ticks = counts[-1].pop("DMA2_Stream4_IRQHandler", 0)
            assert (ticks > 1000) == bool(every)
    waiting = {"bsp_receive", "server_serve", "server_run", "on_frame_take", "on_frame_need"}
    for other in counts[1:]:
        for name in set(counts[0]) - waiting - {"USART1_IRQHandler"}:
            assert other[name] == counts[0][name], name
    assert all(set(other) >= set(steps[0]) for other in steps[1:])


PROGRAM = """
    .syntax unified
    .cpu {cpu}
    .thumb
    .section .vectors, "a"
    .word 0x20001000, start + 1
    .rept 14
    .word 0
    .endr
    .rept 32
    .word handler + 1
    .endr
    .text
    .equ LIMIT, {limit}
start:
    ldr r4, =0xE000E100
    ldr r5, =0x40026400
    movs r6, #0
    movs r0, #32
    str r0, [r4]       @ interrupt 5
{body}
    .pool
handler:
    str r0, [r5]
    mov r7, r6
    mrs r3, ipsr
    mov r8, r3
    bx lr
"""


def assembled(board: str, body: str, folder: Path) -> Path:
    if shutil.which("arm-none-eabi-gcc") is None:
        pytest.skip("arm-none-eabi-gcc is not installed")
    cpu = boards.load(board).cpu
    source, elf = folder / "program.s", folder / "program.elf"
    source.write_text(PROGRAM.format(cpu=cpu, body=body, limit=1000))
    places = ["-Wl,--section-start=.vectors=0x08000000", "-Wl,-Ttext=0x08000200", "-Wl,-e,start"]
    command = ["arm-none-eabi-gcc", f"-mcpu={cpu}", "-mthumb", "-nostdlib", *places]
    subprocess.run([*command, str(source), "-o", str(elf)], check=True, capture_output=True)
    return elf


def machine_of(board: str, elf: Path, timer: Timer | None = None) -> Machine:
    chosen = boards.load(board)
    machine = create(chosen.variant("unicorn"), chosen.cpu, elf, 10_000_000)
    if timer:
        machine.attach(timer)
    return machine


MASKED = """
    cpsid i
    str r0, [r5]       @ the timer starts
    ldr r1, =LIMIT
1:  subs r1, #1
    bne 1b
    movs r6, #1
    cpsie i
    nop
2:  cmp r7, #0
    beq 2b
    cpsid i
    wfi
"""


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS[:3])
def test_a_masked_interrupt_waits(board: str, tmp_path: Path) -> None:
    """PRIMASK: the handler runs when it is cleared, with what the program has done until then."""
    machine = machine_of(board, assembled(board, MASKED, tmp_path), Timer(5, 100))
    with pytest.raises(TargetError, match=r"program stopped.* r7=0x1 "):
        machine.run()
    assert machine._registers()["r8"] == 16 + 5


SLEEPING = """
    str r0, [r5]
    movs r2, #0
1:  wfi
    adds r2, #1
    cmp r2, #10
    bne 1b
    movs r0, #32
    ldr r1, =0xE000E180
    str r0, [r1]
    wfi
"""


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS[:3])
def test_sleep_lasts_until_the_interrupt_and_counts_no_instructions(
    board: str, tmp_path: Path
) -> None:
    timer = Timer(5, 10_000)
    machine = machine_of(board, assembled(board, SLEEPING, tmp_path), timer)
    with pytest.raises(TargetError, match="program stopped"):
        machine.run()
    assert machine.now() == pytest.approx(100_000, abs=200)
    # The start: 7; ten turns of 4, and of a handler of 5; the end: 4.
    assert machine.instructions() == 5 + 2 + 10 * (4 + 5) + 4
    counts = machine.counts(Functions(tmp_path / "program.elf"))
    assert sum(counts.values()) == machine.instructions()


@pytest.mark.emulator
def test_devices_have_places_of_their_own(stub_firmware: Build) -> None:
    firmware = stub_firmware("stm32f746", "gcc", "unicorn")
    with UnicornTarget().open(firmware.elf, boards.load("stm32f746")) as running:
        running.attach(Timer(60, 100))
        for place in (0x4002_6700, 0x4001_1400, 0x2000_0000, 0xE000_E100):
            device = Timer(60, 100)
            device.first = place
            with pytest.raises(ConfigError, match=f"attached at {place:#010x}"):
                running.attach(device)
    firmware = stub_firmware("cortex-a72", "gcc", "unicorn")
    with (
        UnicornTarget().open(firmware.elf, boards.load("cortex-a72")) as running,
        pytest.raises(ConfigError, match="no peripherals"),
    ):
        running.attach(Timer(60, 100))


@pytest.mark.emulator
@pytest.mark.parametrize("board", BOARDS)
def test_every_chip_has_the_interrupts_of_its_manual(board: str, stub_firmware: Build) -> None:
    """The handler of the UART stands at its number, the others at the fault report."""
    from elftools.elf.elffile import ELFFile

    firmware = stub_firmware(board, "gcc", "unicorn")
    machine = machine_of(board, firmware.elf)
    assert isinstance(machine, Stm32)
    with firmware.elf.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".symtab")
        places = {s.name: (s["st_value"], s["st_size"]) for s in symbols.iter_symbols()}
    first, size = places["on_vectors"]
    vectors = np.frombuffer(machine.read_memory(first, size), "<u4")[16:].tolist()
    assert len(vectors) == VECTORS[board]
    number = machine._chip.interrupt
    names = [name for name, (address, _) in places.items() if address == vectors[number]]
    assert any(name.startswith("USART") and name.endswith("_IRQHandler") for name in names)
    others = set(vectors[:number] + vectors[number + 1 :])
    assert others == {places["on_fault_entry"][0]}
