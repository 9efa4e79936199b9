"""The generated detector in C = integer twin (log-Mel, view, network, score), under UBSan."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from outliernets import boards, codegen, target, toolchain
from outliernets.boards import linker_context
from outliernets.config import MelConfig
from outliernets.errors import TargetError
from outliernets.features import mel_fixed
from outliernets.features.plan import MelPlan, make_plan
from outliernets.features.windows import Standardizer
from outliernets.graph import Graph, execute
from outliernets.importer import read
from outliernets.lower import lower
from outliernets.nets.nothing import Zeros
from outliernets.pipeline.firmware import library_files, link, write_sources
from outliernets.reference import Reference
from outliernets.score import ScorePlan, ScoreSpec
from outliernets.toolchain.host import compile_shared
from outliernets.view import Part, ViewPlan, ViewSpec
from tests.tflite_builder import NONE, RELU, SAME, TfliteBuilder

SHIM = """
#include "net.h"
#include "net_mel.h"
static net_state_t state;
void shim_reset(void);
void shim_reset(void)
{
    for (size_t i = 0; i < sizeof state; ++i) { /* any content is fine before a reset */
        ((uint8_t *)&state)[i] = 0x80;
    }
    net_reset(&state);
}
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
#: In the place of the front end: samples are the values of rows.
ROWS_AS_SOUND = """
#include "on_mel.h"
void on_mel_reset(on_mel_state_t *state) { state->filled = 0; }
size_t on_mel_push(on_mel_state_t *state, const on_mel_plan_t *plan, const int16_t *pcm, size_t n,
                   int8_t *row, bool *ready)
{
    size_t used = 0;
    while (used < n && state->filled < plan->n_mels) {
        state->pcm[state->filled++] = pcm[used++];
    }
    *ready = state->filled == plan->n_mels;
    if (*ready) {
        for (size_t i = 0; i < state->filled; ++i) {
            row[i] = (int8_t)state->pcm[i];
        }
        state->filled = 0;
    }
    return used;
}
"""
ROW = (12 / 255, 0)  #: scale and zero point of rows that are not the network's input
NEVER = 2**62  #: a threshold that nothing here reaches
Chunks = Iterator[int]


def filtering(rows: int, columns: int) -> bytes:
    """A network from maps to maps of the same shape."""
    b = TfliteBuilder(seed=3)
    x = b.activation([1, rows, columns, 1], 12 / 255, 0)
    w = b.weights([1, 3, 3, 1], 1, axis=3)
    y = b.activation([1, rows, columns, 1], 0.07, -9)
    b.op(
        "DEPTHWISE_CONV_2D", [x, w, b.bias(x, w, 1)], y, "DepthwiseConv2DOptions", padding=SAME,
        strideH=1, strideW=1, depthMultiplier=1, fusedActivationFunction=RELU,
    )  # fmt: skip
    return b.build(x, y)


def dense(size: int, latent: int, scale: float) -> bytes:
    """A dense autoencoder."""
    b = TfliteBuilder(seed=5)
    x = b.activation([1, size], scale, -3)
    w = b.weights([latent, size], latent)
    h = b.activation([1, latent], 80 * scale, -128)
    b.op(
        "FULLY_CONNECTED", [x, w, b.bias(x, w, latent)], h, "FullyConnectedOptions",
        fusedActivationFunction=RELU,
    )  # fmt: skip
    u = b.weights([size, latent], size)
    y = b.activation([1, size], 0.8 * scale, 5)
    b.op(
        "FULLY_CONNECTED", [h, u, b.bias(h, u, size)], y, "FullyConnectedOptions",
        fusedActivationFunction=NONE,
    )  # fmt: skip
    return b.build(x, y)


@cache
def front_end(frames: int, bands: int, scale: float, zero_point: int) -> MelPlan:
    rng = np.random.default_rng(4)
    standardizer = Standardizer(
        tuple(rng.uniform(-70, -40, bands)), tuple(rng.uniform(2, 9, bands))
    )
    config = MelConfig(n_mels=bands, frames=frames)
    return make_plan(config, standardizer, scale, zero_point)


