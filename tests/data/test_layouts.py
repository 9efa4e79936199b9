"""Every layout people keep recordings in is recognised, and nothing else is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from outliernets.config import Task
from outliernets.data import find, list_tasks, task_of_folder
from outliernets.errors import DataError

Put = Callable[..., Path]
FAN = Task.parse("fan/06/6dB")


def machine(put: Put, folder: str, normal: int = 14, abnormal: int = 3) -> None:
    put(f"{folder}/normal", normal)
    put(f"{folder}/abnormal", abnormal)


@pytest.mark.parametrize(
    ("folder", "task"),
    [
        ("6dB/fan/id_06", "fan/06/6dB"),
        ("0dB/pump/id_00", "pump/00/0dB"),
        ("min6dB/slider/id_04", "slider/04/-6dB"),
        ("-6dB/slider/id_04", "slider/04/-6dB"),
        ("-6_dB/slider/id_04", "slider/04/-6dB"),
        ("min12dB/propeller/id_00", "propeller/00/-12dB"),
        ("6_dB_fan/fan/id_06", "fan/06/6dB"),
        ("-6_dB_fan/fan/id_02", "fan/02/-6dB"),
        ("0_dB_fan/fan/id_02", "fan/02/0dB"),
        ("-6_dB_valve/id_02", "valve/02/-6dB"),
        ("as_recorded/lathe/id_00", "lathe/00/as_recorded"),
        ("download/MIMII/6dB/fan/id_06", "fan/06/6dB"),
    ],
)
def test_mimii_spellings(put: Put, tmp_path: Path, folder: str, task: str) -> None:
    machine(put, folder)
    (info,) = list_tasks(tmp_path)
    assert (str(info.task), info.kind, info.normal, info.abnormal) == (task, "mimii", 14, 3)
    dataset = find(Task.parse(task), tmp_path)
    assert (len(dataset.train), len(dataset.test), dataset.notices) == (11, 6, ())


@pytest.mark.parametrize("level", ["6dB", "6dB/fan", "6dB/fan/id_06"])
def test_root_may_point_inside(put: Put, tmp_path: Path, level: str) -> None:
    machine(put, "6dB/fan/id_06")
    assert [str(info.task) for info in list_tasks(tmp_path / level)] == ["fan/06/6dB"]
    assert find(FAN, tmp_path / level).notices == ()
    with pytest.raises(DataError, match="fan/06/-6dB is not below"):
        find(Task.parse("fan/06/-6dB"), tmp_path / level)


def test_unstated_snr_is_taken_as_asked_with_a_notice(put: Put, tmp_path: Path) -> None:
    machine(put, "here/fan/id_06")
    assert [str(info.task) for info in list_tasks(tmp_path / "here")] == ["fan/06/recorded"]
    (notice,) = find(FAN, tmp_path / "here").notices
    assert "taken as fan/06/6dB" in notice
    assert str(tmp_path / "here/fan/id_06") in notice


def test_dcase_keeps_its_own_split_and_ignores_the_snr(put: Put, tmp_path: Path) -> None:
    put("dev/fan/train", 12, "normal_id_06_{:08d}.wav")
    put("dev/fan/train", 2, "normal_id_00_{:08d}.wav")
    put("dev/fan/test", 3, "normal_id_06_{:08d}.wav")
    put("dev/fan/test", 4, "anomaly_id_06_{:08d}.wav")
    dataset = find(FAN, tmp_path)
    assert (dataset.kind, len(dataset.train), dataset.notices) == ("dcase", 12, ())
    assert [clip.label for clip in dataset.test] == ["normal"] * 3 + ["abnormal"] * 4
    assert [c.name for c in dataset.test][-1] == "test/abnormal/00000003"
    names = [clip.name for clip in dataset.train + dataset.test]
    assert len(set(names)) == len(names)
    assert [str(info.task) for info in list_tasks(tmp_path / "dev/fan")] == [
        "fan/00/recorded",
        "fan/06/recorded",
    ]


def test_dcase_too_few_clips_names_id_and_folder(put: Put, tmp_path: Path) -> None:
    put("fan/train", 2, "normal_id_06_{:08d}.wav")
    put("fan/test", 1, "anomaly_id_06_{:08d}.wav")
    with pytest.raises(DataError, match=r"id_06 in .*fan: 2 in train/ and 0 in test/"):
        find(FAN, tmp_path)


def test_own_machine_is_named_by_its_folder(put: Put, tmp_path: Path) -> None:
    put("My Pump/normal", 20)
    task = task_of_folder(tmp_path / "My Pump")
    assert task == Task("my_pump", "00", "recorded")
    dataset = find(task, tmp_path / "My Pump")
    assert (dataset.kind, len(dataset.train), len(dataset.test)) == ("folder", 16, 4)
    assert "AUC is not available" in dataset.notices[0]
    assert find(task, tmp_path).train == dataset.train
    other = find(FAN, tmp_path / "My Pump")
    assert "taken as fan/06/6dB" in other.notices[0]


def test_own_machine_is_not_taken_for_another_from_above(put: Put, tmp_path: Path) -> None:
    put("pump/normal", 20)
    with pytest.raises(DataError, match="known: pump/00/recorded"):
        find(FAN, tmp_path)


def test_task_of_folder_is_none_where_it_is_not_one_machine(put: Put, tmp_path: Path) -> None:
    machine(put, "6dB/fan/id_06")
    assert task_of_folder(tmp_path) is None
    assert task_of_folder(tmp_path / "6dB/fan/id_06") == FAN
    assert task_of_folder(tmp_path / "absent") is None


def test_hidden_files_and_other_files_are_not_clips(put: Put, tmp_path: Path) -> None:
    folder = put("6dB/fan/id_06/normal", 14)
    for name in ("._00000000.wav", ".00000000.wav.part", "notes.txt", "Thumbs.db"):
        (folder / name).write_bytes(b"not sound")
    (folder / "take2.wav").mkdir()
    (info,) = list_tasks(tmp_path)
    assert info.normal == 14


def test_extensions_count_without_regard_to_case(put: Put, tmp_path: Path) -> None:
    put("6dB/fan/id_06/normal", 3, "a{:02d}.WAV")
    put("6dB/fan/id_06/normal", 3, "b{:02d}.flac")
    put("6dB/fan/id_06/normal", 3, "c{:02d}.Aiff")
    (info,) = list_tasks(tmp_path)
    assert info.normal == 9


def test_names_stay_unique_and_sorted(put: Put, tmp_path: Path) -> None:
    put("m/normal", 12, "{:02d}.wav")
    put("m/normal", 1, "{:02d}.flac")
    dataset = find(Task("m", "00", "recorded"), tmp_path / "m")
    names = [clip.name for clip in dataset.test + dataset.train]
    assert names[:3] == ["normal/00.flac", "normal/00.wav", "normal/01"]
    assert names == sorted(set(names))


def test_same_task_twice_is_refused_with_both_places(put: Put, tmp_path: Path) -> None:
    machine(put, "6dB/fan/id_06")
    machine(put, "6_dB_fan/fan/id_06")
    with pytest.raises(DataError, match=r"more than once: .*6_dB_fan.* and .*6dB"):
        find(FAN, tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere does not exist; give the folder"):
        find(FAN, tmp_path / "nowhere")


def test_file_instead_of_folder(tmp_path: Path) -> None:
    (tmp_path / "clip.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"clip\.wav is not a folder"):
        list_tasks(tmp_path / "clip.wav")


def test_unreadable_folder(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(put, "6dB/fan/id_06")
    real = Path.iterdir

    def iterdir(self: Path) -> object:
        if self.name == "fan":
            raise PermissionError(13, "Permission denied")
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with pytest.raises(DataError, match=r"cannot read the folder .*6dB/fan: Permission denied"):
        find(FAN, tmp_path)


def test_folder_without_recordings_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no recordings below .*6dB/fan/id_06/normal"):
        find(FAN, tmp_path)


def test_unknown_task_names_near_ones(put: Put, tmp_path: Path) -> None:
    machine(put, "6dB/fan/id_06")
    machine(put, "6dB/pump/id_00")
    with pytest.raises(DataError, match=r"fan/05/6dB is not below .* did you mean 'fan/06/6dB'"):
        find(Task.parse("fan/05/6dB"), tmp_path)
