"""``ongen table``: the paper's Table 1, each row beside what its network reaches here.

A row is a learning run as of ``ongen train``; finished ones are kept in ``--out``, so a table that
was stopped goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from outliernets import data
from outliernets.config import Task
from outliernets.errors import ConfigError, DataError, near_miss
from outliernets.nets import zoo
from outliernets.pipeline.build import learn
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.stage import Narrator

PAPER_DATA = "mimii"  #: kind of recordings that the paper's AUC may stand beside


def tasks_of(patterns: str | None) -> list[Task]:
    """Return the tasks of Table 1 that comma-separated ``patterns`` name: all if None.

    ``fan/*/6dB`` stands for all four fans. Raise ConfigError for a pattern without a task.
    """
    every = [row.task for row in zoo.PAPER_ROWS]
    if patterns is None:
        return every
    chosen: set[Task] = set()
    for pattern in (part.strip().replace("/min", "/-") for part in patterns.split(",")):
        matching = {task for task in every if fnmatchcase(str(task), pattern)}
        if not matching:
            raise ConfigError(
                f"--tasks {pattern}: not in the paper's Table 1; "
                f"{near_miss(pattern, [str(task) for task in every])}"
            )
        chosen |= matching
    return [task for task in every if task in chosen]


def paper_table(config: BuildConfig, patterns: str | None, narrator: Narrator) -> dict[str, Any]:
    """Train and judge the network of each task's row; return the table.

    Tasks that ``config.data`` does not hold are left out, with a notice, unless ``patterns`` name
    them. A row whose recordings cannot be used has ``error`` instead of ``ours``; the others go on.

    Raises:
        ConfigError: a pattern matches nothing.
        DataError: the recordings of a task that was asked for are not there, or there are none.
    """
    tasks = tasks_of(patterns)
    if config.data is not None:
        tasks = _present(config, tasks, asked=patterns is not None, narrator=narrator)
    rows = []
    for number, task in enumerate(tasks, start=1):
        narrator.notice(f"{task}, {number} of {len(tasks)}")
        # Naming the network asks for the paper's method, too: whole windows, mean of squares.
        own = replace(config, task=task, arch=zoo.get(task).name)
        rows.append(_row(own, narrator))
    return {"schema": 1, "seed": config.seed, "steps": config.steps, "rows": rows}


def _present(
    config: BuildConfig, tasks: Sequence[Task], *, asked: bool, narrator: Narrator
) -> list[Task]:
    """Return the tasks whose recordings are there, before hours are spent on others."""
    assert config.data is not None
    rule, found, missing = data.SplitRule.parse(config.split), [], []
    held = data.list_tasks(config.data)
    for task in tasks:
        if not asked and task not in {info.task for info in held}:
            missing.append(str(task))
            continue
        data.find(task, config.data, rule)
        found.append(task)
    if not found:
        raise DataError(
            f"{config.data} holds none of the paper's 24 tasks (fan and slider at 6, 0 and -6 dB); "
            f"see: ongen data list --data {config.data}"
        )
    if missing:
        narrator.notice(f"not in {config.data}, left out: {', '.join(missing)}")
    return found


def _row(config: BuildConfig, narrator: Narrator) -> dict[str, Any]:
    paper, spec = zoo.paper_row(config.task), zoo.get(config.task)
    assert paper is not None
    row: dict[str, Any] = {
        "task": str(config.task),
        "paper": {
            "params": paper.params,
            "flops": paper.flops,
            "size_kb": paper.size_kb,
            "arm_ms": paper.arm_ms,
            "intel_ms": paper.intel_ms,
        },
    }
    try:
        found = learn(config, narrator)
    except DataError as error:
        narrator.notice(f"{config.task}: {error}")
        return row | {"error": str(error)}
    if found["data"] == PAPER_DATA:
        row["paper"] |= {"auc": paper.auc, "auc_cae_mcs": paper.auc_cae_mcs}
    row["ours"] = {
        "arch": spec.name,
        "params": spec.params,
        "flops": spec.flops,
        "int8_bytes": Path(found["model"]).stat().st_size,
        "train_seconds": found["seconds"]["train"],
        "auc": found["auc"],
    }
    return row | {"data": found["data"], "clips": found["clips"]}
