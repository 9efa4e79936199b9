"""The bench hears one unbroken stream, and counts alarms as the detector raises them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import false_alarms
from outliernets import alarm
from outliernets.alarm import Alarm, AlarmConfig
from outliernets.config import Task
from outliernets.features.mel_fixed import quantized_frames
from outliernets.pipeline import BuildConfig
from outliernets.threshold import calibrate
from tests.features.conftest import plan_around

CONFIG = AlarmConfig()


def scores(n: int) -> np.ndarray:
    return (2.0**40 * np.random.default_rng(1).gamma(4.0, 1.0, n)).astype(np.uint64)


def test_alarms_are_those_of_the_twin() -> None:
    sums = scores(3000)
    means = alarm.smoothed(sums.tolist(), CONFIG)
    limit = calibrate(means[:500], 100.0, 1.024)
    judge, judged_by = Alarm(), AlarmConfig(limit.threshold, limit.release)
    for total in sums.tolist():
        judge.smooth(judged_by, total)
        judge.judge(judged_by)
    assert false_alarms.alarms(means, limit, CONFIG) == judge.alarms > 0


def test_every_two_minutes_set_a_threshold() -> None:
    means = alarm.smoothed(scores(1200).tolist(), CONFIG)
    often = false_alarms.by_luck(means, 500.0, 1.024, CONFIG)
    seldom = false_alarms.by_luck(means, 1.0, 1.024, CONFIG)
    assert all(a >= b for a, b in zip(often, seldom, strict=True))
    assert often[1] > 0


@pytest.mark.parametrize(
    ("count", "hours", "shown"),
    [(0, 1.0, "0.00 [0.00, 3.69]"), (12, 2.0, "6.00 [3.10, 10.48]")],
)
def test_the_interval_is_exact(count: int, hours: float, shown: str) -> None:
    assert false_alarms.interval(count, hours) == shown  # Garwood 1936


def test_windows_go_on_across_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, rng = plan_around(-60.0, 0.5), np.random.default_rng(2)
    clips = [rng.integers(-3000, 3000, 20_000, np.int16) for _ in range(4)]
    plans = SimpleNamespace(front_end=plan)
    monkeypatch.setattr(false_alarms.learning, "plans_of", lambda config, folders: plans)
    left = iter(clips)
    monkeypatch.setattr(false_alarms, "simulate_clip", lambda *_: next(left))
    config = BuildConfig(Task.parse("fan/00/6dB"), out=Path("nowhere"))
    found = np.concatenate(list(false_alarms.windows(config, {}, 40.0 / 3600)))
    whole = quantized_frames(np.concatenate(clips), plan)
    size = config.mel.frames
    assert len(found) == len(whole) // size == 4
    np.testing.assert_array_equal(found, whole[: 4 * size].reshape(4, -1))
