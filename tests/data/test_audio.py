"""Reading clips: bit-exact where possible, with a notice where not, refused where useless."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from outliernets.config import Task
from outliernets.data import ClipError, find, read_pcm
from tests.data.conftest import RATE, tone


def write(path: Path, samples: np.ndarray, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "w64", "caf", "rf64", "au"])
def test_16_bit_comes_through_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(), subtype="PCM_16")
    pcm = read_pcm(path, RATE)
    assert pcm.samples.dtype == np.int16
    np.testing.assert_array_equal(pcm.samples, tone())
    assert pcm.notices == ()


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy_formats_are_read(tmp_path: Path, suffix: str) -> None:
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    pcm = read_pcm(write(tmp_path / f"a.{suffix}", wave), RATE)
    assert abs(np.std(pcm.samples / 32768.0) - np.std(wave)) < 0.02


def test_first_of_eight_channels(tmp_path: Path) -> None:
    channels = np.stack([tone(seed) for seed in range(8)], axis=1)
    pcm = read_pcm(write(tmp_path / "a.wav", channels, subtype="PCM_16"), RATE)
    np.testing.assert_array_equal(pcm.samples, tone(0))


@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE", "PCM_24", "PCM_32"])
def test_wider_samples_are_scaled(tmp_path: Path, subtype: str) -> None:
    path = write(tmp_path / "a.wav", tone() / 32768.0, subtype=subtype)
    np.testing.assert_array_equal(read_pcm(path, RATE).samples, tone())


def test_float_beyond_full_scale_saturates_with_a_notice(tmp_path: Path) -> None:
    wave = 1.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    pcm = read_pcm(write(tmp_path / "a.wav", wave, subtype="FLOAT"), RATE)
    assert (pcm.samples.min(), pcm.samples.max()) == (-32768, 32767)
    assert "clipped: 53" in pcm.notices[0]


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_other_rates_are_resampled_with_a_notice(tmp_path: Path, rate: int) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate)
    pcm = read_pcm(write(tmp_path / "a.wav", wave, rate, "PCM_16"), RATE)
    assert pcm.notices == (f"resampled from {rate} to 16000 Hz",)
    assert abs(len(pcm.samples) - 2 * RATE) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(pcm.samples)) / RATE)
    middle = slice(2000, -2000)
    np.testing.assert_allclose(pcm.samples[middle] / 32768.0, expected[middle], atol=2e-3)


def refused(path: Path, text: str) -> None:
    with pytest.raises(ClipError) as caught:
        read_pcm(path, RATE)
    assert str(caught.value).startswith(f"{path}: ")
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "gone.wav", "cannot be read: No such file")


def test_folder_instead_of_file(tmp_path: Path) -> None:
    refused(tmp_path, "cannot be read")


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    refused(tmp_path / "a.wav", "is empty (0 bytes)")


def test_not_audio(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"this is a text, not a sound" * 10)
    refused(tmp_path / "a.wav", "cannot be read as audio")


def test_header_without_samples(tmp_path: Path) -> None:
    refused(write(tmp_path / "a.wav", tone()[:0]), "is too short: 0.00 s")


@pytest.mark.parametrize("suffix", ["wav", "aiff", "flac"])
@pytest.mark.parametrize("keep", [0.6, 0.95])
def test_truncated_file(tmp_path: Path, suffix: str, keep: float) -> None:
    path = write(tmp_path / f"a.{suffix}", tone(samples=40_000))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(ClipError, match=r"truncated|cannot be read as audio"):
        read_pcm(path, RATE)


def test_truncated_wav_says_how_much_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(samples=40_000))
    path.write_bytes(path.read_bytes()[:50_000])
    refused(path, "is truncated: 50000 of 80044 bytes are there")


def test_wav_with_unknown_length_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(), subtype="PCM_16")
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_pcm(path, RATE).samples, tone())


def test_wav_with_chunks_around_the_samples_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(), subtype="PCM_16")
    content = path.read_bytes()
    extra = b"LIST" + (5).to_bytes(4, "little") + b"hello\0"
    path.write_bytes(content[:36] + extra + content[36:] + extra)
    np.testing.assert_array_equal(read_pcm(path, RATE).samples, tone())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(tmp_path: Path, bad: float) -> None:
    wave = tone() / 32768.0
    wave[7] = bad
    refused(write(tmp_path / "a.wav", wave, subtype="FLOAT"), "NaN or infinite")


@pytest.mark.parametrize("level", [0, 5])
def test_silence(tmp_path: Path, level: int) -> None:
    silent = np.full(20_000, level, np.int16)
    refused(write(tmp_path / "a.wav", silent), f"is silent: every sample is {level}")


def test_shorter_than_one_window(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(samples=16_895), subtype="PCM_16")
    refused(path, "is too short: 1.06 s, one window needs 1.06 s")
    assert len(read_pcm(path, RATE, min_samples=1).samples) == 16_895


def test_genuine_mimii_clips(shared: Path) -> None:
    dataset = find(Task.parse("fan/00/0dB"), shared / "data" / "mimii_fan_0dB")
    assert (dataset.kind, len(dataset.train), len(dataset.test)) == ("mimii", 10, 30)
    for clip in dataset.train + dataset.test:
        pcm = read_pcm(clip.path, RATE)
        assert (len(pcm.samples), pcm.notices) == (160_000, ())


def test_genuine_eight_channel_clip_is_its_first_channel(shared: Path) -> None:
    name = "id_00/normal/00000000.flac"
    whole = read_pcm(shared / "data" / "mimii_fan_wav8ch" / name, RATE)
    first = read_pcm(shared / "data" / "mimii_fan_0dB" / "0dB" / "fan" / name, RATE)
    np.testing.assert_array_equal(whole.samples, first.samples)
