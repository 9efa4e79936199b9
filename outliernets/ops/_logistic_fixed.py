"""The fixed-point logistic function of gemmlowp (``fixedpoint.h``), on Python integers.

Numbers are 32-bit; ``Qm`` has m integer bits. Used once per table entry, so clarity beats speed.
"""

INT32_MAX, INT32_MIN = 2**31 - 1, -(2**31)
ONE_Q0 = INT32_MAX
#: exp(-2**k) in Q0 for k = -2 ... 3, the powers a Q4 number is made of
EXP_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401)
EXP_MINUS_EIGHTH, ONE_THIRD = 1895147668, 715827883
C48_OVER_17_Q2, C_NEG_32_OVER_17_Q2 = 1515870810, -1010580540


def logistic_q4(x: int) -> int:
    """Return 1 / (1 + exp(-x)) in Q0 for ``x`` in Q4."""
    if x == 0:
        return 1 << 30
    positive = _one_over_one_plus(_exp_of_negative_q4(-abs(x)))
    return positive if x > 0 else ONE_Q0 - positive


def rounding_shift_right(x: int, bits: int) -> int:
    """Divide by 2**bits, to nearest, halves away from zero."""
    mask = (1 << bits) - 1
    return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0))


def _mul(a: int, b: int) -> int:
    return (a * b + (1 << 30)) >> 31


def _saturate(x: int) -> int:
    return max(INT32_MIN, min(INT32_MAX, x))


def _exp_near_zero(a: int) -> int:
    """Return exp(a) for a in [-1/4, 0), Q0: Taylor series around -1/8."""
    x = a + (1 << 28)
    x2 = _mul(x, x)
    x3, x4 = _mul(x2, x), _mul(x2, x2)
    series = _mul(rounding_shift_right(x4, 2) + x3, ONE_THIRD) + x2
    return EXP_MINUS_EIGHTH + _mul(EXP_MINUS_EIGHTH, x + rounding_shift_right(series, 1))


def _exp_of_negative_q4(a: int) -> int:
    """Return exp(a) in Q0 for ``a`` <= 0 in Q4 (27 fractional bits)."""
    if a == 0:
        return ONE_Q0
    quarter = 1 << 25
    a_mod_quarter = (a & (quarter - 1)) - quarter
    result = _exp_near_zero(_saturate(a_mod_quarter << 4))
    remainder = a_mod_quarter - a
    for power, factor in enumerate(EXP_MINUS_POWERS, start=-2):
        if remainder & (1 << (27 + power)):
            result = _mul(result, factor)
    return result


def _one_over_one_plus(a: int) -> int:
    """Return 1 / (1 + a) for ``a`` in (0, 1), Q0: three Newton-Raphson steps in Q2."""
    half_denominator = (a + ONE_Q0 + 1) // 2
    x = C48_OVER_17_Q2 + _mul(half_denominator, C_NEG_32_OVER_17_Q2)
    for _ in range(3):
        error = (1 << 29) - _mul(half_denominator, x)
        x += _saturate(_mul(x, error) << 2)
    return _saturate(x << 1)