@dataclass(frozen=True)
class Plans:
    """All of a detector but its C."""

    graph: Graph
    mel: MelPlan
    view: ViewPlan
    score: ScorePlan

    def files(self, kernels: str | None = None) -> dict[str, str]:
        lowered = lower(self.graph) if kernels is None else lower(self.graph, kernels)
        network = codegen.network_files(lowered, True, self.score, self.view)
        return network | codegen.detector_files("net", self.mel, self.score, self.view)

    def twin(self, rows: np.ndarray) -> list[int]:
        """The scores of rows [n, bands]."""
        count = len(rows) // self.view.frames
        x = self.view.apply(rows[: count * self.view.frames].reshape(count, -1))
        y = np.concatenate([execute(self.graph, window).reshape(1, -1) for window in x])
        return [int(s) for s in self.score.sums(x, y)]


def plans(
    view: ViewSpec,
    score: ScoreSpec,
    folder: Path,
    frames: int = 32,
    bands: int = 128,
    threshold: int = NEVER,
    network: bool = True,
) -> Plans:
    """A detector with random weights; what it must learn is learnt from random rows."""
    rng = np.random.default_rng(9)
    rows, columns = view.shape(frames, bands)
    levels = rng.normal(0, 1, (200, 1, bands))
    fitted = view.fit(np.clip(levels + rng.normal(0, 1, (200, frames, bands)), -6, 6), 6.0)
    if not network:
        model = Zeros((rows, columns)).to_int8(fitted.limit)
    elif view.parts:
        model = dense(columns, 12, fitted.limit / 127.5)
    else:
        model = filtering(rows, columns)
    (folder / "net.tflite").write_bytes(model)
    graph = read(folder / "net.tflite", "net")
    network = (graph.x.scale, graph.x.zero_point)
    row = ROW if view.parts else network
    plan = ScorePlan.make(graph.x, graph.y, score, rows).with_threshold(threshold)
    if score.kind == "mahalanobis":
        factor = np.tril(rng.normal(0, 0.2, (score.bands, score.bands))) + np.eye(score.bands)
        plan = plan.with_distance(rng.normal(0, 0.5, score.bands), factor)
    viewed = ViewPlan.make(fitted, frames, bands, row, network)
    return Plans(graph, front_end(frames, bands, *row), viewed, plan)


class Compiled:
    """A detector's C in this process; with ``rows_as_sound`` without its front end."""

    def __init__(self, plan: Plans, folder: Path, rows_as_sound: bool = False) -> None:
        write_sources(plan.files() | {"shim.c": SHIM}, folder)
        if rows_as_sound:
            (folder / "on_mel.c").write_text(ROWS_AS_SOUND)
            (folder / "on_fft.c").unlink()
        library = compile_shared(sorted(folder.glob("*.c")), [folder], folder / "net.so")
        self.library = ctypes.CDLL(str(library))

    def hear(self, pcm: np.ndarray, chunks: Chunks) -> list[tuple[int, int, int]]:
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

    def scores(self, pcm: np.ndarray, *chunks: int) -> list[int]:
        return [score for _, score, _ in self.hear(pcm, sizes(*chunks or (1000,)))]


def sizes(*values: int) -> Chunks:
    while True:
        yield from values


WINDOW = ViewSpec()
STATISTICS = ViewSpec(
    parts=(Part("mean", 32), Part("deviation", 16, 2.0), Part("maximum", 16, 0.5))
)
MEMORY = ScoreSpec("bands", 64, memory=4)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(8)
    t = np.arange(60_000) / 16_000
    tone = 0.2 * np.sin(2 * np.pi * 440 * t) * (1 + np.sin(2 * np.pi * 3 * t))
    return np.clip((tone + rng.normal(0, 0.05, t.size)) * 32767, -32768, 32767).astype(np.int16)


@pytest.fixture(scope="module", params=["window", "statistics"])
def heard(request, tmp_path_factory) -> tuple[Plans, Compiled]:
    folder = tmp_path_factory.mktemp("detector")
    view, score = {"window": (WINDOW, ScoreSpec()), "statistics": (STATISTICS, MEMORY)}[
        request.param
    ]
    plan = plans(view, score, folder)
    return plan, Compiled(plan, folder)


