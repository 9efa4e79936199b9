"""The simulator: the same clips every time, the SNR that was asked for, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from outliernets.config import Task
from outliernets.data import find, list_tasks, read_pcm, simulate, simulate_clip
from outliernets.data.machines import MACHINES
from outliernets.data.machines.factory import factory_noise
from outliernets.data.simulate import MARKER, simulate_parts
from outliernets.errors import ConfigError, DataError

FAN = Task.parse("fan/06/6dB")
SHORT = 1.2


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def make(out: Path, task: Task = FAN, normal: int = 3, abnormal: int = 2) -> Path:
    return simulate(task, out, normal, abnormal, SHORT)


def test_files_are_mimii_wavs_that_read_back(tmp_path: Path) -> None:
    folder = make(tmp_path)
    assert folder == tmp_path / "6dB/fan/id_06"
    path = folder / "normal/00000002.wav"
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    expected = simulate_clip(FAN, "normal", 2, SHORT)
    np.testing.assert_array_equal(read_pcm(path, 16_000).samples, expected)


def test_data_set_is_labelled_simulated(tmp_path: Path) -> None:
    folder = make(tmp_path, Task.parse("pump/02/-6dB"), 13, 2)
    (info,) = list_tasks(tmp_path)
    assert (str(info.task), info.kind, info.normal, info.abnormal) == (
        "pump/02/-6dB",
        "simulated",
        13,
        2,
    )
    assert find(info.task, folder).kind == "simulated"


def test_same_bytes_twice_and_a_subset_is_equal(tmp_path: Path) -> None:
    first, second = contents(make(tmp_path / "a")), contents(make(tmp_path / "b"))
    assert first == second
    part = contents(make(tmp_path / "c", normal=1, abnormal=1))
    assert set(part) < set(first)
    assert all(first[name] == content for name, content in part.items())


def test_seed_label_index_and_unit_make_different_clips() -> None:
    clips = [
        simulate_clip(Task.parse(task), label, index, SHORT, seed)
        for task, label, index, seed in [
            ("fan/06/6dB", "normal", 0, 1),
            ("fan/06/6dB", "normal", 1, 1),
            ("fan/06/6dB", "abnormal", 0, 1),
            ("fan/06/6dB", "normal", 0, 2),
            ("fan/04/6dB", "normal", 0, 1),
            ("fan/06/5dB", "normal", 0, 1),
        ]
    ]
    assert len({clip.tobytes() for clip in clips}) == len(clips)


@pytest.mark.parametrize("machine", sorted(MACHINES))
@pytest.mark.parametrize("snr", [6, 0, -6, -13])
def test_snr_is_exact_for_the_healthy_machine(machine: str, snr: int) -> None:
    task = Task.parse(f"{machine}/02/{snr}dB")
    for index in range(3):
        sound, noise = simulate_parts(task, "normal", index, 4.0)
        assert abs(20 * np.log10(rms(sound) / rms(noise)) - snr) < 0.2


def test_clip_is_machine_plus_noise() -> None:
    sound, noise = simulate_parts(FAN, "abnormal", 4, SHORT)
    clip = simulate_clip(FAN, "abnormal", 4, SHORT)
    np.testing.assert_allclose(clip / 32768.0, sound + noise, atol=2e-5)


def test_conditions_share_the_machine_and_the_moment() -> None:
    loud, quiet = Task.parse("slider/00/6dB"), Task.parse("slider/00/-6dB")
    machine, noise = simulate_parts(loud, "normal", 0, SHORT)
    same_machine, louder_noise = simulate_parts(quiet, "normal", 0, SHORT)
    np.testing.assert_array_equal(machine, same_machine)
    np.testing.assert_allclose(louder_noise, noise * 10 ** (12 / 20), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_every_unit_sounds_and_every_fault_adds_to_it(machine: str) -> None:
    for unit, model in MACHINES[machine].items():
        for seed in range(4):
            healthy = model.sound(np.random.default_rng(seed), 32_000, 0.0)
            faint = model.sound(np.random.default_rng(seed), 32_000, 0.1)
            broken = model.sound(np.random.default_rng(seed), 32_000, 1.0)
            assert abs(rms(healthy) - 1.0) < 0.01, unit
            assert 0 < rms(faint - healthy) < rms(broken - healthy), unit


def test_noise_differs_within_and_between_clips() -> None:
    def bands(x: np.ndarray) -> np.ndarray:
        power = np.abs(np.fft.rfft(x)) ** 2
        return 10 * np.log10(np.add.reduceat(power[1:], 2 ** np.arange(5, 13)))

    clips = [factory_noise(np.random.default_rng(seed), 32_000) for seed in range(8)]
    assert np.std([bands(clip) for clip in clips], axis=0).mean() > 0.5
    halves = [bands(clip[:16_000]) - bands(clip[16_000:]) for clip in clips]
    assert np.std(halves) > 0.5


def test_whole_clips_are_kept_and_broken_ones_made_again(tmp_path: Path) -> None:
    folder = make(tmp_path)
    before = contents(folder)
    kept, cut = folder / "normal/00000000.wav", folder / "normal/00000001.wav"
    stamp = kept.stat().st_mtime_ns
    cut.write_bytes(cut.read_bytes()[:999])
    assert contents(make(tmp_path)) == before
    assert kept.stat().st_mtime_ns == stamp


def test_fewer_clips_leave_no_surplus(tmp_path: Path) -> None:
    make(tmp_path, normal=4)
    folder = make(tmp_path, normal=2)
    assert len(list((folder / "normal").iterdir())) == 2


def test_another_seed_replaces_all_clips(tmp_path: Path) -> None:
    make(tmp_path)
    folder = simulate(FAN, tmp_path, 2, 0, SHORT, seed=5)
    clip = read_pcm(folder / "normal/00000001.wav", 16_000).samples
    np.testing.assert_array_equal(clip, simulate_clip(FAN, "normal", 1, SHORT, 5))
    assert not list((folder / "abnormal").iterdir())


def test_interrupted_run_leaves_only_whole_clips_and_resumes(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(FAN, tmp_path, 3, 2, SHORT, progress=stop)
    assert len(list((tmp_path / "6dB/fan/id_06/normal").iterdir())) == 2
    assert contents(make(tmp_path)) == contents(make(tmp_path.parent / f"{tmp_path.name}_whole"))


def test_half_written_clip_never_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.write_bytes

    def full_disk(self: Path, content: bytes) -> int:
        if "00000001" in self.name:
            real(self, content[:100])
            raise OSError(28, "No space left on device")
        return real(self, content)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(DataError, match=r"id_06: No space left on device; free some space"):
        make(tmp_path)
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "6dB/fan/id_06/normal").glob("*.wav")] == ["00000000.wav"]
    assert not list(make(tmp_path).rglob("*.part"))


def test_real_recordings_are_never_overwritten(put: Callable[..., Path], tmp_path: Path) -> None:
    folder = put("6dB/fan/id_06/normal", 2)
    before = contents(folder)
    with pytest.raises(DataError, match=r"id_06 holds recordings that were not simulated"):
        make(tmp_path)
    assert contents(folder) == before
    assert not (folder.parent / MARKER).exists()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("fann/00/6dB", "cannot simulate a 'fann': did you mean 'fan'"),
        ("fan/03/6dB", r"cannot simulate fan id '03': .*known: 00, 02, 04, 06"),
        ("fan/00/recorded", "condition 'recorded' of fan/00/recorded: give a signal-to-noise"),
    ],
)
def test_what_cannot_be_simulated(tmp_path: Path, task: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(tmp_path, Task.parse(task))
    assert not list(tmp_path.iterdir())
