"""Tables over all networks: the paper's Table 1, what each needs on a board, how long it takes."""

from pathlib import Path
from typing import Any

import click

from outliernets.cli._options import (
    FilePath,
    data_option,
    fine_tune_option,
    json_option,
    mel_option,
    out_option,
    print_json,
    quiet_option,
    seed_option,
    split_option,
    steps_option,
)
from outliernets.config import SEED, Task, mel_config
from outliernets.errors import DataError, ParityError

BOARD = "stm32f746"


@click.command(short_help="The paper's Table 1, or what its networks need and take.")
@click.option(
    "--tasks", "patterns", help="Only these of the 24 tasks, such as fan/*/6dB,slider/00/*."
)
@data_option
@split_option
@out_option
@seed_option
@steps_option
@fine_tune_option
@mel_option
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Networks of Table 1 that are trained side by side.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print Table 1 as CSV. Default: Markdown.")
@click.option("--footprint", is_flag=True, help="Instead: instructions, flash, RAM and stack.")
@click.option("--board", help=f"With --footprint; see 'ongen boards'. Default: {BOARD}.")
@click.option("--target", help="With --footprint: unicorn, qemu, host. Default: the board's first.")
@click.option("--latency", is_flag=True, help="Instead: times on this machine, engine by engine.")
@click.option(
    "--toolchain",
    help="With --footprint, --latency: zig, gcc. Default: all, the better counts.",
)
@click.option(
    "--network",
    "networks",
    multiple=True,
    help="With --footprint, --latency: only this; repeatable.",
)
@click.option(
    "--model",
    "models",
    type=FilePath,
    multiple=True,
    metavar="FILE.tflite",
    help="With --latency: this full-int8 model, with FILE_f32.tflite if there is one; repeatable.",
)
@click.option(
    "--rounds", type=click.IntRange(min=2), help="With --latency: turns per engine. Default: 30."
)
@click.option(
    "--cpu",
    type=click.IntRange(min=0),
    help="With --latency: the processor to stay on. Default: the last.",
)
@json_option
@quiet_option
def table(
    patterns: str | None,
    data_dir: Path | None,
    split: str,
    out: Path,
    seed: int | None,
    steps: int | None,
    fine_tune: bool,
    settings: tuple[str, ...],
    workers: int,
    as_csv: bool,
    footprint: bool,
    board: str | None,
    target: str | None,
    latency: bool,
    toolchain: str | None,
    networks: tuple[str, ...],
    models: tuple[Path, ...],
    rounds: int | None,
    cpu: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train and judge the networks of the paper's 24 tasks, beside the paper's own figures.

    Finished runs are kept in --out, a stopped table goes on where it was. Without --data the sound
    is simulated, and the paper's AUC are left out: the two must not be compared. --footprint
    compiles the networks instead, proves them bit-exact and prints what they need; --latency times
    them in our C and in every other engine that is installed. Exit code 5 if our C is not exact.

    \b
    Examples:
      ongen table --data /data/mimii --workers 2 > table1.md
      ongen table --tasks 'fan/*/6dB,slider/00/6dB' --csv
      ongen table --footprint > footprint.md
      ongen table --footprint --board stm32f446 --toolchain gcc
      ongen table --footprint --network fan-686 --network slider-21781 --json
      ongen table --latency > latency.md
      ongen table --latency --model mine.tflite --rounds 100
    """
    of_table_1 = {
        "--tasks": patterns,
        "--fine-tune": fine_tune,
        "--workers": workers > 1,
        "--csv": as_csv,
    }
    of_boards = {"--board": board, "--target": target}
    of_latency = {"--model": models, "--rounds": rounds, "--cpu": cpu is not None}
    of_both = {"--toolchain": toolchain, "--network": networks}
    if footprint:
        _refuse("--footprint", {**of_table_1, "--latency": latency, **of_latency})
        _print_footprint(board or BOARD, target, toolchain, networks, as_json, quiet)
        return
    if latency:
        _refuse("--latency", {**of_table_1, **of_boards})
        _print_latency(networks, models, rounds, toolchain, cpu, as_json, quiet)
        return
    _refuse("Table 1 without --footprint", of_boards)
    _refuse("Table 1 without --latency", of_latency)
    _refuse("Table 1 without --footprint or --latency", of_both)
    if as_csv and as_json:
        raise click.UsageError("choose one of --csv, --json")
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import BuildConfig
    from outliernets.pipeline.paper_table import paper_table
    from outliernets.report.paper_table import paper_table_csv, paper_table_page

    config = BuildConfig(
        Task("fan", "00", "6dB"),  # each row has its own
        data=data_dir,
        split=split,
        out=out,
        seed=SEED if seed is None else seed,
        steps=steps,
        fine_tune=fine_tune,
        mel=mel_config(settings),
    )
    with narrator(quiet) as tell:
        found = paper_table(config, patterns, tell, workers)
    if as_json:
        print_json(found)
    elif as_csv:
        click.echo(paper_table_csv(found))
    else:
        given = {
            "tasks": patterns,
            "data": data_dir and data_dir.name,
            "seed": seed,
            "steps": steps,
            "workers": workers if workers > 1 else None,
        }
        options = [f" --{name} {value}" for name, value in given.items() if value is not None]
        options += [" --fine-tune"] if fine_tune else []
        options += [f" --split {split}"] if split != "mimii" else []
        options += [f" --mel {setting}" for setting in settings]
        click.echo(paper_table_page(found, f"ongen table{''.join(options)}"))
    failed = [row["task"] for row in found["rows"] if "error" in row]
    if failed:
        raise DataError(f"{len(failed)} rows could not be made: {', '.join(failed)}; see above")


def _refuse(what: str, given: dict[str, Any]) -> None:
    for name, value in given.items():
        if value:
            raise click.UsageError(f"{name} does not go with {what}")


def _print_footprint(
    board: str,
    target: str | None,
    toolchain: str | None,
    networks: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import footprint_table
    from outliernets.report import footprint_page

    compilers = [toolchain] if toolchain else []
    with narrator(quiet) as tell:
        found = footprint_table(board, tell, compilers, target, networks)
    if as_json:
        print_json(found)
    else:
        options = [f"--board {board}", *(f"--toolchain {name}" for name in compilers)]
        options += [*([f"--target {target}"] if target else [])]
        options += [f"--network {name}" for name in networks]
        click.echo(footprint_page(found, " ".join(["ongen table --footprint", *options])))
    if found["verdict"] == "FAIL":
        raise ParityError("verdict FAIL: not all networks are exact")


def _print_latency(
    networks: tuple[str, ...],
    models: tuple[Path, ...],
    rounds: int | None,
    toolchain: str | None,
    cpu: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    from outliernets.cli._progress import narrator
    from outliernets.pipeline.latency import ROUNDS, latency_table
    from outliernets.report.latency import latency_page

    compilers = [toolchain] if toolchain else []
    with narrator(quiet) as tell:
        found = latency_table(tell, networks, models, rounds or ROUNDS, compilers, cpu)
    if as_json:
        print_json(found)
    else:
        options = [f"--network {name}" for name in networks]
        options += [f"--model {model.name}" for model in models]
        given = {"rounds": rounds, "toolchain": toolchain, "cpu": cpu}
        options += [f"--{name} {value}" for name, value in given.items() if value is not None]
        click.echo(latency_page(found, " ".join(["ongen table --latency", *options])))
    if found["verdict"] == "FAIL":
        raise ParityError("verdict FAIL: our C is not exact for all networks")
