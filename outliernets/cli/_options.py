"""Options that several commands share, and how results are printed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from outliernets.config import Task

if TYPE_CHECKING:
    from outliernets.report.budget import Checks

F = TypeVar("F", bound=Callable[..., Any])
FolderPath = click.Path(path_type=Path, file_okay=False)
FilePath = click.Path(path_type=Path)

data_option = click.option(
    "--data",
    "data_dir",
    type=FilePath,
    envvar="ONGEN_DATA",
    show_envvar=True,
    help="Recordings: MIMII or DCASE layout, or any folder with normal/ (and abnormal/). "
    "Without it: simulated machines.",
)
split_option = click.option(
    "--split",
    default="mimii",
    show_default=True,
    metavar="mimii|blocks[=N]",
    help="Normal clips to test with: the first ones by name, as many as are abnormal; or every "
    "other block of N (20) neighbours, where those may be one recording.",
)
task_option = click.option(
    "--task", help="MACHINE/ID/SNR, such as fan/06/6dB. Not needed for your own normal/ folder."
)
board_option = click.option(
    "--board", required=True, help="Name (see 'ongen boards') or TOML file of a board."
)
detector_option = click.option(
    "--detector",
    help="How to listen: paper, steady, transient, a zoo name such as fan-686, or a TOML file. "
    "Default: whichever of steady and transient suits the machine's normal sound best.",
)
arch_option = click.option(
    "--arch",
    help="The paper's way with this network: a zoo name such as fan-686, or a TOML file.",
)
target_option = click.option(
    "--target", help="Where it runs: unicorn, qemu, renode, host. Default: the board's first."
)
toolchain_option = click.option(
    "--toolchain", default="zig", show_default=True, help="Compiler: zig, gcc."
)
out_option = click.option(
    "--out", type=FolderPath, default=Path("build"), show_default=True, help="Folder for results."
)
seed_option = click.option("--seed", type=int, help="Seed of everything random.")
fine_tune_option = click.option(
    "--fine-tune",
    is_flag=True,
    help="After training, fine-tune for int8 with fake quantisation.",
)
steps_option = click.option(
    "--steps", type=click.IntRange(min=1), help="Training steps. Default: the recipe's 1,000."
)
mel_option = click.option(
    "--mel",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of the front end, such as power=1 or n_fft=512; may be given several times.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
clips_option = click.option(
    "--clips", type=click.IntRange(min=2), help="Replay only this many test clips. Default: all."
)


def check_options(function: F) -> F:
    """Add ``--budget``, ``--compare`` and ``--tolerance``."""
    function = click.option(
        "--tolerance",
        type=click.FloatRange(min=0),
        metavar="PERCENT",
        help="With --compare: growth that is still fine. Default: 0.",
    )(function)
    function = click.option(
        "--compare",
        "baseline",
        type=FilePath,
        metavar="REPORT.json",
        help="An older report: exit code 5 where this one needs more, naming what grew.",
    )(function)
    return click.option(
        "--budget",
        "budgets",
        multiple=True,
        metavar="NAME=NUMBER,... | FILE.toml",
        help="Limits such as instructions=2.2M,flash=64K,ram=32K: exit code 5 if one is broken.",
    )(function)


def chosen_checks(
    budgets: tuple[str, ...], baseline: Path | None, tolerance: float | None
) -> "Checks":
    """Return what the report will be held against; ConfigError now rather than after the work."""
    from outliernets.report.budget import Checks, read_baseline, read_budgets

    if tolerance is not None and baseline is None:
        raise click.UsageError("--tolerance is for --compare REPORT.json")
    older = None if baseline is None else read_baseline(baseline)
    return Checks(read_budgets(budgets), older, (tolerance or 0.0) / 100)


def stage_options(function: F) -> F:
    """Add ``--from`` and ``--to``."""
    function = click.option("--from", "first", metavar="STAGE", help="Run again from here.")(
        function
    )
    return click.option("--to", "last", metavar="STAGE", help="Stop after this stage.")(function)


def chosen_task(task: str | None, data_dir: Path | None) -> Task:
    """Return the task named, or the one that a folder of the user's own recordings stands for."""
    if task is not None:
        return Task.parse(task)
    if data_dir is not None:
        from outliernets.data import task_of_folder

        found = task_of_folder(data_dir)
        if found is not None:
            return found
        raise click.UsageError(
            f"{data_dir} holds several tasks (or none): choose one with --task "
            f"(see: ongen data list --data {data_dir})"
        )
    raise click.UsageError(
        "say which machine: --task fan/06/6dB (simulated), or --data FOLDER with normal/"
    )


def print_json(value: Mapping[str, Any] | list[Any]) -> None:
    """Print JSON to stdout."""
    click.echo(json.dumps(value, indent=1))
