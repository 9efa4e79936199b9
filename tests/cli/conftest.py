"""Runs commands in process."""

import sys

import pytest

from outliernets.cli import main


def run(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    """Run ``ongen`` in process; return (exit code, stdout, stderr)."""
    monkeypatch.setattr(sys, "argv", ["ongen", *map(str, arguments)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def ongen(monkeypatch, capsys):
    return lambda *arguments: run(monkeypatch, capsys, *arguments)