@pytest.mark.parametrize("chunks", [(512,), (60_000,), (1, 7, 511, 1025, 4096), (16_896, 3)])
def test_scores_do_not_depend_on_chunks(heard, sound, chunks):
    plan, detector = heard
    results = detector.hear(sound, sizes(*chunks))
    assert [window for window, _, _ in results] == [0, 1, 2]
    expected = plan.twin(mel_fixed.quantized_frames(sound, plan.mel))
    assert [score for _, score, _ in results] == expected
    assert len(set(expected)) == 3


def test_reset_forgets(heard, sound):
    _, detector = heard
    first = detector.scores(sound)
    assert detector.scores(sound[::-1]) != first
    assert detector.scores(sound) == first


def test_alarm_above_the_threshold(tmp_path, sound):
    first = plans(WINDOW, ScoreSpec(), tmp_path)
    scores = sorted(first.twin(mel_fixed.quantized_frames(sound, first.mel)))
    strict = Compiled(plans(WINDOW, ScoreSpec(), tmp_path, threshold=scores[1]), tmp_path)
    alarms = {score: alarm for _, score, alarm in strict.hear(sound, sizes(512))}
    assert [alarms[s] for s in scores] == [0, 0, 1]


def test_a_default_detector_is_the_papers(tmp_path):
    plan = plans(WINDOW, ScoreSpec(), tmp_path)
    default = codegen.network_files(lower(plan.graph), front_end=True)
    default |= codegen.detector_files("net", plan.mel, plan.score)
    assert default == plan.files()


FRAMES, BANDS = 8, 20  #: bands that are no multiple of 8, and a whole one of 4
VIEWS = {
    "window": WINDOW,
    "pool2": ViewSpec(pool=2),
    "pool4": ViewSpec(pool=4),
    "pool8": ViewSpec(pool=8),
    "all": ViewSpec(parts=(Part("maximum", 4, 0.5), Part("mean", 10), Part("deviation", 10, 3.0))),
    "twice": ViewSpec(parts=(Part("deviation", 20), Part("deviation", 4), Part("mean", 20, 2.0))),
    "maximum": ViewSpec(parts=(Part("maximum", 20),)),
}
CROPS = {
    "late": ViewSpec(frames=3, bands=(8, 20)),
    "late pool": ViewSpec(pool=2, frames=6),
    "middle all": ViewSpec(
        parts=(Part("mean", 4), Part("deviation", 6, 3.0), Part("maximum", 2, 0.5)), bands=(4, 16)
    ),
}
SCORES = {
    "mse": ScoreSpec(),
    "peak": ScoreSpec("peak"),
    "bands": ScoreSpec("bands", 4),
    "memory": ScoreSpec("bands", 2, memory=4),
    "mahalanobis": ScoreSpec("mahalanobis", 4, memory=3),
}


def windows_of_rows(frames: int, bands: int) -> np.ndarray:
    """Rows [n * frames, bands] as int16: noise of all loudness, steady levels, the extremes."""
    rng = np.random.default_rng(2)
    shape = (frames, bands)
    steady = rng.integers(-100, 100, bands)
    alternating = np.where(np.arange(frames) % 2, -128, 127)[:, None] + np.zeros(bands, int)
    windows = [
        rng.integers(-128, 128, shape),
        *(np.clip(steady + rng.normal(0, s, shape), -128, 127) for s in (0, 1, 9, 40, 3, 20)),
        np.full(shape, -128),
        np.full(shape, 127),
        alternating,
        -1 - alternating,
        rng.integers(-2, 3, shape),
        np.zeros(shape),
        *rng.integers(-128, 128, (3, *shape)),
    ]
    return np.concatenate([np.asarray(w).astype(np.int16) for w in windows])


