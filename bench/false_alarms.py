"""False alarms per hour of simulated normal sound, beside what the threshold was set for.

    python bench/false_alarms.py [TASK ...] [--hours 2] [--rates 0.1 1 10] [--detector NAME]

Trains each task's network (kept in ``--out``), sets thresholds as ``ongen detect`` does from the
held-out clips, and lets the detector's integer twin hear hours of fresh normal clips, one after the
other. Then it asks how much luck was in those few clips: every two minutes of the stream set a
threshold, and the rest of the stream is judged by it. Prints two Markdown tables; intervals are
exact 95 % intervals of a Poisson rate.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from outliernets import alarm, threshold
from outliernets.alarm import Alarm, AlarmConfig
from outliernets.config import Task
from outliernets.data.simulate import NORMAL, simulate_clip
from outliernets.detectors import fixed
from outliernets.features.mel_fixed import quantized_frames
from outliernets.pipeline import BuildConfig, DetectConfig, Silence, learning
from outliernets.pipeline.build import stages_of
from outliernets.pipeline.detect import alarm_of, held_out_threshold
from outliernets.pipeline.firmware import model_id
from outliernets.pipeline.stage import run_stages
from outliernets.threshold import Threshold

TASKS = ("fan/00/6dB", "fan/06/6dB", "fan/06/-6dB", "slider/00/6dB", "pump/02/6dB", "pump/02/-6dB")
CLIP = 10.0  #: seconds of a simulated clip
BLOCK = 120.0  #: seconds of sound that set a threshold, as many as a build holds out
Sums = NDArray[np.uint64]
Folders = dict[str, Path]


def trained(config: BuildConfig) -> Folders:
    """Train and quantize a task's network if need be; return the folders of its stages."""
    stages = stages_of(config, Silence())
    run_stages(stages, Silence())
    return {s.name: s.folder for s in stages}


def heard(config: BuildConfig, folders: Folders, hours: float) -> Sums:
    """Return the score of every window of ``hours`` that nobody has heard; kept on the disk."""
    model = folders["quantize"] / learning.MODEL
    standardizer = folders["features"] / "standardizer.json"
    kept = config.task_folder / f"normal_{hours:g}h_{model_id(model, standardizer):08x}.npy"
    if not kept.exists():
        twin = fixed.twin(learning.plans_of(config, folders), model)
        sums = [twin.sums(some) for some in windows(config, folders, hours)]
        np.save(kept, np.concatenate(sums))
    loaded: Sums = np.load(kept)
    return loaded


def windows(config: BuildConfig, folders: Folders, hours: float) -> Iterator[NDArray[np.int8]]:
    """Yield the windows [n, size] of a stream of fresh clips; frames and windows go on across."""
    plan = learning.plans_of(config, folders).front_end
    pcm, rows = np.zeros(0, np.int16), np.zeros((0, config.mel.n_mels), np.int8)
    for number in range(round(hours * 3600 / CLIP)):
        clip = simulate_clip(config.task, "normal", NORMAL + number, CLIP, config.seed)
        pcm = np.concatenate([pcm, clip])
        new = quantized_frames(pcm, plan)
        pcm = pcm[len(new) * config.mel.hop :]
        rows = np.concatenate([rows, new])
        count = len(rows) // config.mel.frames
        whole, rows = np.split(rows, [count * config.mel.frames])
        yield whole.reshape(count, -1)


def alarms(means: Sums, limit: Threshold, config: AlarmConfig) -> int:
    """Return how often smoothed scores raise an alarm."""
    judge, config = Alarm(), replace(config, threshold=limit.threshold, release=limit.release)
    for mean in means.tolist():
        judge.smoothed = mean
        judge.judge(config)
    return judge.alarms


def interval(count: int, hours: float) -> str:
    """Return a rate per hour with its exact 95 % interval."""
    low = stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(0.975, 2 * count + 2) / 2
    return f"{count / hours:.2f} [{low / hours:.2f}, {high / hours:.2f}]"


def by_luck(
    means: Sums, rate: float, window: float, config: AlarmConfig
) -> tuple[float, float, float]:
    """Return median, mean and 90 % quantile of alarms per hour over all blocks' thresholds."""
    size = round(BLOCK / window)
    rates = []
    for start in range(0, len(means) - size + 1, size):
        limit = threshold.calibrate(means[start : start + size], rate, window)
        rest = [means[:start], means[start + size :]]
        hours = sum(map(len, rest)) * window / 3600
        rates.append(sum(alarms(part, limit, config) for part in rest) / hours)
    return float(np.median(rates)), float(np.mean(rates)), float(np.quantile(rates, 0.9))


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 1.0, 10.0])
    parser.add_argument("--detector", help="name or TOML file; chosen by normal sound if not given")
    parser.add_argument("--arch", help="network of the paper's detector")
    parser.add_argument("--steps", type=int, help="of training, if the detector has a network")
    parser.add_argument("--out", type=Path, default=Path("build/false_alarms"))
    chosen = parser.parse_args()
    luck = []
    print("| task | set for, per hour | windows above | false alarms per hour |")
    print("| --- | --- | --- | --- |", flush=True)
    for name in chosen.tasks:
        config = BuildConfig(
            Task.parse(name),
            detector=chosen.detector,
            arch=chosen.arch,
            steps=chosen.steps,
            out=chosen.out,
        )
        folders, window = trained(config), config.mel.window_ms / 1000
        sums = heard(config, folders, chosen.hours)
        hours = len(sums) * window / 3600
        asked = alarm_of(folders, DetectConfig())
        judged_by = AlarmConfig(smoothing=asked.smoothing, windows=asked.windows)
        means = alarm.smoothed(sums.tolist(), judged_by)
        for rate in chosen.rates:
            settings = DetectConfig(false_alarms_per_hour=rate)
            limit = held_out_threshold(folders, settings, config, Silence())
            above, count = int((means > limit.threshold).sum()), alarms(means, limit, judged_by)
            print(f"| {name} | {rate:g} | {above} | {interval(count, hours)} |", flush=True)
            luck.append((name, rate, *by_luck(means, rate, window, judged_by)))
    print("\n| task | set for, per hour | median | mean | one in ten is above |")
    print("| --- | --- | --- | --- | --- |")
    for name, rate, *found in luck:
        print(f"| {name} | {rate:g} | " + " | ".join(f"{x:.2f}" for x in found) + " |")


if __name__ == "__main__":
    main()
