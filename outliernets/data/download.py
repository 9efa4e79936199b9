"""Get recordings of MIMII from Zenodo, one archive at a time.

MIMII dataset (Purohit et al., *MIMII Dataset: Sound Dataset for Malfunctioning Industrial Machine
Investigation and Inspection*, DCASE 2019), Hitachi, Ltd., CC BY-SA 4.0,
https://doi.org/10.5281/zenodo.3384388. Twelve zip files of about 10 GB, one per machine and SNR.
"""

import http.client
import io
import json
import re
import shutil
import urllib.error
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outliernets.config import Task
from outliernets.data.fetch import Progress, Remote, fetch, open_url, refused, require_space
from outliernets.errors import ConfigError, DataError, near_miss

RECORD = "https://zenodo.org/api/records/3384388"
MACHINES = ("fan", "pump", "slider", "valve")
SNRS = ("6dB", "0dB", "-6dB")
UNITS = ("00", "02", "04", "06")
CHANNELS = 8
LICENCE = (
    "MIMII Dataset by Hitachi, Ltd. (H. Purohit et al., 2019), https://doi.org/10.5281/zenodo."
    "3384388, licensed under CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/"
)
LICENCE_FILE = "MIMII-LICENSE.txt"
_MEMBER = re.compile(r"(?:.*/)?id_(\d\d)/(normal|abnormal)/([\w-]+\.wav)", re.IGNORECASE)


@dataclass(frozen=True)
class Archive:
    """One zip file of the record: all ids of a machine at one SNR."""

    machine: str
    snr: str
    remote: Remote

    @property
    def name(self) -> str:
        """What the record calls it."""
        return archive_name(self.machine, self.snr)

    def folder(self, out: Path) -> Path:
        """Return where its ids go below ``out``."""
        return out / self.snr.replace("-", "min") / self.machine


def archive_name(machine: str, snr: str) -> str:
    """Return the zip file of a machine and an SNR such as ``-6dB``."""
    return f"{snr.removesuffix('dB')}_dB_{machine}.zip"


def archives(machines: Sequence[str], snrs: Sequence[str], record: str = RECORD) -> list[Archive]:
    """Return the archives of the machines at the SNRs, as the record at ``record`` lists them.

    Raises:
        ConfigError: there is no such machine or SNR in MIMII.
        DataError: the record cannot be read or does not list them.
    """
    wanted = [(m, _snr(s)) for m in machines for s in snrs]
    for machine, snr in wanted:
        _require(machine, MACHINES, "machine")
        _require(snr, SNRS, "SNR")
    listed = _listed(record)
    missing = [name for m, s in wanted if (name := archive_name(m, s)) not in listed]
    if missing:
        raise DataError(f"{record} does not list {missing[0]}; has the record changed?")
    return [Archive(m, s, listed[archive_name(m, s)]) for m, s in dict.fromkeys(wanted)]


def download(
    archive: Archive,
    units: Iterable[str],
    out: Path,
    progress: Progress,
    all_channels: bool = False,
    keep_zip: bool = False,
) -> list[Path]:
    """Bring the ids ``units`` of ``archive`` below ``out``; return their folders.

    What is there already stays. Without ``all_channels`` only the first of eight is kept, which is
    the one that is learned from. An interrupted download goes on where it was.

    Raises:
        ConfigError: MIMII has no such id.
        DataError: see ``fetch``; or the archive is damaged or does not hold an id.
    """
    units = list(units)
    for unit in units:
        _require(unit, UNITS, "id")
    folder, zipped = archive.folder(out), out / archive.name
    folders = [folder / f"id_{unit}" for unit in units]
    missing = [unit for unit, place in zip(units, folders, strict=True) if not place.is_dir()]
    if missing:
        try:
            out.mkdir(parents=True, exist_ok=True)
            (out / LICENCE_FILE).write_text(_licence_note(all_channels))
        except OSError as error:
            raise DataError(f"cannot write to {out}: {error.strerror}") from error
        size = archive.remote.size
        clips = size * 3 // 2 if all_channels else size // 4  # zipped sound is 0.7 of its size
        require_space(out, _still_to_load(zipped, size) + clips)
        fetch(archive.remote, zipped, progress)
        _unpack(zipped, folder, missing, all_channels, progress)
    if not keep_zip:
        zipped.unlink(missing_ok=True)
    return folders


