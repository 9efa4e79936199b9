"""``ongen table``: mistakes are one line, before any work."""

import pytest
from click.testing import CliRunner

from outliernets.cli import cli
from outliernets.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--footprint", "--csv"], "--csv does not go with --footprint"),
        (["--footprint", "--tasks", "fan/*"], "--tasks does not go with --footprint"),
        (["--board", "stm32f746"], "--board does not go with Table 1 without --footprint"),
        (["--network", "fan-686"], "--network does not go with"),
        (["--footprint", "--latency"], "--latency does not go with --footprint"),
        (["--footprint", "--cpu", "0"], "--cpu does not go with --footprint"),
        (["--latency", "--board", "stm32f746"], "--board does not go with --latency"),
        (["--latency", "--csv"], "--csv does not go with --latency"),
        (["--model", "mine.tflite"], "--model does not go with Table 1 without --latency"),
        (["--latency", "--rounds", "1"], "--rounds"),
        (["--footprint", "--workers", "2"], "--workers does not go with --footprint"),
        (["--latency", "--fine-tune"], "--fine-tune does not go with --latency"),
        (["--csv", "--json"], "choose one of --csv, --json"),
    ],
)
def test_options_of_the_other_table(options, says):
    result = CliRunner().invoke(cli, ["table", *options])
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_unknown_task():
    result = CliRunner().invoke(cli, ["table", "-q", "--tasks", "fan/07/6dB"])
    assert isinstance(result.exception, ConfigError)
    assert "--tasks fan/07/6dB: not in the paper's Table 1" in str(result.exception)


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


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--toolchain", "clang", "known: gcc, zig"),
        ("--network", "fan-687", "did you mean 'fan-686'"),
        ("--cpu", "9999", "--cpu 9999: not one of"),
    ],
)
def test_unknown_names_for_latency(option, value, says):
    result = CliRunner().invoke(cli, ["table", "--latency", "-q", option, value])
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
