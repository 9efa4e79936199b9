"""The generated detector in C = integer twin (log-Mel, network, score), whatever the chunk size."""

import ctypes

import numpy as np
import pytest

from outliernets import codegen
from outliernets.config import MelConfig
from outliernets.features import mel_fixed
from outliernets.features.plan import make_plan
from outliernets.features.windows import Standardizer
from outliernets.graph import execute
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.pipeline.firmware import library_files, write_sources
from outliernets.score import ScorePlan
from outliernets.toolchain.host import compile_shared
from tests.tflite_builder import RELU, SAME, TfliteBuilder

SHIM = """
#include "net.h"
#include "net_mel.h"
static net_state_t state;
void shim_reset(void);
void shim_reset(void) { net_reset(&state); }
int shim_push(const int16_t *pcm, size_t n, uint64_t *score, uint32_t *window, size_t *used,
              uint8_t *alarm);
int shim_push(const int16_t *pcm, size_t n, uint64_t *score, uint32_t *window, size_t *used,
              uint8_t *alarm)
{
    net_result_t r = {0};
    const int ready = net_push(&state, pcm, n, &r);
    *score = r.score;
    *window = r.window;
    *used = (ready != 0) ? r.consumed : n;
    *alarm = r.alarm;
    return ready;
}
"""


def window_model() -> bytes:
    """A network from 32 x 128 windows to 32 x 128 windows."""
    b = TfliteBuilder(seed=3)
    x = b.activation([1, 32, 128, 1], 12 / 255, 0)
    w = b.weights([1, 3, 3, 1], 1, axis=3)
    y = b.activation([1, 32, 128, 1], 0.07, -9)
    b.op(
        "DEPTHWISE_CONV_2D", [x, w, b.bias(x, w, 1)], y, "DepthwiseConv2DOptions", padding=SAME,
        strideH=1, strideW=1, depthMultiplier=1, fusedActivationFunction=RELU,
    )  # fmt: skip
    return b.build(x, y)


class Detector:
    def __init__(self, folder, threshold: int) -> None:
        (folder / "net.tflite").write_bytes(window_model())
        self.graph = read(folder / "net.tflite", "net")
        rng = np.random.default_rng(4)
        standardizer = Standardizer(
            tuple(rng.uniform(-70, -40, 128)), tuple(rng.uniform(2, 9, 128))
        )
        self.mel = make_plan(MelConfig(), standardizer, self.graph.x.scale, self.graph.x.zero_point)
        self.score = ScorePlan.make(self.graph.x, self.graph.y).with_threshold(threshold)
        self.files = codegen.network_files(lower(self.graph), front_end=True)
        self.files |= codegen.detector_files("net", self.mel, self.score)
        write_sources({**self.files, "shim.c": SHIM}, folder)
        library = compile_shared(sorted(folder.glob("*.c")), [folder], folder / "net.so")
        self.library = ctypes.CDLL(str(library))

    def hear(self, pcm: np.ndarray, chunks) -> list[tuple[int, int, int]]:
        """(window, score, alarm) for sound cut into chunks of the given sizes."""
        self.library.shim_reset()
        score, window = ctypes.c_uint64(), ctypes.c_uint32()
        used, alarm = ctypes.c_size_t(), ctypes.c_uint8()
        results, start = [], 0
        while start < len(pcm):
            piece = np.ascontiguousarray(pcm[start : start + next(chunks)])
            while len(piece):
                ready = self.library.shim_push(
                    piece.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(piece)),
                    ctypes.byref(score), ctypes.byref(window), ctypes.byref(used),
                    ctypes.byref(alarm),
                )  # fmt: skip
                if ready:
                    results.append((window.value, score.value, alarm.value))
                start += used.value
                piece = piece[used.value :]
        return results

    def twin(self, pcm: np.ndarray) -> list[int]:
        rows = mel_fixed.quantized_frames(pcm, self.mel)
        windows = rows[: len(rows) // 32 * 32].reshape(-1, 4096)
        return [int(self.score.sums(w, execute(self.graph, w))[0]) for w in windows]


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(8)
    t = np.arange(60_000) / 16_000
    tone = 0.2 * np.sin(2 * np.pi * 440 * t) * (1 + np.sin(2 * np.pi * 3 * t))
    return np.clip((tone + rng.normal(0, 0.05, t.size)) * 32767, -32768, 32767).astype(np.int16)


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Detector:
    return Detector(tmp_path_factory.mktemp("detector"), threshold=2**62)


def sizes(*values):
    while True:
        yield from values


@pytest.mark.parametrize("chunks", [(512,), (60_000,), (1, 7, 511, 1025, 4096), (16_896, 3)])
def test_scores_do_not_depend_on_chunks(detector, sound, chunks):
    results = detector.hear(sound, sizes(*chunks))
    assert [window for window, _, _ in results] == [0, 1, 2]
    assert [score for _, score, _ in results] == detector.twin(sound)


def test_reset_forgets(detector, sound):
    first = detector.hear(sound, sizes(1000))
    assert detector.hear(sound[::-1], sizes(1000)) != first
    assert detector.hear(sound, sizes(1000)) == first


def test_alarm_above_the_threshold(tmp_path, detector, sound):
    scores = sorted(detector.twin(sound))
    strict = Detector(tmp_path, threshold=scores[1])
    alarms = {score: alarm for _, score, alarm in strict.hear(sound, sizes(512))}
    assert [alarms[s] for s in scores] == [0, 0, 1]


def test_the_sum_fits_64_bits_and_stands_for_the_mean_squared_error(detector):
    plan, x, y = detector.score, detector.graph.x, detector.graph.y
    extremes = np.array([[-128] * 4096, [127] * 4096], np.int8)
    for a, b in ((extremes[0], extremes[1]), (extremes[1], extremes[0])):
        exact = sum(
            ((int(p) - plan.x_zero) * plan.x_gain - (int(q) - plan.y_zero) * plan.y_gain) ** 2
            for p, q in zip(a, b, strict=True)
        )
        assert exact < 2**64
        assert int(plan.sums(a, b)[0]) == exact
    rng = np.random.default_rng(0)
    a, b = rng.integers(-128, 128, (2, 4096), np.int8)
    real = (a.astype(float) - x.zero_point) * x.scale - (b.astype(float) - y.zero_point) * y.scale
    np.testing.assert_allclose(plan.real(plan.sums(a, b))[0], np.mean(real**2), rtol=1e-4)


def test_library_files_are_those_that_are_included():
    files = {"a.c": '#include "a.h"\n#include "on_mel.h"\n#include <stdint.h>\n'}
    own = ["on_fft.c", "on_fft.h", "on_mel.c", "on_mel.h", "on_log.h", "on_root.h", "on_q31.h"]
    expected = {*own, "on_pairs.h", "on_fixed.h"}
    assert set(library_files(files)) == expected
    assert library_files({"a.c": "int x;\n"}) == []
