"""``ongen table``: mistakes are one line, before any work."""

import pytest
from click.testing import CliRunner

from outliernets.cli import cli
from outliernets.errors import ConfigError


def test_which_table_must_be_said():
    result = CliRunner().invoke(cli, ["table"])
    assert result.exit_code == 2
    assert "say which table: --footprint" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--board", "stm32f74", "did you mean 'stm32f746'"),
        ("--toolchain", "clang", "known: gcc, zig"),
        ("--target", "qmeu", "did you mean 'qemu'"),
        ("--network", "fan-687", "did you mean 'fan-686'"),
    ],
)
def test_unknown_names(option, value, says):
    result = CliRunner().invoke(cli, ["table", "--footprint", "-q", option, value])
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