def _licence_note(all_channels: bool) -> str:
    changed = "" if all_channels else "Changed: only the first of eight channels is kept.\n"
    return f"{LICENCE}\n{changed}"


def _still_to_load(zipped: Path, size: int) -> int:
    there = [p for p in (zipped, zipped.with_name(f"{zipped.name}.part")) if p.is_file()]
    return max(0, size - sum(p.stat().st_size for p in there))


def _snr(text: str) -> str:
    return Task.parse(f"fan/00/{text}").snr


def _require(value: str, known: Sequence[str], what: str) -> None:
    if value not in known:
        raise ConfigError(f"MIMII has no {what} '{value}': {near_miss(value, known)}")


def _listed(record: str) -> dict[str, Remote]:
    """Return the files that the record's JSON lists, by name."""
    if not record.startswith(("https://", "http://")):
        raise ConfigError(f"--record {record}: give an http or https address")
    try:
        with open_url(record) as response:
            return _files_of(json.load(response))
    except urllib.error.HTTPError as error:
        raise refused(record, error) from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{record} cannot be reached: {reason}; is there a network?") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{record}: not a record of Zenodo ({error!r})") from error


def _files_of(record: Mapping[str, Any]) -> dict[str, Remote]:
    return {
        entry["key"]: Remote(
            entry["links"]["self"], int(entry["size"]), entry["checksum"].removeprefix("md5:")
        )
        for entry in record["files"]
    }


def _unpack(
    zipped: Path, folder: Path, units: Sequence[str], all_channels: bool, progress: Progress
) -> None:
    """Unpack the clips of ``units``; a unit's folder appears when all of it is there."""
    try:
        with zipfile.ZipFile(zipped) as archive:
            clips = {unit: _members(archive, unit) for unit in units}
            sizes = sum(info.file_size for found in clips.values() for info, _ in found)
            require_space(zipped.parent, sizes if all_channels else sizes // CHANNELS)
            total, done = sum(map(len, clips.values())), 0
            for unit, members in clips.items():
                scratch = folder / f".id_{unit}.unfinished"
                shutil.rmtree(scratch, ignore_errors=True)
                for info, place in members:
                    content = archive.read(info)
                    path = scratch / place
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content if all_channels else _first_channel(content, info))
                    done += 1
                    progress(done, total, "clips unpacked")
                scratch.rename(folder / f"id_{unit}")
    except zipfile.BadZipFile as error:
        raise DataError(f"{zipped} is damaged ({error}); remove it and run again") from error
    except OSError as error:
        raise DataError(
            f"cannot unpack {zipped} to {folder}: {error.strerror or error}; make room or choose "
            "another folder, and run again"
        ) from error


def _members(archive: zipfile.ZipFile, unit: str) -> list[tuple[zipfile.ZipInfo, str]]:
    """Return the clips of a unit, each with where it goes in the unit's folder."""
    found = []
    for info in archive.infolist():
        match = _MEMBER.fullmatch(info.filename)
        if match and match[1] == unit:
            found.append((info, f"{match[2].lower()}/{match[3]}"))
    if not found:
        raise DataError(f"{archive.filename} holds no recordings of id_{unit}")
    return found


def _first_channel(content: bytes, info: zipfile.ZipInfo) -> bytes:
    import soundfile

    try:
        sound, rate = soundfile.read(io.BytesIO(content), dtype="int16", always_2d=True)
    except soundfile.SoundFileError as error:
        raise DataError(f"{info.filename} in the archive cannot be read: {error}") from error
    mono = io.BytesIO()
    soundfile.write(mono, sound[:, 0], rate, format="WAV", subtype="PCM_16")
    return mono.getvalue()
