"""The alarm's arithmetic: C under UBSan against its twin, and what the twin promises."""

import ctypes
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outliernets import resources
from outliernets.alarm import (
    MAX_FACTOR,
    SCORE_MAX,
    Alarm,
    AlarmConfig,
    Calibration,
    record,
    restored,
    smoothed,
)
from outliernets.errors import ConfigError
from outliernets.toolchain.host import compile_shared

MODEL_ID = 0x12345678


class CConfig(ctypes.Structure):
    _fields_ = (
        ("threshold", ctypes.c_uint64),
        ("release", ctypes.c_uint64),
        ("smoothing", ctypes.c_uint8),
        ("windows", ctypes.c_uint8),
    )

    @classmethod
    def of(cls, config: AlarmConfig) -> "CConfig":
        return cls(config.threshold, config.release, config.smoothing, config.windows)

    def twin(self) -> AlarmConfig:
        return AlarmConfig(self.threshold, self.release, self.smoothing, self.windows)


class CAlarm(ctypes.Structure):
    _fields_ = (
        ("smoothed", ctypes.c_uint64),
        ("scores", ctypes.c_uint32),
        ("alarms", ctypes.c_uint32),
        ("streak", ctypes.c_uint32),
        ("on", ctypes.c_bool),
    )

    def twin(self) -> Alarm:
        return Alarm(self.smoothed, self.scores, self.alarms, self.streak, self.on)


class CCalibration(ctypes.Structure):
    _fields_ = (
        ("wanted", ctypes.c_uint32),
        ("seen", ctypes.c_uint32),
        ("shift", ctypes.c_uint32),
        ("sum", ctypes.c_uint64),
        ("squares", ctypes.c_uint64),
    )


class CLevel(ctypes.Structure):
    _fields_ = (("mean", ctypes.c_uint64), ("deviation", ctypes.c_uint64))


@pytest.fixture(scope="session", params=["gcc", "zig"])
def library(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    has_compiler: Callable[[str], None],
) -> ctypes.CDLL:
    has_compiler(request.param)
    lib = resources.firmware() / "lib"
    sources = [lib / f"{name}.c" for name in ("on_alarm", "on_calibrate", "on_frame")]
    out = tmp_path_factory.mktemp("alarm") / f"{request.param}.so"
    library = ctypes.CDLL(str(compile_shared(sources, [lib], out, request.param)))
    for name in ("on_alarm_judge", "on_calibrate_add", "on_calibrate_restore"):
        getattr(library, name).restype = ctypes.c_bool
    library.on_calibrate_level.restype = CLevel
    return library


any_score = st.one_of(
    st.integers(0, SCORE_MAX), st.integers(0, 300), st.integers(0, 64).map(lambda b: (1 << b) - 1)
)


@st.composite
def configs(draw: st.DrawFn) -> AlarmConfig:
    release, threshold = sorted(draw(st.tuples(any_score, any_score)))
    return AlarmConfig(threshold, release, draw(st.integers(0, 16)), draw(st.integers(1, 5)))


@given(configs(), st.lists(any_score, max_size=60))
@settings(max_examples=200)
def test_alarm_equals_its_twin(
    library: ctypes.CDLL, config: AlarmConfig, scores: list[int]
) -> None:
    c, c_config, twin = CAlarm(), CConfig.of(config), Alarm()
    library.on_alarm_reset(ctypes.byref(c))
    for score in scores:
        before = twin.smoothed if twin.scores else score
        library.on_alarm_smooth(ctypes.byref(c), ctypes.byref(c_config), ctypes.c_uint64(score))
        changed = library.on_alarm_judge(ctypes.byref(c), ctypes.byref(c_config))
        twin.smooth(config, score)
        assert twin.judge(config) == changed
        assert c.twin() == twin
        assert min(before, score) <= twin.smoothed <= max(before, score)
    library.on_alarm_clear(ctypes.byref(c))
    twin.clear()
    assert c.twin() == twin


def heard(config: AlarmConfig, scores: list[int]) -> list[bool]:
    alarm, states = Alarm(), []
    for score in scores:
        alarm.smooth(config, score)
        alarm.judge(config)
        states.append(alarm.on)
    return states


