"""Commands that make things: build, train, eval, run, compile."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from outliernets.cli._options import (
    FilePath,
    FolderPath,
    arch_option,
    board_option,
    check_options,
    chosen_checks,
    chosen_task,
    clips_option,
    data_option,
    detector_option,
    fine_tune_option,
    json_option,
    mel_option,
    out_option,
    print_json,
    quiet_option,
    seed_option,
    split_option,
    stage_options,
    steps_option,
    target_option,
    task_option,
    toolchain_option,
)
from outliernets.cli.compare import (
    compare_options,
    print_comparison,
    refuse_without_compare,
    tasks_listed,
)
from outliernets.config import SEED, mel_config
from outliernets.errors import ParityError


@click.command(short_help="Recordings to verified firmware, all stages.")
@task_option
@board_option
@data_option
@split_option
@detector_option
@arch_option
@target_option
@toolchain_option
@out_option
@seed_option
@steps_option
@fine_tune_option
@mel_option
@clips_option
@stage_options
@check_options
@json_option
@quiet_option
def build(
    task: str | None,
    board: str,
    data_dir: Path | None,
    split: str,
    detector: str | None,
    arch: str | None,
    target: str | None,
    toolchain: str,
    out: Path,
    seed: int | None,
    steps: int | None,
    fine_tune: bool,
    settings: tuple[str, ...],
    clips: int | None,
    first: str | None,
    last: str | None,
    budgets: tuple[str, ...],
    baseline: Path | None,
    tolerance: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Turn recordings into firmware, run it on a target and prove that it scores the same.

    Stages: data features train quantize emit compile run. Each is kept and only run again when
    something it depends on changed. Exit code 5 if a budget is broken.

    \b
    Examples:
      ongen build --task fan/06/6dB --board stm32f746
      ongen build --task fan/06/min6dB --data /data/mimii --board stm32f746 --clips 40
      ongen build --data ./my_pump --board cortex-a72 --target qemu --toolchain gcc
      ongen build --task fan/06/6dB --board stm32f746 --from train --json
      ongen build --task fan/06/6dB --board stm32f746 --budget flash=64K,ram=32K
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import BuildConfig
    from outliernets.pipeline import build as run_build

    checks = chosen_checks(budgets, baseline, tolerance)
    config = BuildConfig(
        task=chosen_task(task, data_dir),
        board=board,
        data=data_dir,
        split=split,
        detector=detector,
        arch=arch,
        target=target,
        toolchain=toolchain,
        out=out,
        seed=SEED if seed is None else seed,
        steps=steps,
        fine_tune=fine_tune,
        mel=mel_config(settings),
        clips=clips,
    )
    with narrator(quiet) as tell:
        report = run_build(config, tell, first, last)
    if "stages" in report:  # cut short by --to: there is no report.json yet
        _show(report, as_json)
    else:
        _show(checks.applied(report), as_json, config.board_folder / "report.json")


@click.command(short_help="Recordings to an int8 network, with its AUC.")
@task_option
@data_option
@split_option
@detector_option
@arch_option
@out_option
@seed_option
@steps_option
@fine_tune_option
@mel_option
@stage_options
@json_option
@quiet_option
def train(
    task: str | None,
    data_dir: Path | None,
    split: str,
    detector: str | None,
    arch: str | None,
    out: Path,
    seed: int | None,
    steps: int | None,
    fine_tune: bool,
    settings: tuple[str, ...],
    first: str | None,
    last: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train and quantise a network; print its AUC. The first four stages of 'ongen build'.

    \b
    Examples:
      ongen train --task slider/00/-6dB
      ongen train --task fan/00/6dB --arch fan-2028 --seed 7 --json
    """
    _learn(
        task, data_dir, split, detector, arch, out, seed, steps, fine_tune, settings, first, last,
        as_json, quiet,
    )  # fmt: skip


