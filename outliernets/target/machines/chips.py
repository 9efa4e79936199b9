"""What firmware can tell one STM32 from another by."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from outliernets.target import flash_model
from outliernets.target.flash_model import Flash, Sector

Registers = dict[int, int]  #: what was written, by address
Behaviour = Mapping[int, Callable[[Registers], int]]  #: what is read instead, by address


@dataclass(frozen=True)
class Usart:
    """Offsets of a kind of USART's registers."""

    control: int  #: the first, with RXNEIE
    status: int
    received: int
    to_send: int
    rate: int  #: clocks of the USART for one bit
    clear: int  #: what ends an overrun; 0 if reading a byte does


@dataclass(frozen=True)
class Chip:
    """An STM32."""

    usart: int  #: address of the USART that talks to the host
    usart_kind: Usart
    interrupt: int  #: the USART's
    divider: int  #: of the core's clock, for the USART
    behaviour: Behaviour
    flash: Flash
    cycles: int = 0xE000_1004  #: address of the counter of cycles; DWT.CYCCNT
    priority_bits: int = 4  #: of an interrupt
    peripherals: tuple[tuple[int, int], ...] = ((0x4000_0000, 0x4008_0000),)  #: first, end


def _rcc_cr(values: Registers) -> int:
    value = values.get(0x4002_3800, 0x83)  # RM0385 5.3.1: HSI is on and ready after reset
    return value | (value & 0x1501_0001) << 1  # each oscillator is ready as soon as it is on


def _rcc_cfgr(values: Registers) -> int:
    value = values.get(0x4002_3808, 0)
    return value | (value & 3) << 2  # RM0385 5.3.3: SWS follows SW


def _pwr_csr(values: Registers) -> int:
    control = values.get(0x4000_7000, 0xC000)
    return 1 << 14 | control & 3 << 16  # RM0385 4.4.2: VOSRDY; ODRDY, ODSWRDY follow ODEN, ODSWEN


def _clidr(values: Registers) -> int:
    return 0x0900_0003  # a Cortex-M7 with a cache for instructions and one for data


def _ccsidr(values: Registers) -> int:
    return 0xF003_E019  # 4 KiB, four ways of lines of 32 bytes: the STM32F746's data cache


def _g0_rcc_cr(values: Registers) -> int:
    value = values.get(0x4002_1000, 0x500)  # RM0444 5.4.1: HSI16 is on and ready after reset
    return value | (value & 1 << 8) << 2 | (value & 0x0101_0000) << 1


def _g0_rcc_cfgr(values: Registers) -> int:
    value = values.get(0x4002_1008, 0)
    return value | (value & 7) << 3  # RM0444 5.4.3: SWS follows SW


_DR = Usart(0x0C, 0x00, 0x04, 0x04, 0x08, 0)  # RM0390 25
_RDR = Usart(0x00, 0x1C, 0x24, 0x28, 0x0C, 0x20)  # RM0385 31

_F2: Behaviour = {0x4002_3800: _rcc_cr, 0x4002_3808: _rcc_cfgr}
_F4: Behaviour = {**_F2, 0x4000_7004: _pwr_csr}
_F7: Behaviour = {**_F4, 0xE000_ED78: _clidr, 0xE000_ED80: _ccsidr}
_G0: Behaviour = {0x4002_1000: _g0_rcc_cr, 0x4002_1008: _g0_rcc_cfgr}
_F2_FLASH = flash_model.f2f4f7(11, Sector(0x080E_0000, 0x2_0000))
_F4_FLASH = flash_model.f2f4f7(7, Sector(0x0806_0000, 0x2_0000))
_F7_FLASH = flash_model.f2f4f7(7, Sector(0x080C_0000, 0x4_0000))
_G0_FLASH = flash_model.g0(127, Sector(0x0803_F800, 0x800))
_G0_PERIPHERALS = ((0x4000_0000, 0x4003_0000), (0x5000_0000, 0x5000_2000))

#: by machine: the USARTs are those of the boards' ST-LINKs, the counter of the G0 is TIM2.CNT
CHIPS = {
    "stm32f2": Chip(0x4000_4800, _DR, 39, 4, _F2, _F2_FLASH),
    "stm32f4": Chip(0x4000_4400, _DR, 38, 4, _F4, _F4_FLASH),
    "stm32f7": Chip(0x4001_1000, _RDR, 37, 2, _F7, _F7_FLASH),
    "stm32g0": Chip(
        0x4000_4400,
        _RDR,
        28,
        1,
        _G0,
        _G0_FLASH,
        cycles=0x4000_0024,
        priority_bits=2,
        peripherals=_G0_PERIPHERALS,
    ),
}
