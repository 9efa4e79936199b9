"""Whether thresholds set from int8 scores keep their rate of false alarms on normal recordings.

    python bench/threshold_rates.py BUILD/TASK ... [--rates 0.02 0.05 0.1] [--draws 500]

Each folder is that of a task which ``ongen build`` or ``ongen train`` made. Its normal test clips,
of which nothing was learned, are split into halves at random, clip by clip: one half's int8 scores
set a threshold that a share of its windows is above, and the other half's windows above it are
counted. Beside it the same for the float scores: what differs there is not for int8 to answer for.
Prints a Markdown table: mean share above the threshold over the draws, divided by the share that
was asked for; in brackets the middle half of the draws.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets.config import SEED
from outliernets.pipeline.learning import labels_of, read_clips

Floats = NDArray[np.float64]


def normal_scores(folder: Path) -> tuple[dict[str, Floats], NDArray[np.int64]]:
    """Return float and int8 scores of the normal test windows, and the clip each is from."""
    clips = np.load(folder / "02_features/test_clip.npy")
    normal = labels_of(read_clips(folder / "01_data", "test"))[clips] == 0
    scores = {
        "float": np.load(folder / "03_train/test_scores.npy"),
        "int8": np.load(folder / "04_quantize/test_sums.npy").astype(np.float64),
    }
    return {kind: found[normal] for kind, found in scores.items()}, clips[normal]


def ratios(scores: Floats, clips: NDArray[np.int64], rate: float, draws: int) -> Floats:
    """Return, for each draw of halves, the share above the threshold over the one asked for."""
    random, each = np.random.default_rng(SEED), np.unique(clips)
    found = []
    for _ in range(draws):
        sets = np.isin(clips, random.permutation(each)[: len(each) // 2])
        limit = np.quantile(scores[sets], 1 - rate)
        found.append(np.mean(scores[~sets] > limit) / rate)
    return np.array(found)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--rates", nargs="+", type=float, default=[0.02, 0.05, 0.1])
    parser.add_argument("--draws", type=int, default=500)
    options = parser.parse_args(arguments)
    columns = [(kind, rate) for kind in ("int8", "float") for rate in options.rates]
    heads = [f"{kind}, {rate:.0%}" for kind, rate in columns]
    print(f"| task | clips, windows | {' | '.join(heads)} |")
    print("| --- | ---: |" + " ---: |" * len(heads))
    for folder in options.folders:
        scores, clips = normal_scores(folder)
        cells = []
        for kind, rate in columns:
            found = ratios(scores[kind], clips, rate, options.draws)
            low, high = np.quantile(found, [0.25, 0.75])
            cells.append(f"{found.mean():.2f} [{low:.2f}, {high:.2f}]")
        count = f"{len(np.unique(clips))}, {len(clips)}"
        print(f"| {'/'.join(folder.parts[-3:])} | {count} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
