"""Reading the source of an upsampling gives the sums that reading the upsampled map gives."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets.kernels.axis import Axis
from outliernets.ops._spatial import Window

axes = st.tuples(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.booleans()
)


def axis(source: int, kernel: int, stride: int, repeat: int, same: bool) -> Axis | None:
    window = Window.make(
        "SAME" if same else "VALID", (1, source * repeat), (1, kernel), (1, stride)
    )
    if window.outputs[1] < 1:
        return None
    return Axis(source, window.outputs[1], kernel, stride, window.before[1], repeat)


@given(axes)
@settings(max_examples=400)
def test_folded_kernel_sums_the_same(numbers):
    a = axis(*numbers)
    if a is None:
        return
    rng = np.random.default_rng(1)
    x, w = rng.integers(-9, 9, a.source), rng.integers(-9, 9, a.kernel)
    upsampled = x.repeat(a.repeat)
    before, after = a.padding
    padded = np.pad(x, (before, after + a.taps))
    for output in range(a.outputs):
        cells = output * a.stride - a.before + np.arange(a.kernel)
        inside = (cells >= 0) & (cells < len(upsampled))
        expected = (upsampled[cells[inside]] * w[inside]).sum()
        first = before + a.first(output)
        folded = a.folding(a.phase(output)) @ w
        assert (padded[first : first + a.taps] * folded).sum() == expected


@given(axes)
@settings(max_examples=200)
def test_phases_come_again_after_a_period(numbers):
    a = axis(*numbers)
    if a is None:
        return
    for output in range(a.outputs - a.period):
        assert a.phase(output) == a.phase(output + a.period)
        assert a.first(output) + a.step == a.first(output + a.period)


@given(axes)
@settings(max_examples=200)
def test_every_kernel_cell_is_folded_once(numbers):
    a = axis(*numbers)
    if a is None:
        return
    for phase in range(a.repeat):
        assert (a.folding(phase).sum(axis=0) == 1).all()
