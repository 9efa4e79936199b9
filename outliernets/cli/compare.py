"""``ongen eval --compare``: its options, and how the table is printed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outliernets.cli._options import F, print_json
from outliernets.config import Task

if TYPE_CHECKING:
    from outliernets.pipeline import BuildConfig


def compare_options(function: F) -> F:
    """Add ``--compare`` and what goes with it."""
    options: list[Callable[[F], F]] = [
        click.option(
            "--compare",
            metavar="DETECTORS",
            help="Put detectors side by side: comma-separated names (see docs/learning.md), or "
            "'baselines', or 'closed-form'. The others are compared with the first. --task may "
            "then list several tasks, too.",
        ),
        click.option(
            "--seeds",
            type=click.IntRange(min=1),
            help="With --compare: seeds of detectors that are trained by chance. Default: 5.",
        ),
        click.option("--markdown", is_flag=True, help="With --compare: print Markdown."),
        click.option("--csv", "as_csv", is_flag=True, help="With --compare: print CSV."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def refuse_without_compare(**given: Any) -> None:
    """Raise UsageError for an option that means something only with ``--compare``."""
    for name, value in given.items():
        if value:
            raise click.UsageError(f"--{name} goes with --compare only")


def tasks_listed(text: str) -> list[Task]:
    """Return the tasks of a comma-separated list."""
    return [Task.parse(part) for part in text.split(",")]


def print_comparison(
    config: "BuildConfig",
    tasks: Sequence[Task],
    detectors: str,
    seeds: int | None,
    formats: Sequence[str],
    settings: Sequence[str],
    quiet: bool,
) -> None:
    """Compare detectors on each task and print it in the one format asked for, text by default.

    ``config`` holds the other choices; ``settings`` are the front end's, as the user gave them.
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline.comparison import SEEDS, compare_detectors
    from outliernets.report import comparison as report

    if len(formats) > 1:
        raise click.UsageError(f"choose one of {', '.join(f'--{name}' for name in formats)}")
    with narrator(quiet) as tell:
        found = [
            compare_detectors(replace(config, task=task), detectors, tell, seeds or SEEDS)
            for task in tasks
        ]
    match formats[0] if formats else "text":
        case "json":
            print_json(found if len(found) > 1 else found[0])
        case "csv":
            click.echo(report.comparison_csv(found))
        case "markdown":
            command = _command(config, tasks, detectors, seeds, settings)
            click.echo(report.comparison_page(found, command))
        case _:
            click.echo("\n\n".join(report.comparison_text(c) for c in found))


def _command(
    config: "BuildConfig",
    tasks: Sequence[Task],
    detectors: str,
    seeds: int | None,
    settings: Sequence[str],
) -> str:
    """Return the command that makes the table again; a data folder by its last name only."""
    data: Path | None = config.data
    options = [
        f"--compare {detectors}",
        f"--task {','.join(map(str, tasks))}",
        *([f"--data {data.name}"] if data else []),
        *([f"--split {config.split}"] if config.split != "mimii" else []),
        *([f"--seeds {seeds}"] if seeds else []),
        *([f"--steps {config.steps}"] if config.steps else []),
        *(f"--mel {setting}" for setting in settings),
        "--markdown",
    ]
    return " ".join(["ongen eval", *options])
