"""The command that looks for a detector: search."""

import re
from pathlib import Path
from typing import Any

import click

from outliernets.cli._options import (
    board_option,
    chosen_task,
    data_option,
    json_option,
    out_option,
    print_json,
    quiet_option,
    seed_option,
    split_option,
    steps_option,
    task_option,
)
from outliernets.config import SEED


class Amount(click.ParamType):  # type: ignore[type-arg]
    """A number with a unit: ``100k``, ``32K`` bytes, ``10ms``."""

    def __init__(self, name: str, units: dict[str, float], example: str) -> None:
        self.name, self._units, self._example = name, units, example

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Return the number; a usage error says the form."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", str(value))
        if not found or found[2] not in self._units or not float(found[1]):
            self.fail(f"'{value}': give {self._example}", param, ctx)
        return float(found[1]) * self._units[found[2]]


COUNT = Amount("count", {"": 1, "k": 1e3, "K": 1e3, "M": 1e6}, "100k or 100000")
BYTES = Amount("bytes", {"": 1, "k": 1024, "K": 1024, "M": 1024**2}, "32K or 32768")
DURATION = Amount("duration", {"ms": 1e-3, "s": 1.0, "us": 1e-6}, "10ms")


@click.command(short_help="The smallest detector that hears enough and fits a board.")
@task_option
@board_option
@data_option
@split_option
@click.option(
    "--trials", type=click.IntRange(min=1), help="Trained candidates, with earlier ones of a study."
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="How long to search. Default: 60, unless --trials is given.",
)
@click.option("--max-params", type=COUNT, help="Parameters, such as 100k.")
@click.option("--max-flash", type=BYTES, help="Bytes of the program, such as 32K.")
@click.option("--max-ram", type=BYTES, help="Bytes of its memory, such as 24K.")
@click.option("--max-latency", type=DURATION, help="From a window's end to its score: 10ms.")
@click.option("--max-instructions", type=COUNT, help="Of a window, such as 2M.")
@click.option(
    "--min-auc",
    type=click.FloatRange(min=0),
    help="Share of the reference's AUC, kind by kind, that a detector must reach. Default: 0.95.",
)
@click.option(
    "--reference",
    metavar="DETECTORS",
    help="What a detector must not fall behind in any kind of made-up fault: the best of these. "
    "Default: default, no training; cae-mcs takes long.",
)
@click.option("--sampler", help="generator, tpe, nsga2, random. Default: generator.")
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Processes."
)
@click.option(
    "--storage",
    "url",
    metavar="URL",
    help="A database that machines share: postgresql://user@host/name, mysql+pymysql://..., "
    "sqlite:///file. Default: a journal file in the study's folder.",
)
@click.option("--study", metavar="NAME", help="Another study of the same task and board.")
@click.option(
    "--paper-protocol",
    is_flag=True,
    help="Let labelled faults of a half of the test clips steer, as the paper did.",
)
@click.option(
    "--inherit",
    is_flag=True,
    help="Candidates begin with the weights of similar ones; who would lead is trained anew.",
)
@click.option("--report", "as_report", is_flag=True, help="Draw what was found, as one HTML page.")
@out_option
@seed_option
@steps_option
@json_option
@quiet_option
def search(
    task: str | None,
    board: str,
    data_dir: Path | None,
    split: str,
    trials: int | None,
    minutes: float | None,
    max_params: float | None,
    max_flash: float | None,
    max_ram: float | None,
    max_latency: float | None,
    max_instructions: float | None,
    min_auc: float | None,
    reference: str | None,
    sampler: str | None,
    workers: int,
    url: str | None,
    study: str | None,
    paper_protocol: bool,
    inherit: bool,
    as_report: bool,
    out: Path,
    seed: int | None,
    steps: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Search for a detector: as small as possible, within limits, that hears what it should.

    Faults of the machine are never used: candidates are judged by made-up ones and by other
    machines. Ctrl-C leaves a study that the same command goes on with. Several machines may work
    on one --storage.

    \b
    Examples:
      ongen search --task fan/06/6dB --board stm32f746 --minutes 30
      ongen search --data ./my_pump --board stm32f446 --max-flash 32K --max-ram 24K --trials 100
      ongen search --task fan/06/6dB --board stm32f746 --workers 2 --storage postgresql://db/ongen
      ongen search --task fan/06/6dB --board stm32f746 --report
      ongen build --task fan/06/6dB --board stm32f746 --detector \\
          build/fan/06/6dB/search/stm32f746/winner.toml
    """
    from outliernets.cli._progress import narrator
    from outliernets.pipeline import BuildConfig
    from outliernets.pipeline import search as pipeline
    from outliernets.search.costs import Limits

    config = BuildConfig(
        chosen_task(task, data_dir),
        board=board,
        data=data_dir,
        split=split,
        out=out,
        seed=SEED if seed is None else seed,
        steps=steps,
    )
    limits = Limits(
        max_params=_whole(max_params),
        max_flash=_whole(max_flash),
        max_ram=_whole(max_ram),
        max_latency=max_latency,
        max_instructions=_whole(max_instructions),
    )
    given = {"min_auc": min_auc, "reference": reference, "sampler": sampler}
    chosen = pipeline.SearchConfig(
        limits=limits,
        trials=trials,
        minutes=minutes,
        url=url,
        study=study,
        workers=workers,
        paper_protocol=paper_protocol,
        inherit=inherit,
        **{name: value for name, value in given.items() if value is not None},  # type: ignore[arg-type]
    )
    if as_report:
        path = pipeline.report(config, chosen)
        print_json({"report": str(path)}) if as_json else click.echo(path)
        return
    with narrator(quiet) as tell:
        found = pipeline.search(config, chosen, tell)
    if as_json:
        print_json(found)
        return
    click.echo(_text(found))
    click.echo(f"written: {found['folder']}/winner.toml, search.json, pareto.md", err=True)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _text(found: dict[str, Any]) -> str:
    """Return what was found, for people."""
    from outliernets.pipeline.search import pareto_table

    best, made, reference = found["winner"], found["trials"], found["reference"]
    return "\n".join(
        [
            f"search {found['task']} on {found['board']}, {found['data']} sound",
            f"judged by   {found['judged_by']}",
            f"floor       AUC {found['floor']:.3f}; {reference['name']} has {reference['auc']:.3f}",
            f"candidates  {made['trained']} trained, {made['stopped']} stopped early, "
            f"{made['refused']} beyond the limits",
            f"winner      {best['name']}: NetScore {best['score']:.1f} dB, AUC {best['auc']:.3f}, "
            f"{best['params']:,} parameters",
            "",
            pareto_table(found["pareto"]),
        ]
    )
