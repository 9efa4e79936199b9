"""`ongen data check` finds what is wrong with single clips, and with the task as a whole."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from outliernets.config import Task
from outliernets.data import check
from outliernets.errors import DataError
from tests.data.conftest import RATE, tone

Put = Callable[..., Path]
FAN = Task.parse("fan/06/6dB")


def test_clean_clips_give_no_findings_and_report_progress(put: Put, tmp_path: Path) -> None:
    put("6dB/fan/id_06/normal", 12)
    steps: list[tuple[int, int]] = []
    assert check(FAN, tmp_path, RATE, lambda *step: steps.append(step)) == []
    assert steps == [(done, 12) for done in range(1, 13)]


def test_each_fault_is_found_in_its_file(put: Put, tmp_path: Path) -> None:
    folder = put("6dB/fan/id_06/normal", 12)
    (folder / "e1.wav").write_bytes((folder / "00000000.wav").read_bytes()[:9000])
    soundfile.write(folder / "e2.wav", np.zeros(20_000, np.int16), RATE)
    soundfile.write(folder / "e3.wav", tone(samples=900), RATE)
    soundfile.write(folder / "w1.wav", tone(samples=4 * 17_000), 4 * RATE)
    soundfile.write(folder / "w2.wav", tone(samples=20_000), RATE)
    soundfile.write(folder / "w3.wav", np.clip(tone() * 11.5, -32768, 32767).astype("i2"), RATE)
    found = [
        (f.path.stem, f.severity, f.text.split(":")[0][:20]) for f in check(FAN, tmp_path, RATE)
    ]
    assert found == [
        ("e1", "error", "is truncated"),
        ("e2", "error", "is silent"),
        ("e3", "error", "is too short"),
        ("w1", "warning", "resampled from 64000"),
        ("w3", "warning", "clipped"),
        ("w2", "warning", "is 1.25 s, most are "),
    ]


def test_too_few_clips_are_a_finding_too(put: Put, tmp_path: Path) -> None:
    put("6dB/fan/id_06/normal", 3)
    (finding,) = check(FAN, tmp_path, RATE)
    assert finding.path == tmp_path / "6dB/fan/id_06"
    assert (finding.severity, "3 normal" in finding.text) == ("error", True)


def test_unknown_task_is_an_error(put: Put, tmp_path: Path) -> None:
    put("6dB/fan/id_06/normal", 3)
    with pytest.raises(DataError, match="known: fan/06/6dB"):
        check(Task.parse("valve/06/6dB"), tmp_path, RATE)
