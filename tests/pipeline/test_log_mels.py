"""Spectrograms are computed once, in order, and however many clips there are, in little memory."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from outliernets import data
from outliernets.config import MelConfig, Task
from outliernets.data import Clip, ClipError
from outliernets.pipeline import BuildConfig, log_mels
from outliernets.pipeline.build import stages_of
from outliernets.pipeline.log_mels import LogMels
from outliernets.pipeline.stage import run_stages
from tests.pipeline.recorder import Recorder

TASK = Task.parse("fan/02/0dB")
RATE = 16_000


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    rng = np.random.default_rng(0)
    found = []
    for number in range(6):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, rng.integers(-999, 999, 18_000).astype(np.int16), RATE)
        found.append(Clip(path, "normal", f"normal/{number}"))
    return found


@pytest.fixture
def kept(tmp_path: Path) -> LogMels:
    return LogMels(tmp_path / "log_mel", MelConfig())


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many samples each spectrogram was computed from."""
    lengths: list[int] = []
    honest = log_mels.log_mel

    def counting(pcm: np.ndarray, config: MelConfig) -> np.ndarray:
        lengths.append(len(pcm))
        return honest(pcm, config)

    monkeypatch.setattr(log_mels, "log_mel", counting)
    return lengths


def test_each_clip_has_its_own(clips: list[Clip], kept: LogMels) -> None:
    kept.make(clips, Recorder())
    for clip in clips:
        pcm = data.read_pcm(clip.path, RATE).samples
        np.testing.assert_array_equal(kept.load(clip), log_mels.log_mel(pcm, kept.mel))
    assert isinstance(kept.load(clips[0]), np.memmap)


def test_only_what_is_new_or_changed_is_computed(
    clips: list[Clip], kept: LogMels, computed: list[int]
) -> None:
    kept.make(clips[:4], Recorder())
    kept.make(clips, Recorder())
    assert len(computed) == 6
    soundfile.write(clips[2].path, np.arange(17_500, dtype=np.int16), RATE)
    kept.make(clips, Recorder())
    assert len(computed) == 7
    assert computed[-1] == 17_500


def test_the_front_end_tells_spectrograms_apart(
    clips: list[Clip], kept: LogMels, computed: list[int]
) -> None:
    kept.make(clips[:1], Recorder())
    for changed in ({"clip_sigma": 3.0}, {"frames": 16}):
        LogMels(kept.folder, MelConfig(**changed)).make(clips[:1], Recorder())
    assert len(computed) == 1  # these only matter afterwards
    LogMels(kept.folder, MelConfig(power=1)).make(clips[:1], Recorder())
    assert len(computed) == 2


def test_the_first_bad_clip_is_named(clips: list[Clip], kept: LogMels) -> None:
    clips[3].path.write_bytes(b"")
    clips[5].path.unlink()
    with pytest.raises(ClipError, match=r"3\.wav: is empty"):
        kept.make(clips, Recorder())
    with pytest.raises(ClipError, match=r"5\.wav: cannot be read: No such file"):
        kept.make(clips[4:], Recorder())
    assert not list(kept.folder.glob(".*"))  # nothing half made


def test_what_was_done_to_a_clip_is_told_in_order(tmp_path: Path, kept: LogMels) -> None:
    found = []
    for number in range(8):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.arange(60_000 + number, dtype=np.int16), 44_100)
        found.append(Clip(path, "normal", f"normal/{number}"))
    told = Recorder()
    kept.make(found, told)
    expected = [f"normal/{n}: resampled from 44100 to 16000 Hz" for n in range(8)]
    assert told.notices == expected


def test_another_seed_computes_nothing(tmp_path: Path, computed: list[int]) -> None:
    data.simulate(TASK, tmp_path / "sounds", normal=20, abnormal=4, seconds=2.3)
    config = BuildConfig(TASK, data=tmp_path / "sounds", out=tmp_path / "build")
    run_stages(stages_of(config, Recorder()), Recorder(), last="features")
    assert len(computed) == 24
    first = np.load(config.task_folder / "02_features" / "held_out.npy")
    other = replace(config, seed=1)
    run_stages(stages_of(other, Recorder()), Recorder(), last="features")
    assert len(computed) == 24
    assert (first != np.load(config.task_folder / "02_features" / "held_out.npy")).any()


_FEATURES_OF_MANY = """
import json, sys
from pathlib import Path
from outliernets.config import Task
from outliernets.pipeline import BuildConfig, Silence, learning
from outliernets.pipeline.stage import Work

root, task = Path(sys.argv[1]), Task.parse("fan/02/0dB")
config = BuildConfig(task, data=root, out=root / "build")
data, features = root / "data", root / "features"
features.mkdir()
learning.features_stage(config, Work(features, {"data": data}, Silence()))
# Not getrusage: that begins with what the process had that started this one.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").open())
print(int(status["VmHWM"].split()[0]) * 1024)
"""


def _peak_memory(root: Path, count: int) -> int:
    """Return the bytes a process needs at most to make the windows of ``count`` 10-s clips."""
    (root / "data").mkdir(parents=True)
    original = root / "original.wav"
    noise = np.random.default_rng(1).integers(-999, 999, 10 * RATE).astype(np.int16)
    soundfile.write(original, noise, RATE)
    paths = [root / f"{number}.wav" for number in range(count)]
    for path in paths:
        os.link(original, path)
    entries = [[str(path), "normal", f"normal/{path.stem}"] for path in paths]
    listing = {"train": entries[: count // 2], "test": entries[count // 2 :]}
    (root / "data" / "clips.json").write_text(json.dumps(listing))
    command = [sys.executable, "-c", _FEATURES_OF_MANY, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    windows = np.load(root / "features" / "test.npy", mmap_mode="r")
    assert windows.shape == (9 * (count - count // 2), 32, 128)
    return int(done.stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_clips(tmp_path: Path) -> None:
    """A clip's windows are 147 kB, its sound 320 kB; 20,000 clips must do with 4 GiB."""
    few, many = _peak_memory(tmp_path / "few", 50), _peak_memory(tmp_path / "many", 450)
    per_clip = (many - few) / 400
    assert few + 20_000 * per_clip < 2**30, f"{few} bytes and {per_clip:.0f} more with each clip"
