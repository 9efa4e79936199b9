"""Commands that tell what there is: boards, ops, doctor."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from outliernets.cli._options import json_option, print_json


@click.command(short_help="The boards there are.")
@json_option
def boards(as_json: bool) -> None:
    """List the boards firmware can be built for.

    \b
    Examples:
      ongen boards
      ongen boards --json
    """
    from outliernets import boards as known

    loaded = [known.load(name) for name in known.names()]
    if as_json:
        print_json(
            [
                {
                    "name": b.name,
                    "title": b.title,
                    "cpu": b.cpu,
                    "clock_hz": b.clock_hz,
                    "memory": {m.name: m.size for m in b.memory},
                    "targets": sorted(b.targets),
                }
                for b in loaded
            ]
        )
        return
    for board in loaded:
        memory = ", ".join(f"{m.name} {m.size // 1024} KiB" for m in board.memory)
        click.echo(f"{board.name:<12} {board.title}")
        click.echo(f"{'':<12} memory: {memory or 'given by the operating system'}")
        click.echo(f"{'':<12} targets: {', '.join(sorted(board.targets))}")


@click.command(short_help="The ops that compile, and their limits.")
@click.option("--markdown", is_flag=True, help="As docs/ops.md has it.")
@json_option
def ops(markdown: bool, as_json: bool) -> None:
    """List the TensorFlow Lite ops that compile, with the rules each must keep.

    \b
    Examples:
      ongen ops
      ongen ops --markdown > docs/ops.md
    """
    from outliernets.ops import registry

    rows: list[dict[str, Any]] = [
        {
            "op": kind,
            "tflite": list(op.tflite),
            "title": (op.__doc__ or "").splitlines()[0],
            "limits": [rule for _, rule in op.limits()],
        }
        for kind, op in registry().items()
    ]
    if as_json:
        print_json(rows)
    elif markdown:
        click.echo(_markdown(rows))
    else:
        for row in rows:
            click.echo(f"{', '.join(row['tflite'])}: {row['title']}")
            for rule in row["limits"]:
                click.echo(f"    {rule}")


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    parts = ["# Ops that compile", "", "Made by `ongen ops --markdown` from the checks themselves."]
    for row in rows:
        parts += ["", f"## {', '.join(row['tflite'])}", "", str(row["title"]), ""]
        parts += [f"* {rule}" for rule in row["limits"]]
    return "\n".join(parts)


@click.command(short_help="What is installed, and what is missing.")
@json_option
def doctor(as_json: bool) -> None:
    """Check Python packages, compilers and emulators; say what a missing one costs.

    \b
    Examples:
      ongen doctor
      ongen doctor --json
    """
    from outliernets.cli._tools import examine

    found = examine()
    if as_json:
        print_json([vars(tool) for tool in found])
        return
    for tool in found:
        state = tool.version or "missing"
        line = f"{tool.name:<24} {state}"
        click.secho(line if tool.version else f"{line}: {tool.purpose}; get it: {tool.how}")
