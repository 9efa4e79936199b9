"""What int8 costs: AUC and scores of networks in floats and as the device computes them.

    ongen eval --task TASK --data DIR --compare closed-form --out BUILD     (cuts the features)
    python bench/int8_parity.py TASK ... --build BUILD [--networks NAME,...] [--steps N] [--out DIR]

Every network is trained on the task, converted with as many calibration windows as a build takes,
and run by the reference interpreter; both score by the mean square of the residual. Prints a line
of a Markdown table per task and network, and keeps it in ``--out``, so that a second run goes on.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from outliernets import evaluate
from outliernets.config import SEED, MelConfig, Task
from outliernets.detectors import fixed, learned
from outliernets.detectors.dense import SPEC as DENSE
from outliernets.detectors.spec import DetectorSpec
from outliernets.detectors.views import MEANS
from outliernets.features.windows import Standardizer
from outliernets.importer import read
from outliernets.nets import zoo
from outliernets.pipeline.learning import equalised, int8_sums, labels_of, read_clips
from outliernets.train.fit import Recipe
from outliernets.train.quantize import quantize


def detector(name: str) -> DetectorSpec:
    """Return a network of the zoo on whole windows, or the dense one on 64 bands' means."""
    if name == DENSE.name:
        return DetectorSpec(name, DENSE, MEANS)
    return DetectorSpec(name, zoo.get(name))


def measured(folder: Path, spec: DetectorSpec, steps: int, out: Path) -> dict[str, Any]:
    """Train, convert and score on the task whose stages are in ``folder``."""
    parts = {n: np.load(folder / f"02_features/{n}.npy") for n in ("train", "held_out", "test")}
    clips = np.load(folder / "02_features/test_clip.npy")
    labels = labels_of(read_clips(folder / "01_data", "test"))
    mel = MelConfig()
    out.mkdir(parents=True, exist_ok=True)
    if not (out / learned.NUMBERS).is_file():
        recipe, train, held = Recipe(steps=steps), parts["train"], parts["held_out"]
        learned.learn(spec, train, held, mel.clip_sigma, SEED, recipe).save(out)
    found = learned.load(out)
    path, train = out / "model.tflite", parts["train"]
    quantize(found.model, equalised(found, train, SEED), path, found.view.limit)
    table = json.loads((folder / "02_features/standardizer.json").read_text())
    standardizer = Standardizer.from_dict(table)
    integers = fixed.plans(spec, (found.view, None), mel, standardizer, read(path))
    scores = {
        "float": found.scores(parts["test"], clips),
        "int8": int8_sums(integers, path, parts["test"], clips).astype(np.float64),
    }
    np.savez(out / "scores.npz", **scores)
    auc = {n: evaluate.auc(labels, evaluate.clip_scores(s, clips)) for n, s in scores.items()}
    return {
        "auc": auc,
        "correlation": float(np.corrcoef(scores["float"], scores["int8"])[0, 1]),
    }


def line(task: str, name: str, facts: dict[str, Any]) -> str:
    """Return a line of the table."""
    auc = facts["auc"]
    return (
        f"| {task} | {name} | {auc['float']:.4f} | {auc['int8']:.4f} | "
        f"{auc['int8'] - auc['float']:+.4f} | {facts['correlation']:.5f} |"
    )


def main() -> None:
    """Measure what is not measured yet; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--networks", default="dense-2276,fan-686,slider-27229,fan-2992")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--out", type=Path, default=Path("build/int8_parity"))
    given = parser.parse_args()
    print("| task | network | float AUC | int8 AUC | difference | correlation |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in given.networks.split(","):
        for task in map(Task.parse, given.tasks):
            out = given.out / f"{given.steps}" / str(task) / name
            kept = out / "facts.json"
            if not kept.is_file():
                folder = given.build / str(task)
                facts = measured(folder, detector(name), given.steps, out)
                kept.write_text(json.dumps(facts, indent=1) + "\n")
            print(line(str(task), name, json.loads(kept.read_text())), flush=True)


if __name__ == "__main__":
    main()
