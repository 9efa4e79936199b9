"""A Linux process on an AArch64 processor."""

from typing import Any

from outliernets.boards import Variant
from outliernets.target.machines.base import Machine

_PAGE = 0x1000


class LinuxUser(Machine):
    """A static AArch64 Linux process: read, write, exit; its timer counts instructions."""

    architecture = ("UC_ARCH_ARM64", "UC_MODE_ARM")
    thumb = False
    _STACK = 0x7F_0000_0000
    _STACK_BYTES = 0x10_0000
    _SUPERVISOR_CALL = 2  # QEMU's EXCP_SWI
    _READ, _WRITE, _EXIT, _EXIT_GROUP = 63, 64, 93, 94
    _CNTVCT_EL0 = (3, 3, 14, 0, 2)  # op0, op1, CRn, CRm, op2
    _ENOSYS = -38

    def _map(self, variant: Variant) -> None:
        import unicorn
        from unicorn import arm64_const

        self._wanted: tuple[int, int] | None = None  # address and size of a read that waits
        self._halted = "the program stopped"
        self._output = bytearray()
        first = min(s.address for s in self._segments) & -_PAGE
        end = max(s.address + s.size for s in self._segments)
        self._uc.mem_map(first, (end - first + _PAGE - 1) & -_PAGE)
        for segment in self._segments:
            self._uc.mem_write(segment.address, segment.data)
        self._uc.mem_map(self._STACK, self._STACK_BYTES)
        self._uc.reg_write(arm64_const.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # floating point and SIMD
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._exception)
        self._uc.hook_add(
            unicorn.UC_HOOK_INSN, self._system_register, aux1=arm64_const.UC_ARM64_INS_MRS
        )

    def _reset(self, variant: Variant) -> int:
        from elftools.elf.elffile import ELFFile
        from unicorn import arm64_const

        self._uc.reg_write(arm64_const.UC_ARM64_REG_SP, self._STACK + self._STACK_BYTES - 0x100)
        with self._elf.open("rb") as stream:
            return int(ELFFile(stream)["e_entry"])

    def send(self, data: bytes) -> None:
        """Queue bytes to be received, and finish a read that waits for them."""
        super().send(data)
        if self._wanted and data:
            address, size = self._wanted
            self._wanted = None
            self._answer(self._deliver(address, size))

    def _drain(self) -> bytes:
        sent = bytes(self._output)
        self._output.clear()
        return sent

    def _exception(self, uc: Any, number: int, user: Any) -> None:
        if number != self._SUPERVISOR_CALL:
            self._halted = f"exception {number}"
            uc.emu_stop()
            return
        call, address, size = (self._register(name) for name in ("X8", "X1", "X2"))
        if call == self._WRITE:
            self._output += uc.mem_read(address, size)
            self._answer(size)
        elif call == self._READ:
            self._read(address, size)
        elif call in (self._EXIT, self._EXIT_GROUP):
            self._halted = f"the program ended with status {self._register('X0')}"
            uc.emu_stop()
        else:
            self._answer(self._ENOSYS)

    def _read(self, address: int, size: int) -> None:
        names = self._native.State
        if self._state[names.RX_NEXT] < self._state[names.RX_END]:
            self._answer(self._deliver(address, size))
            return
        self._wanted = (address, size)
        self._state[names.REASON] = self._native.Reason.IDLE
        self._uc.emu_stop()

    def _deliver(self, address: int, size: int) -> int:
        """Give the program up to ``size`` queued bytes; return how many."""
        names = self._native.State
        first, end = int(self._state[names.RX_NEXT]), int(self._state[names.RX_END])
        data = self._rx[first : min(end, first + size)].tobytes()
        self._uc.mem_write(address, data)
        self._state[names.RX_NEXT] = self._state[names.RX_HERE] = first + len(data)
        return len(data)

    def _system_register(self, uc: Any, register: int, which: Any, user: Any) -> int:
        """Read CNTVCT_EL0 as instructions executed; leave other registers to unicorn (return 0)."""
        if (which.op0, which.op1, which.crn, which.crm, which.op2) != self._CNTVCT_EL0:
            return 0
        uc.reg_write(register, self.instructions())
        return 1

    def _answer(self, value: int) -> None:
        from unicorn import arm64_const

        self._uc.reg_write(arm64_const.UC_ARM64_REG_X0, value & 0xFFFF_FFFF_FFFF_FFFF)

    def _halt_reason(self) -> str:
        return self._halted

    def _next_pc(self) -> int:
        return self._register("PC")

    def _register(self, name: str) -> int:
        from unicorn import arm64_const

        return int(self._uc.reg_read(getattr(arm64_const, f"UC_ARM64_REG_{name}")))

    def _registers(self) -> dict[str, int]:
        names = {f"x{i}": f"X{i}" for i in range(9)} | {"sp": "SP", "lr": "X30", "pc": "PC"}
        return {shown: self._register(name) for shown, name in names.items()}
