"""``ongen detect``: what is refused before anything runs."""

import json

import pytest

REPORT = {
    "folder": "build/detect",
    "task": "fan/06/6dB",
    "board": "stm32f746",
    "audio": "line",
    "target": {"name": "unicorn", "version": "2.1"},
    "threshold": {
        "threshold": 1234,
        "false_alarms_per_hour": 0.5,
        "method": "gamma",
        "scores": 100,
        "above": 0,
        "supported_per_hour": 103.7,
    },
    "stream": {"seconds": 60.0, "fault_at": 30.0},
    "windows": 58,
    "alarms": {"at": [31.78], "false": 2, "delay": 1.78},
    "lost": 7,
    "parity": {"lines_exact": True},
    "footprint": {"flash": 36806, "ram": 34728, "stack": 1920},
    "instructions": {"second": 4762051},
    "failures": ["lost: 7 samples, 0 frames, 0 bytes"],
    "verdict": "FAIL",
}


def test_help_has_examples(ongen):
    code, out, _ = ongen("detect", "--help")
    assert code == 0
    assert "Examples:" in out
    assert "--false-alarms-per-hour" in out


def test_a_folder_that_is_no_build_is_one_line(ongen, tmp_path):
    code, _, err = ongen("detect", tmp_path, "--quiet")
    assert code == 2
    assert "not a build" in err
    assert len(err.strip().splitlines()) == 1


def test_fault_at_is_about_a_stream(ongen, tmp_path):
    code, _, err = ongen("detect", tmp_path, "--fault-at", "3")
    assert code == 2
    assert "give that, too" in err


@pytest.fixture
def canned(monkeypatch):
    report = json.loads(json.dumps(REPORT))
    monkeypatch.setattr("outliernets.pipeline.detect", lambda *_: report)
    return report


def test_a_failed_run_says_why_and_ends_with_5(ongen, tmp_path, canned):
    code, out, err = ongen("detect", tmp_path, "--quiet")
    assert code == 5
    assert "verdict FAIL: lost: 7 samples" in err
    assert "1.78 s after the fault" in out
    assert "1,234, set for 0.5 false alarms per hour (gamma)" in out
    assert "100 windows, 0 above: fewer than 104 per hour, with 95 % confidence" in out
    assert "FAIL: lost: 7 samples" in out


def test_a_stream_without_a_known_fault_lists_its_alarms(ongen, tmp_path, canned):
    canned["stream"]["fault_at"] = None
    canned["alarms"] = {"at": [3.1, 9.0], "false": None, "delay": None}
    canned |= {"failures": [], "verdict": "PASS"}
    code, out, _ = ongen("detect", tmp_path, "--quiet")
    assert code == 0
    assert "3.1 s, 9.0 s" in out


def test_json_is_the_report(ongen, tmp_path, canned):
    canned |= {"failures": [], "verdict": "PASS"}
    code, out, _ = ongen("detect", tmp_path, "--quiet", "--json")
    assert code == 0
    assert json.loads(out) == canned
