"""Clip AUC of int8 networks on librosa's spectrograms and on the firmware's, task by task.

    python bench/front_end_auc.py [TASK ...] [--data DIR] [--arch fan-686] [--steps N] [--out DIR]

Both columns are the same network and the same integer score; only the front end differs. Prints a
Markdown table; trained networks are kept in ``--out``, so that a second run is quick.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets import data, evaluate
from outliernets.config import Task
from outliernets.detectors import fixed
from outliernets.features.mel_fixed import quantized_frames
from outliernets.nets import zoo
from outliernets.pipeline import BuildConfig, Silence
from outliernets.pipeline.build import stages_of
from outliernets.pipeline.learning import MODEL, labels_of, plans_of, read_clips
from outliernets.pipeline.stage import run_stages


def fixed_sums(config: BuildConfig, folders: dict[str, Path]) -> NDArray[np.uint64]:
    """Return the integer score of every window of the test clips, front end in integers."""
    integers = plans_of(config, folders)
    twin = fixed.twin(integers, folders["quantize"] / MODEL)
    sums = []
    for clip in read_clips(folders["data"], "test"):
        pcm = data.read_pcm(clip.path, config.mel.sample_rate, config.mel.min_samples).samples
        rows = quantized_frames(pcm, integers.front_end)
        count = len(rows) // config.mel.frames
        sums.append(twin.sums(rows[: count * config.mel.frames].reshape(count, -1)))
    return np.concatenate(sums)


def compared(config: BuildConfig) -> dict[str, Any]:
    """Train a task's network if need be; return clip AUC with both front ends."""
    stages = stages_of(config, Silence())
    run_stages(stages, Silence())
    folders = {s.name: s.folder for s in stages}
    owners = np.load(folders["features"] / "test_clip.npy")
    labels = labels_of(read_clips(folders["data"], "test"))
    sums = {"librosa": np.load(folders["quantize"] / "test_sums.npy")}
    sums["fixed"] = fixed_sums(config, folders)
    scores = {name: evaluate.clip_scores(s.astype(np.float64), owners) for name, s in sums.items()}
    return {name: evaluate.auc(labels, s) for name, s in scores.items()}


def main() -> None:
    """Compare task by task; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="default: the paper's 24")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--arch", default="fan-686")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("build/front_end_auc"))
    chosen = parser.parse_args()
    tasks = [Task.parse(t) for t in chosen.tasks] or [row.task for row in zoo.PAPER_ROWS]
    print("| task | librosa | fixed point | difference |\n| --- | --- | --- | --- |", flush=True)
    for task in tasks:
        config = BuildConfig(
            task, data=chosen.data, arch=chosen.arch, steps=chosen.steps, out=chosen.out
        )
        auc = compared(config)
        change = auc["fixed"] - auc["librosa"]
        print(f"| {task} | {auc['librosa']:.4f} | {auc['fixed']:.4f} | {change:+.4f} |", flush=True)


if __name__ == "__main__":
    main()
