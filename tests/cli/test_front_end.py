"""The front end by itself: pictures, and the library that is exported."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import soundfile

from outliernets.config import mel_config
from outliernets.features.mel_fixed import quantized_frames
from outliernets.pipeline.front_end import plan_for_range
from tests.features.signals import at_level

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "sweep.wav"
    soundfile.write(path, at_level("sweep", -20), 16_000, "PCM_16")
    return path


@pytest.mark.parametrize(("suffix", "start"), [(".png", PNG), (".svg", b"<?xml")])
def test_a_picture_is_drawn_the_same_way_twice(ongen, clip, tmp_path, suffix, start):
    pictures = [tmp_path / f"{name}{suffix}" for name in "ab"]
    for picture in pictures:
        code, out, _ = ongen("mel", clip, "--out", picture, "--json", "--quiet")
        assert code == 0
    report = json.loads(out)
    assert report["verdict"] == "PASS"
    assert report["error_db"]["p99"] < 0.05
    assert 0 < report["counted_share"] <= 1
    first, second = (picture.read_bytes() for picture in pictures)
    assert first == second
    assert first.startswith(start)


@pytest.mark.parametrize("board", ["host", pytest.param("stm32f746", marks=pytest.mark.emulator)])
def test_the_target_gives_every_bit(ongen, clip, tmp_path, board):
    code, out, _ = ongen("mel", clip, "--out", tmp_path / "a.png", "--board", board, "--json", "-q")
    assert code == 0
    report = json.loads(out)
    assert report["parity"]["rows_exact"] is True
    assert report["board"] == board


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "x.txt"], "x.txt: not a picture; end it in .png or .svg"),
        (["--mel", "n_ftt=512"], "no setting 'n_ftt' (did you mean 'n_fft'?"),
        (["--mel", "hop=much"], "hop = 'much' is not a whole number"),
        (["--mel", "n_fft=1000"], "n_fft = 1000 is not possible"),
    ],
)
def test_bad_input_is_one_line(ongen, clip, arguments, said):
    code, _, err = ongen("mel", clip, *arguments)
    assert code == 2
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_clip_shorter_than_a_frame(ongen, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, at_level("noise", -20)[:1000], 16_000, "PCM_16")
    code, _, err = ongen("mel", path, "--quiet")
    assert code == 2
    assert "too short" in err


@pytest.mark.parametrize(
    "settings",
    [
        ["n_mels=40", "fmin=50", "fmax=7000", "hop=160"],
        ["n_mels=40", "n_fft=512", "hop=512", "power=1", "mel_scale=htk"],
    ],
    ids=" ".join,
)
def test_the_exported_library_works_without_us(ongen, tmp_path, settings):
    """With any C compiler, from the lines of its example: the rows of the integer twin."""
    arguments = [word for setting in settings for word in ("--mel", setting)]
    library = tmp_path / "lib"
    code, out, _ = ongen(
        "export", "mel", "--board", "host", "--out", library, "--name", "ears",
        "--range", "-90", "-10", *arguments, "--json", "--quiet",
    )  # fmt: skip
    assert code == 0
    report = json.loads(out)
    assert report["parity"]["rows_exact"] is True
    assert {"ears_mel.c", "ears_mel.h", "ears_example.c"} <= set(report["files"])
    assert sorted(p.name for p in library.iterdir()) == sorted([*report["files"], "library.json"])
    example = (library / "ears_example.c").read_text()
    build = next(line for line in example.splitlines() if line.startswith(" *     cc "))
    compiler = shutil.which("cc") or pytest.skip("no C compiler called cc")
    command = build.removeprefix(" *     cc ").replace("*.c", " ".join(
        sorted(p.name for p in library.glob("*.c"))
    ))  # fmt: skip
    subprocess.run([compiler, *command.split()], cwd=library, check=True)
    pcm = at_level("noise", -20)[:20_000]
    rows = subprocess.run(
        [library / "ears_example"], input=pcm.tobytes(), capture_output=True, check=True
    ).stdout
    expected = quantized_frames(pcm, plan_for_range(mel_config(settings), -90, -10))
    np.testing.assert_array_equal(np.frombuffer(rows, np.int8).reshape(-1, 40), expected)


@pytest.mark.emulator
def test_the_exported_library_on_a_board(ongen, tmp_path):
    code, out, _ = ongen("export", "mel", "--board", "stm32f746", "--out", tmp_path, "--json", "-q")
    assert code == 0
    report = json.loads(out)
    assert report["parity"]["rows_exact"] is True
    assert report["instructions"]["mel_frame"] > 10_000
    assert report["footprint"]["front_end_flash"] <= 14 * 1024
    assert report["footprint"]["front_end_ram"] <= 8 * 1024


def test_an_empty_range(ongen, tmp_path):
    code, _, err = ongen("export", "mel", "--board", "host", "--out", tmp_path, "--range", "0", "0")
    assert code == 2
    assert "range 0 ... 0 dB is empty" in err