def test_hysteresis_and_the_minimum_of_windows() -> None:
    config = AlarmConfig(threshold=100, release=60, smoothing=0, windows=2)
    #          once above, twice,  between the levels,  once below, twice
    scores = [101, 100, 101, 101, 99, 61, 60, 59, 60, 59, 59, 101, 59]
    states = [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert heard(config, scores) == [bool(s) for s in states]


def test_smoothing_delays_a_step_and_hides_a_spike() -> None:
    config = AlarmConfig(threshold=1500, release=1250, smoothing=2, windows=1)
    assert not any(heard(config, [1000] * 5 + [2900] + [1000] * 5))
    step = heard(config, [1000] * 5 + [2000] * 5)
    assert step.index(True) == 7  # 1250, 1437, 1578
    means = smoothed([1000, 2000, 2000], config)
    assert means.tolist() == [1000, 1250, 1437]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 5, "release": 6}, "release 6 and threshold 5"),
        ({"threshold": 2**64}, "threshold"),
        ({"smoothing": 17}, "smoothing = 17 .* 0 ... 16"),
        ({"windows": 0}, "windows = 0 .* 1 ... 255"),
    ],
)
def test_an_impossible_alarm_is_refused(changes: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AlarmConfig(**changes)


def learned_in_c(
    library: ctypes.CDLL, scores: list[int], factor: int
) -> tuple[CConfig, CLevel, list[bool]]:
    c, config = CCalibration(), CConfig.of(AlarmConfig())
    library.on_calibrate_start(ctypes.byref(c), len(scores))
    last = [library.on_calibrate_add(ctypes.byref(c), ctypes.c_uint64(s)) for s in scores]
    library.on_calibrate_apply(ctypes.byref(c), factor, ctypes.byref(config))
    return config, library.on_calibrate_level(ctypes.byref(c)), last


@given(st.lists(any_score, min_size=8, max_size=80), st.integers(1, MAX_FACTOR))
@settings(max_examples=200)
def test_calibration_equals_its_twin(library: ctypes.CDLL, scores: list[int], factor: int) -> None:
    config, level, last = learned_in_c(library, scores, factor)
    twin = Calibration(len(scores))
    assert [twin.add(s) for s in scores] == last == [False] * (len(scores) - 1) + [True]
    expected = twin.level()
    assert (level.mean, level.deviation) == (expected.mean, expected.deviation)
    assert config.twin() == twin.apply(factor, AlarmConfig())


@pytest.mark.parametrize("size", [8, 1000, 65535])
@pytest.mark.parametrize("bits", [3, 23, 40, 63])
def test_the_largest_sums_fit(library: ctypes.CDLL, size: int, bits: int) -> None:
    """Scores at the top of their range: mean exact to 24 bits, deviation small."""
    scores = [(2 << bits) - 1] * size
    _, level, _ = learned_in_c(library, scores, 1)
    assert level.mean == scores[0] >> max(bits - 23, 0) << max(bits - 23, 0)
    assert level.deviation == 1 << max(bits - 23, 0)


@pytest.mark.parametrize("scale", [2.0**20, 2.0**54])
def test_the_level_is_mean_and_deviation(scale: float) -> None:
    rng = np.random.default_rng(3)
    scores = (scale * rng.gamma(50.0, 0.02, 300)).astype(np.uint64)
    calibration = Calibration(len(scores))
    for score in scores.tolist():
        calibration.add(score)
    level = calibration.level()
    assert level.mean == pytest.approx(scores.mean(), rel=1e-4)
    assert level.deviation == pytest.approx(scores.astype(np.float64).std(), rel=1e-3)
    config = calibration.apply(6, AlarmConfig())
    assert config.threshold == pytest.approx(level.mean + 6 * level.deviation, rel=1e-5)
    assert config.release == pytest.approx(level.mean + 3 * level.deviation, rel=1e-5)


def test_scores_that_grow_while_learning_are_not_cut_off() -> None:
    calibration = Calibration(8)
    for score in [1, 2, 3, 2**50, 2**50, 2**50, 2**50, 2**50]:
        calibration.add(score)
    assert calibration.level().mean == pytest.approx(2**50 * 5 / 8, rel=1e-3)


@pytest.mark.parametrize(("windows", "factor"), [(7, 1), (65536, 1), (8, 0), (8, 256)])
def test_impossible_calibrations_are_refused(windows: int, factor: int) -> None:
    with pytest.raises(ConfigError, match="not possible"):
        Calibration(windows).apply(factor, AlarmConfig())


@given(configs(), st.integers(0, 2**32 - 1), st.integers(0, 65535))
@settings(max_examples=50)
def test_a_record_is_the_same_in_both_languages_and_comes_back(
    library: ctypes.CDLL, config: AlarmConfig, model: int, windows: int
) -> None:
    written = (ctypes.c_uint8 * 40)()
    library.on_calibrate_record(written, ctypes.byref(CConfig.of(config)), model, windows)
    assert bytes(written) == record(config, model, windows)
    blank = AlarmConfig(smoothing=config.smoothing, windows=config.windows)
    c = CConfig.of(blank)
    assert library.on_calibrate_restore(written, ctypes.byref(c), model)
    assert c.twin() == restored(bytes(written), blank, model) == config


@given(st.integers(0, 8 * 40 - 1))
def test_a_damaged_record_is_ignored(library: ctypes.CDLL, bit: int) -> None:
    config = AlarmConfig(2**60, 2**59)
    data = bytearray(record(config, MODEL_ID, 100))
    data[bit // 8] ^= 1 << bit % 8
    refused(library, bytes(data), AlarmConfig(), MODEL_ID)


def refused(library: ctypes.CDLL, data: bytes, config: AlarmConfig, model: int) -> None:
    c = CConfig.of(config)
    memory = (ctypes.c_uint8 * 40)(*data)
    assert not library.on_calibrate_restore(memory, ctypes.byref(c), model)
    assert c.twin() == config
    assert restored(data, config, model) is None


def test_records_of_others_are_ignored(library: ctypes.CDLL) -> None:
    data = record(AlarmConfig(9, 5), MODEL_ID, 100)
    refused(library, data, AlarmConfig(), MODEL_ID + 1)
    refused(library, data, AlarmConfig(smoothing=3), MODEL_ID)
    refused(library, b"\xff" * 40, AlarmConfig(), MODEL_ID)
    refused(library, bytes(40), AlarmConfig(), MODEL_ID)