@pytest.mark.parametrize(
    ("view", "score"),
    [
        *((view, score) for view in VIEWS for score in ("mse", "memory")),
        *((view, score) for view in ("pool4", "all") for score in ("peak", "bands", "mahalanobis")),
        *zip(CROPS, ("mse", "peak", "memory"), strict=True),
    ],
)
def test_every_view_and_score_equals_its_twin(view, score, tmp_path):
    plan = plans((VIEWS | CROPS)[view], SCORES[score], tmp_path, FRAMES, BANDS)
    detector = Compiled(plan, tmp_path, rows_as_sound=True)
    rows = windows_of_rows(FRAMES, BANDS)
    expected = plan.twin(rows.astype(np.int8))
    assert len(set(expected)) > len(expected) // 2
    for chunks in ((100_000,), (1,), (BANDS + 1, 3, 2 * BANDS)):
        assert detector.scores(rows.ravel(), *chunks) == expected
    if SCORES[score].memory > 1:  # reset forgets it: what comes first is scored otherwise
        half = len(rows) // 2 // FRAMES * FRAMES
        assert plan.twin(rows[half:].astype(np.int8))[0] != expected[half // FRAMES]
        later = plan.twin(rows[half:].astype(np.int8))
        assert detector.scores(rows[half:].ravel()) == later


@pytest.mark.parametrize(
    ("frames", "bands", "view", "score"),
    [
        (32, 128, STATISTICS, ScoreSpec("mahalanobis", 64, memory=1024)),
        (64, 128, ViewSpec(parts=(Part("deviation", 128), Part("mean", 128))), MEMORY),
        (5, 18, ViewSpec(parts=(Part("deviation", 9), Part("maximum", 6))), ScoreSpec("bands", 5)),
        (32, 128, ViewSpec(pool=4), ScoreSpec("mahalanobis", 128)),
    ],
)
def test_every_size_equals_its_twin(frames, bands, view, score, tmp_path):
    plan = plans(view, score, tmp_path, frames, bands)
    detector = Compiled(plan, tmp_path, rows_as_sound=True)
    rows = windows_of_rows(frames, bands)
    assert detector.scores(rows.ravel()) == plan.twin(rows.astype(np.int8))


@pytest.mark.parametrize(
    ("view", "score"),
    [*((v, s) for v in ("window", "pool4", "all") for s in SCORES), ("late", "mse")],
)
def test_every_score_of_the_view_itself_equals_its_twin(view, score, tmp_path):
    plan = plans((VIEWS | CROPS)[view], SCORES[score], tmp_path, FRAMES, BANDS, network=False)
    reference = Reference(tmp_path / "net.tflite")
    rows = windows_of_rows(FRAMES, BANDS)
    x = plan.view.apply(rows.astype(np.int8).reshape(-1, FRAMES * BANDS))
    for window in x:
        assert not np.any(reference.infer(window))
        assert not np.any(execute(plan.graph, window))
    expected = plan.twin(rows.astype(np.int8))
    if score == "mse":
        assert expected == (np.square(x.astype(int)).sum(axis=1) * plan.score.x_gain**2).tolist()
    assert len(set(expected)) > len(expected) // 2
    assert Compiled(plan, tmp_path, rows_as_sound=True).scores(rows.ravel()) == expected


def test_without_a_network_there_is_no_trace_of_one(tmp_path):
    for score in SCORES.values():
        files = plans(VIEWS["all"], score, tmp_path, FRAMES, BANDS, network=False).files()
        assert "net.c" not in files
        for name in ("net.h", "net_detector.c"):
            for word in ("arena", "rebuilt", "infer", "net_score", "weights", "the network reads"):
                assert word not in files[name]


def test_the_mean_squared_error_needs_no_room_for_what_is_rebuilt(tmp_path):
    for view in (WINDOW, ViewSpec(pool=4)):
        header = plans(view, ScoreSpec(), tmp_path).files()["net.h"]
        assert "rebuilt" not in header
        assert "rebuilt" in plans(view, ScoreSpec("peak"), tmp_path).files()["net.h"]


def test_files_say_what_the_detector_is(tmp_path):
    files = plans(STATISTICS, MEMORY, tmp_path).files()
    for name in ("net.h", "net_detector.c"):
        words = "64 statistics of 32 frames: 32 means, 16 deviations, 16 maxima"
        assert words in files[name]
        assert "squares of the mean differences of 64 bands over 4 windows" in files[name]


#: instructions of the statistics detector on a Cortex-M7: to take in a row, and to end a window
MOST_PER_ROW, MOST_PER_WINDOW = 1_500, 40_000


@pytest.mark.emulator
@pytest.mark.parametrize("compiler", ["gcc", "zig"])
@pytest.mark.parametrize("board_name", ["stm32f746", "stm32f446", "stm32g0b1", "cortex-a72"])
def test_on_targets(board_name, compiler, tmp_path, sound):
    pytest.importorskip("unicorn")
    board = boards.load(board_name)
    if compiler not in toolchain.available(board):
        pytest.skip(f"no {compiler} for {board_name} on this machine")
    plan = plans(STATISTICS, MEMORY, tmp_path)
    files = plan.files(toolchain.create_cpu(board).kernels)
    files |= codegen.app_files("net", 7, front_end=True)
    files |= codegen.linker_files(linker_context(board, "unicorn"))
    source = tmp_path / "source"
    source.mkdir()
    write_sources(files, source)
    built = link(source, board, "unicorn", compiler, tmp_path / "out")
    loud = np.random.default_rng(1).integers(-32768, 32768, len(sound)).astype(np.int16)
    pcm = np.concatenate([sound, loud, np.zeros_like(sound), sound[::-1]])
    rows = mel_fixed.quantized_frames(pcm, plan.mel)
    with target.get("unicorn").open(built.elf, board) as running:
        client = target.Client(running, built.elf)
        client.hello(7)
        client.reset()
        scores = [result.score for result in client.push(pcm)]
        counts = running.counts()
    assert scores == plan.twin(rows)
    if board_name == "stm32f746":
        per_row, per_window = costs(counts, len(rows), len(scores))
        assert 0 < per_row <= MOST_PER_ROW
        assert 0 < per_window <= MOST_PER_WINDOW


@pytest.mark.emulator
def test_without_a_network_a_board_needs_less_and_says_the_same(tmp_path, sound):
    pytest.importorskip("unicorn")
    board = boards.load("stm32f746")
    sizes_of = {}
    for network in (True, False):
        folder = tmp_path / str(network)
        source = folder / "source"
        source.mkdir(parents=True)
        plan = plans(STATISTICS, MEMORY, folder, network=network)
        files = plan.files(toolchain.create_cpu(board).kernels)
        files |= codegen.app_files("net", 7, front_end=True)
        write_sources(files | codegen.linker_files(linker_context(board, "unicorn")), source)
        built = link(source, board, "unicorn", "zig", folder / "out")
        names = [name for name, _ in built.symbols]
        assert any(name.startswith("net_n0") or name == "net_infer" for name in names) == network
        sizes_of[network] = (built.flash, built.ram)
        rows = mel_fixed.quantized_frames(sound, plan.mel)
        with target.get("unicorn").open(built.elf, board) as running:
            client = target.Client(running, built.elf)
            assert client.hello(7).out_size == (plan.graph.y.size if network else 0)
            client.reset()
            assert [result.score for result in client.push(sound)] == plan.twin(rows)
            if not network:
                with pytest.raises(TargetError):
                    client.infer(bytes(64))
    assert sizes_of[False][0] < sizes_of[True][0] - 1000
    assert sizes_of[False][1] < sizes_of[True][1] - 64


def costs(counts: dict[str, int], rows: int, windows: int) -> tuple[float, float]:
    """Instructions of the view by row, and those of view and score by window."""
    by_row = sum(counts.get(f, 0) for f in ("on_view_add", "on_view_add_squares", "on_view_raise"))
    others = sum(n for f, n in counts.items() if f.startswith(("on_view", "on_score"))) - by_row
    return by_row / rows, others / windows


def test_the_sum_fits_64_bits_and_stands_for_the_mean_squared_error(tmp_path):
    found = plans(WINDOW, ScoreSpec(), tmp_path)
    plan, x, y = found.score, found.graph.x, found.graph.y
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
