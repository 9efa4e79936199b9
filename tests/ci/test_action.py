"""The GitHub action and the project's own workflow, as far as they run without GitHub."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "action"


@pytest.fixture
def ongen_on_path(tmp_path: Path) -> dict[str, str]:
    """An environment whose ``ongen`` is this checkout's."""
    program = tmp_path / "bin" / "ongen"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}:$PYTHONPATH" exec "{sys.executable}" -c '
        "'from outliernets.cli import main; main()' \"$@\"\n"
    )
    program.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "OUT": str(tmp_path / "out"),
    }


def run(environment: dict[str, str], **settings: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [SCRIPT], env=environment | settings, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, Path(environment["GITHUB_STEP_SUMMARY"]).read_text()


@pytest.mark.emulator
@pytest.mark.slow
@pytest.mark.parametrize(("budget", "status"), [("flash=1M", 0), ("instructions=10", 5)])
def test_a_model_is_compiled_and_held_to_its_budget(
    budget: str, status: int, ongen_on_path: dict[str, str], shared: Path
) -> None:
    model = str(shared / "models" / "ae_fan_small.tflite")
    found, table, summary = run(
        ongen_on_path, MODEL=model, BOARD="stm32f446", TOOLCHAIN="zig", BUDGET=budget
    )
    assert found == status
    assert "bit-exact" in table
    assert table.strip() in summary
    assert ("error: verdict FAIL: instructions" in summary) == (status == 5)


def test_settings_are_never_shell(ongen_on_path: dict[str, str], tmp_path: Path) -> None:
    evil = f"fan$(touch {tmp_path}/evil)`touch {tmp_path}/evil`; touch {tmp_path}/evil"
    status, _, summary = run(ongen_on_path, TASK=evil, BOARD="stm32f746")
    assert status == 2
    assert "error: " in summary
    assert not (tmp_path / "evil").exists()


def test_a_setting_that_is_missing_is_an_error(ongen_on_path: dict[str, str]) -> None:
    status, table, _ = run(ongen_on_path, MODEL="no.tflite")
    assert status == 2
    assert table.strip() == ""


def workflow(path: str) -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load((ROOT / path).read_text())


def test_the_action_hands_every_input_to_the_script() -> None:
    action = workflow("action.yml")
    handed = action["runs"]["steps"][-1]["env"]
    assert {name.upper(): f"${{{{ inputs.{name} }}}}" for name in action["inputs"]} == handed
    read = set(re.findall(r"\$\{([A-Z]+):-", SCRIPT.read_text()))
    assert read == set(handed)


def test_the_workflows_name_files_that_exist() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    named = re.findall(r"(?:^|[ /])((?:\.ci|tests)/[\w/.-]+)", text, re.MULTILINE)
    assert {".ci/run", ".ci/install-renode", "tests/target/test_renode.py"} <= set(named)
    for name in set(named) - {"tests/requirements.txt"}:  # that one is Renode's
        assert (ROOT / name).exists(), name
    for step in workflow(".github/workflows/ci.yml")["jobs"]["renode"]["steps"]:
        assert {"run", "uses"} & set(step)
