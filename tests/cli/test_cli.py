"""Commands: help with examples, JSON, light start, and one-line errors with their exit codes."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from outliernets.cli import cli
from outliernets.ops import registry
from tests.tflite_builder import TfliteBuilder


def commands(group=cli, prefix=()):
    for name, command in group.commands.items():
        yield (*prefix, name)
        if hasattr(command, "commands"):
            yield from commands(command, (*prefix, name))


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_has_help_with_examples(ongen, path):
    code, out, _ = ongen(*path, "--help")
    assert code == 0
    assert "Examples:" in out
    assert f"ongen {' '.join(path)}" in out or len(path) == 1


def test_the_light_commands_import_nothing_heavy():
    heavy = "{'tensorflow', 'librosa', 'numba', 'unicorn', 'tflite_micro', 'jinja2'}"
    code = (
        "import sys; sys.argv = ['ongen', 'boards']\n"
        "from outliernets.cli import main\n"
        "main()\n"
        f"assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "stm32f746" in done.stdout


def test_boards_json(ongen):
    _, out, _ = ongen("boards", "--json")
    found = {board["name"]: board for board in json.loads(out)}
    assert found["stm32f746"]["memory"]["flash"] == 2**20
    assert "qemu" in found["cortex-a72"]["targets"]


def test_ops_lists_every_op_with_its_limits(ongen):
    _, out, _ = ongen("ops", "--json")
    rows = {row["op"]: row for row in json.loads(out)}
    assert list(rows) == list(registry())
    assert "The dilation is 1." in rows["conv2d"]["limits"]
    assert all(row["title"] for row in rows.values())


def test_the_ops_page_is_up_to_date(ongen, pytestconfig):
    _, out, _ = ongen("ops", "--markdown")
    page = pytestconfig.rootpath / "docs" / "ops.md"
    assert page.read_text() == out, "run: ongen ops --markdown > docs/ops.md"


def test_doctor_names_what_is_missing_and_how_to_get_it(ongen, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    code, out, _ = ongen("doctor")
    assert code == 0
    assert "qemu-system-arm" in out
    assert "apt install qemu-system-arm" in out


def test_a_build_that_is_cut_short_says_what_there_is_and_claims_no_report(ongen, tmp_path):
    own_machine(tmp_path / "pump")
    common = ("--data", tmp_path / "pump", "--board", "stm32f746", "--out", tmp_path / "build")
    code, out, err = ongen("build", *common, "--to", "data")
    assert code == 0, err
    assert "data" in out
    assert "report.json" not in err
    assert not list(tmp_path.rglob("report.json"))


def test_data_simulate_list_and_check(ongen, tmp_path):
    arguments = ("--normal", 12, "--abnormal", 2, "--out", tmp_path, "-q", "--json")
    code, out, _ = ongen("data", "simulate", "--task", "fan/06/6dB", *arguments)
    assert code == 0
    assert json.loads(out)[0]["task"] == "fan/06/6dB"
    _, out, _ = ongen("data", "list", "--data", tmp_path, "--json")
    (row,) = json.loads(out)
    assert (row["task"], row["normal"], row["abnormal"]) == ("fan/06/6dB", 12, 2)
    code, out, err = ongen("data", "check", "--task", "fan/06/6dB", "--data", tmp_path, "-q")
    assert (code, out) == (0, "")
    assert "0 errors" in err


def own_machine(folder, clips=14, seconds=1.5):
    rng = np.random.default_rng(2)
    (folder / "normal").mkdir(parents=True)
    for i in range(clips):
        sound = rng.normal(0, 0.1, int(16_000 * seconds))
        soundfile.write(folder / "normal" / f"{i:03d}.wav", sound, 16_000)
    return folder


def one_line_error(result, code, *parts):
    got, out, err = result
    assert got == code, (got, out, err)
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, err
    for part in parts:
        assert str(part) in lines[0]
    assert "Traceback" not in err


def test_unknown_board(ongen, tmp_path):
    result = ongen("build", "--task", "fan/06/6dB", "--board", "stm32f74", "--out", tmp_path, "-q")
    one_line_error(result, 2, "stm32f74", "did you mean 'stm32f746'", "cortex-a72")
    assert not (tmp_path / "simulated").exists()  # nothing was made before the mistake was found


def test_board_file_with_an_unknown_key(ongen, tmp_path, pytestconfig):
    text = (pytestconfig.rootpath / "boards" / "cortex-a72.toml").read_text()
    board = tmp_path / "mine.toml"
    board.write_text(text.replace("clock_hz", "clok_hz"))
    result = ongen("build", "--task", "fan/06/6dB", "--board", board, "--out", tmp_path, "-q")
    one_line_error(result, 2, "mine.toml", "clok_hz", "clock_hz")


@pytest.mark.parametrize(
    ("task", "says"),
    [
        ("fan", "MACHINE/ID/SNR"),
        ("fan/09/6dB", "06"),
        ("fna/06/6dB", "did you mean 'fan'"),
        ("fan/06/loud", "loud"),
    ],
)
def test_unknown_task(ongen, tmp_path, task, says):
    result = ongen("train", "--task", task, "--out", tmp_path, "-q")
    one_line_error(result, 2, task.split("/")[0], says)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--arch", "fan-687", "did you mean 'fan-686'"),
        ("--toolchain", "clang", "known: gcc, zig"),
        ("--target", "qmeu", "did you mean 'qemu'"),
        ("--from", "quantise", "did you mean 'quantize'"),
    ],
)
def test_unknown_choices_are_found_before_any_work(ongen, tmp_path, option, value, says):
    build = ("build", "--task", "fan/06/6dB", "--board", "stm32f746", "--out", tmp_path, "-q")
    one_line_error(ongen(*build, option, value), 2, value, says)
    assert not (tmp_path / "simulated").exists()


def test_no_task_and_no_folder(ongen):
    code, _, err = ongen("build", "--board", "stm32f746")
    assert code == 2
    assert "--task fan/06/6dB" in err


def test_missing_folder(ongen, tmp_path):
    result = ongen("train", "--task", "fan/06/6dB", "--data", tmp_path / "none", "-q")
    one_line_error(result, 2, tmp_path / "none")


def test_empty_normal(ongen, tmp_path):
    (tmp_path / "normal").mkdir()
    result = ongen("train", "--data", tmp_path, "--out", tmp_path / "b", "-q")
    one_line_error(result, 2, "normal")


@pytest.mark.parametrize("damage", ["truncated", "nan", "silent", "short", "text"])
def test_unusable_clip_is_named_before_training(ongen, tmp_path, damage):
    machine = own_machine(tmp_path / "pump")
    victim = machine / "normal" / "007.wav"
    rate, n = 16_000, 24_000
    if damage == "truncated":
        victim.write_bytes(victim.read_bytes()[:3000])
    elif damage == "nan":
        soundfile.write(victim, np.full(n, np.nan), rate, subtype="FLOAT")
    elif damage == "silent":
        soundfile.write(victim, np.zeros(n), rate)
    elif damage == "short":
        soundfile.write(victim, np.random.default_rng(0).normal(0, 0.1, 2000), rate)
    else:
        victim.write_text("not sound")
    one_line_error(ongen("train", "--data", machine, "--out", tmp_path / "b", "-q"), 2, "007.wav")


def test_compile_refuses_by_name(ongen, tmp_path):
    b = TfliteBuilder()
    x, y = b.activation([1, 8]), b.activation([1, 8])
    b.op("SOFTMAX", [x], y, "SoftmaxOptions")
    model = tmp_path / "m.tflite"
    model.write_bytes(b.build(x, y))
    result = ongen("compile", model, "--board", "stm32f746", "--out", tmp_path / "lib", "-q")
    one_line_error(result, 3, "SOFTMAX is not supported", "CONV_2D")


def test_compile_refuses_what_is_no_model(ongen, tmp_path):
    model = tmp_path / "m.tflite"
    model.write_bytes(b"hello")
    result = ongen("compile", model, "--board", "stm32f746", "--out", tmp_path / "lib", "-q")
    one_line_error(result, 2, "m.tflite", "not a .tflite")


def test_missing_tool(ongen, tmp_path, monkeypatch):
    b = TfliteBuilder()
    x, y = b.activation([1, 8], 0.05, 3), b.activation([1, 8], 0.1, 3)
    b.op("QUANTIZE", [x], y, "QuantizeOptions")
    model = tmp_path / "m.tflite"
    model.write_bytes(b.build(x, y))
    monkeypatch.setenv("PATH", "/nowhere")
    arguments = ("--board", "stm32f746", "--out", tmp_path / "lib", "--toolchain", "gcc", "-q")
    one_line_error(ongen("compile", model, *arguments), 6, "arm-none-eabi-gcc", "apt")


def test_run_needs_a_build(ongen, tmp_path):
    one_line_error(ongen("run", tmp_path, "-q"), 2, "not a build", "report.json")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--budget", "flash=64Q"), "flash=64Q is not a number such as 64K"),
        (("--budget", "nowhere.toml"), "cannot read budgets nowhere.toml"),
        (("--compare", "nowhere.json"), "cannot read the report nowhere.json"),
        (("--tolerance", "1"), "--tolerance is for --compare"),
    ],
)
@pytest.mark.parametrize("command", ["compile", "build", "run"])
def test_bad_checks_are_found_before_any_work(ongen, tmp_path, command, options, says):
    arguments = {
        "compile": ("none.tflite", "--board", "stm32f746", "--out", tmp_path),
        "build": ("--task", "fan/06/6dB", "--board", "stm32f746", "--out", tmp_path),
        "run": (tmp_path,),
    }[command]
    code, out, err = ongen(command, *arguments, *options)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


@pytest.mark.emulator
def test_a_broken_budget_and_a_regression_are_exit_code_5(ongen, tmp_path):
    pytest.importorskip("unicorn")
    b = TfliteBuilder()
    x, y = b.activation([1, 64]), b.activation([1, 32], 0.1, -5)
    w = b.weights([32, 64], 32, per_channel=False)
    b.op("FULLY_CONNECTED", [x, w, b.bias(x, w, 32)], y, "FullyConnectedOptions")
    (tmp_path / "dense.tflite").write_bytes(b.build(x, y))
    base = ("compile", tmp_path / "dense.tflite", "--board", "stm32f746", "--out", tmp_path / "lib")
    code, _, _ = ongen(*base, "--budget", "flash=64K,instructions=100k", "-q")
    assert code == 0
    code, out, err = ongen(*base, "--budget", "instructions=1k", "-q")
    assert code == 5
    assert "OVER" in out
    assert "is over its budget of 1,000; most is in dense_" in err
    report = json.loads((tmp_path / "lib" / "library.json").read_text())
    report["instructions"]["network"] -= 10
    for function in report["functions"].values():
        function["instructions"] = max(0, function["instructions"] - 10)
    (tmp_path / "old.json").write_text(json.dumps(report))
    code, out, err = ongen(*base, "--compare", tmp_path / "old.json", "--json", "-q")
    assert code == 5
    assert "network grew from" in err
    assert "dense_" in err
    grown = [row for row in json.loads(out)["comparison"]["figures"] if row["grew"]]
    assert [row["name"] for row in grown] == ["network"]
    assert ongen(*base, "--compare", tmp_path / "old.json", "--tolerance", "5", "-q")[0] == 0