@click.command("eval", short_help="AUC of a network on a task's test clips.")
@task_option
@data_option
@split_option
@detector_option
@arch_option
@click.option("--model", type=FilePath, help="Judge this int8 .tflite instead of the task's own.")
@out_option
@seed_option
@steps_option
@fine_tune_option
@mel_option
@compare_options
@json_option
@quiet_option
def eval_(
    task: str | None,
    data_dir: Path | None,
    split: str,
    detector: str | None,
    arch: str | None,
    model: Path | None,
    out: Path,
    seed: int | None,
    steps: int | None,
    fine_tune: bool,
    settings: tuple[str, ...],
    compare: str | None,
    seeds: int | None,
    markdown: bool,
    as_csv: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print AUC and pAUC per clip and per window, with 95 % bootstrap intervals over clips.

    \b
    Examples:
      ongen eval --task fan/06/6dB
      ongen eval --task fan/06/6dB --model other.tflite --json
      ongen eval --task fan/06/6dB,fan/06/-6dB --compare paper,baselines --markdown
    """
    if compare is not None:
        from outliernets.pipeline import BuildConfig

        if model or arch or detector or fine_tune:
            raise click.UsageError(
                "--compare names the detectors itself, and scores them in floats: leave out "
                "--model, --arch, --detector, --fine-tune"
            )
        tasks = tasks_listed(task) if task else [chosen_task(task, data_dir)]
        config = BuildConfig(
            tasks[0],
            data=data_dir,
            split=split,
            out=out,
            seed=SEED if seed is None else seed,
            steps=steps,
            mel=mel_config(settings),
        )
        asked = {"markdown": markdown, "csv": as_csv, "json": as_json}
        formats = [name for name, wanted in asked.items() if wanted]
        print_comparison(config, tasks, compare, seeds, formats, settings, quiet)
        return

    refuse_without_compare(seeds=seeds, markdown=markdown, csv=as_csv)
    if model is None:
        _learn(
            task, data_dir, split, detector, arch, out, seed, steps, fine_tune, settings, None,
            None, as_json, quiet,
        )  # fmt: skip
        return
    if fine_tune:
        raise click.UsageError("--fine-tune does not go with --model: that is int8 already")
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import BuildConfig, evaluate_model

    config = BuildConfig(
        chosen_task(task, data_dir),
        data=data_dir,
        split=split,
        out=out,
        seed=SEED if seed is None else seed,
        mel=mel_config(settings),
    )
    with narrator(quiet) as tell:
        result = evaluate_model(config, model, tell)
    _show(result, as_json)


def _learn(
    task: str | None,
    data_dir: Path | None,
    split: str,
    detector: str | None,
    arch: str | None,
    out: Path,
    seed: int | None,
    steps: int | None,
    fine_tune: bool,
    settings: tuple[str, ...],
    first: str | None,
    last: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import BuildConfig, learn

    config = BuildConfig(
        chosen_task(task, data_dir),
        data=data_dir,
        split=split,
        detector=detector,
        arch=arch,
        out=out,
        seed=SEED if seed is None else seed,
        steps=steps,
        fine_tune=fine_tune,
        mel=mel_config(settings),
    )
    with narrator(quiet) as tell:
        result = learn(config, tell, first, last)
    _show(result, as_json)


@click.command(short_help="Replay a build's test clips on a target.")
@click.argument("folder", metavar="BUILD_DIR", type=FolderPath)
@target_option
@click.option("--toolchain", help="Compiler: zig, gcc. Default: as built.")
@clips_option
@check_options
@json_option
@quiet_option
def run(
    folder: Path,
    target: str | None,
    toolchain: str | None,
    clips: int | None,
    budgets: tuple[str, ...],
    baseline: Path | None,
    tolerance: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a finished build's firmware again, on any target; print the same report.

    \b
    Examples:
      ongen run build/fan/06/6dB/stm32f746
      ongen run build/fan/06/6dB/stm32f746 --target qemu --clips 10
      ongen run build/fan/06/6dB/stm32f746 --budget instructions=2.2M,flash=64K,ram=32K
      ongen run build/fan/06/6dB/stm32f746 --budget budgets.toml --compare last.json
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import run_again

    checks = chosen_checks(budgets, baseline, tolerance)
    with narrator(quiet) as tell:
        report = run_again(folder, tell, target, clips, toolchain)
    _show(checks.applied(report), as_json, folder / "report.json")


@click.command("compile", short_help="Any full-int8 .tflite to a C library.")
@click.argument("model", type=FilePath)
@board_option
@click.option("--out", type=FolderPath, required=True, help="Folder for the library.")
@click.option("--name", help="Prefix of all C names. Default: the file's name.")
@target_option
@toolchain_option
@click.option("--explain", is_flag=True, help="Say what each group of fused ops costs, and why.")
@check_options
@json_option
@quiet_option
def compile_(
    model: Path,
    board: str,
    out: Path,
    name: str | None,
    target: str | None,
    toolchain: str,
    explain: bool,
    budgets: tuple[str, ...],
    baseline: Path | None,
    tolerance: float | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write plain C for a full-int8 .tflite, prove it bit-exact on the target, report its size.

    \b
    Examples:
      ongen compile model.tflite --board stm32f746 --out lib
      ongen compile model.tflite --board cortex-a72 --out lib --name hear --json
      ongen compile model.tflite --board host --out lib --toolchain gcc
      ongen compile model.tflite --board stm32f746 --out lib --explain
      ongen compile model.tflite --board stm32f746 --out lib --compare old/library.json
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import compile_model

    checks = chosen_checks(budgets, baseline, tolerance)
    with narrator(quiet) as tell:
        report = compile_model(model, board, out, tell, name, target, toolchain, explain)
    _show(checks.applied(report), as_json, out)


def _show(report: Mapping[str, Any], as_json: bool, written: Path | None = None) -> None:
    """Print a result to stdout, where it went to stderr; fail if its verdict is FAIL."""
    from outliernets.report import as_text
    from outliernets.report.budget import checks_text

    if as_json:
        print_json(report)
    else:
        click.echo("\n\n".join(filter(None, (as_text(report), checks_text(report)))))
        if written is not None:
            click.echo(f"written: {written}", err=True)
    if report.get("verdict") == "FAIL":
        raise ParityError("verdict FAIL: " + "; ".join(report.get("failures") or ["not exact"]))
