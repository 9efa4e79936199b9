"""Downloading against a local server that cuts, stalls, refuses and lies."""

import errno
import hashlib
import http.server
import io
import json
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from outliernets.cli import cli
from outliernets.config import Task
from outliernets.data import fetch as fetching
from outliernets.data import find, read_pcm
from outliernets.data.download import Archive, archives, download
from outliernets.data.fetch import Remote, fetch
from outliernets.errors import ConfigError, DataError

CONTENT = np.random.default_rng(3).bytes(300_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files`` by path; ``habits`` say what is wrong with it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []  #: path and Range of each request
        self.cut_after: int | None = None  #: bytes a connection lives for
        self.ranges = True
        self.answers: list[int] = []  #: status of the next requests, instead of the file
        self.other_range = False
        self.stalled = threading.Event()  #: set to end the silence of a ``stall``
        self.stall = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def remote(self, content: bytes, path: str = "/file") -> Remote:
        self.files[path] = content
        return Remote(self.url + path, len(content), hashlib.md5(content).hexdigest())


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.path, wanted))
        content = server.files.get(self.path)
        if server.answers:
            self.send_error(server.answers.pop(0))
            return
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        if not server.ranges:
            start = 0
        elif start >= len(content):
            self.send_error(416)
            return
        partial = server.ranges and wanted
        self.send_response(206 if partial else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if partial:
            first = start + 1 if server.other_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if server.stall:
            self.wfile.write(content[start : start + 1000])
            server.stalled.wait(20)
            return
        end = len(content) if server.cut_after is None else start + server.cut_after
        self.wfile.write(content[start:end])

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetching, "PAUSE", 0.001)
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.stalled.set()
    made.shutdown()
    thread.join()
    made.server_close()


def silent(_done: int, _total: int, _note: str) -> None:
    """Tell nobody."""


def test_a_whole_file(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    path = tmp_path / "new" / "file.zip"
    fetch(server.remote(CONTENT), path, lambda *facts: told.append(facts))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["file.zip"]
    assert {note for _, _, note in told} == {"MB", "MB checked"}
    fetch(server.remote(CONTENT), path, silent)
    assert len(server.asked) == 1  # it is there


def test_cut_connections_go_on_where_they_were(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "CHUNK", 10_000)  # what counts as progress
    remote, server.cut_after = server.remote(CONTENT), 30_000
    fetch(remote, tmp_path / "file", silent)
    assert (tmp_path / "file").read_bytes() == CONTENT
    expected = [None, *(f"bytes={start}-" for start in range(30_000, 300_000, 30_000))]
    assert [wanted for _, wanted in server.asked] == expected


def test_a_broken_off_download_is_kept_for_the_next_run(server: Server, tmp_path: Path) -> None:
    remote, server.cut_after = server.remote(CONTENT), 1_000
    with pytest.raises(DataError, match=r"failed 6 times .*; 6000 of 300000 bytes are kept"):
        fetch(remote, tmp_path / "file", silent)
    server.cut_after = None
    fetch(remote, tmp_path / "file", silent)
    assert server.asked[-1] == ("/file", "bytes=6000-")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_without_ranges_it_starts_again(server: Server, tmp_path: Path) -> None:
    remote, server.ranges = server.remote(CONTENT), False
    (tmp_path / "file.part").write_bytes(b"x" * 5_000)
    fetch(remote, tmp_path / "file", silent)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_without_ranges_it_does_not_try_for_ever(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "CHUNK", 10_000)
    remote, server.ranges, server.cut_after = server.remote(CONTENT), False, 200_000
    with pytest.raises(DataError, match="the connection failed 6 times"):
        fetch(remote, tmp_path / "file", silent)


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    remote = server.remote(CONTENT)
    server.files["/file"] = CONTENT[:-1] + b"?"
    with pytest.raises(DataError, match=r"checksum is wrong .* run again to load it anew"):
        fetch(remote, tmp_path / "file", silent)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("answer", [404, 403, 410])
def test_a_refusal_is_final(server: Server, tmp_path: Path, answer: int) -> None:
    remote, server.answers = server.remote(CONTENT), [answer]
    with pytest.raises(DataError, match=rf"/file: the server answers {answer} "):
        fetch(remote, tmp_path / "file", silent)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    remote, server.answers = server.remote(CONTENT), [503, 429, 500]
    fetch(remote, tmp_path / "file", silent)
    assert len(server.asked) == 4


def test_silence_counts_as_broken(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "TIMEOUT", 0.05)
    remote, server.stall = server.remote(CONTENT), True
    with pytest.raises(DataError, match=r"failed 6 times \(.*timed out.*\)"):
        fetch(remote, tmp_path / "file", silent)


def test_nobody_there(tmp_path: Path, server: Server) -> None:
    gone = Remote("http://127.0.0.1:1/file", 9, "")
    with pytest.raises(DataError, match=r"failed 6 times .*refused.*; 0 of 9 bytes"):
        fetch(gone, tmp_path / "file", silent)


def test_another_file_than_the_record_s(server: Server, tmp_path: Path) -> None:
    remote = server.remote(CONTENT)
    server.files["/file"] = CONTENT + b"more"
    with pytest.raises(DataError, match="a file of 300004 bytes, the record says 300000"):
        fetch(remote, tmp_path / "file", silent)


def test_a_part_longer_than_the_server_s_file(server: Server, tmp_path: Path) -> None:
    remote = server.remote(CONTENT)
    server.files["/file"] = CONTENT[:1000]
    (tmp_path / "file.part").write_bytes(CONTENT[:2000])
    with pytest.raises(DataError, match="a file of 1000 bytes, the record says 300000"):
        fetch(remote, tmp_path / "file", silent)


def test_another_part_than_asked_for(server: Server, tmp_path: Path) -> None:
    remote, server.other_range = server.remote(CONTENT), True
    (tmp_path / "file.part").write_bytes(CONTENT[:2000])
    with pytest.raises(DataError, match="another part than it was asked for"):
        fetch(remote, tmp_path / "file", silent)


def test_no_room_is_seen_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: SimpleNamespace(free=299_999))
    with pytest.raises(DataError, match="not enough disk space"):
        fetch(server.remote(CONTENT), tmp_path / "file", silent)
    assert server.asked == []


def test_a_disk_that_fills_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Path.open

    class Full(io.FileIO):
        def write(self, block: bytes) -> int:  # type: ignore[override]
            if self.tell() + len(block) > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(block)

    def opened(path: Path, mode: str = "r", *rest: object) -> object:
        return Full(path, mode.replace("b", "")) if mode in ("wb", "r+b") else honest(path, mode)

    monkeypatch.setattr(fetching, "CHUNK", 30_000)
    remote = server.remote(CONTENT)
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(DataError, match="disk is full: 90000 of 300000 bytes of file are kept"):
        fetch(remote, tmp_path / "file", silent)
    monkeypatch.setattr(Path, "open", honest)
    fetch(remote, tmp_path / "file", silent)
    assert server.asked[-1] == ("/file", "bytes=90000-")
    assert (tmp_path / "file").read_bytes() == CONTENT


# MIMII's archives


def clip(unit: str, label: str, number: int) -> np.ndarray:
    rng = np.random.default_rng([int(unit), len(label), number])
    return rng.integers(-3000, 3000, (17_000, 8)).astype(np.int16)


@pytest.fixture(scope="module")
def zipped() -> bytes:
    """Archive of a fan as Zenodo has it, with few, short clips of two ids."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("fan/", "")
        archive.writestr("fan/id_00/readme.txt", "not a clip")
        archive.writestr("fan/id_00/normal/../../../../evil.wav", "not here")
        for unit in ("00", "02"):
            for label, count in (("normal", 12), ("abnormal", 2)):
                for number in range(count):
                    wav = io.BytesIO()
                    soundfile.write(wav, clip(unit, label, number), 16_000, format="WAV")
                    name = f"fan/id_{unit}/{label}/{number:08d}.wav"
                    archive.writestr(name, wav.getvalue())
    return whole.getvalue()


@pytest.fixture
def record(server: Server, zipped: bytes) -> str:
    """Address of a record that lists the archive at two SNRs."""
    names = ("6_dB_fan.zip", "-6_dB_fan.zip")
    remotes = {name: server.remote(zipped, f"/files/{name}") for name in names}
    entries = [
        {"key": k, "size": r.size, "checksum": f"md5:{r.md5}", "links": {"self": r.url}}
        for k, r in remotes.items()
    ]
    server.files["/record"] = json.dumps({"id": 1, "files": entries}).encode()
    return f"{server.url}/record"


def fan(record: str) -> Archive:
    return archives(["fan"], ["6dB"], record)[0]


def test_unpacked_where_it_is_found_again(record: str, tmp_path: Path) -> None:
    folders = download(fan(record), ["00"], tmp_path, silent)
    assert folders == [tmp_path / "6dB" / "fan" / "id_00"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["6dB", "MIMII-LICENSE.txt"]
    assert not list(tmp_path.rglob("*evil*"))
    assert {p.name for p in folders[0].iterdir()} == {"normal", "abnormal"}
    found = find(Task.parse("fan/00/6dB"), tmp_path)
    assert (found.kind, len(found.train), len(found.test)) == ("mimii", 10, 4)
    sound = read_pcm(found.train[-1].path, 16_000).samples
    np.testing.assert_array_equal(sound, clip("00", "normal", 11)[:, 0])
    assert "CC BY-SA 4.0" in (tmp_path / "MIMII-LICENSE.txt").read_text()


def test_all_channels_are_the_files_of_the_archive(record: str, tmp_path: Path) -> None:
    (folder,) = download(fan(record), ["02"], tmp_path, silent, all_channels=True, keep_zip=True)
    sound, rate = soundfile.read(folder / "abnormal" / "00000001.wav", dtype="int16")
    assert rate == 16_000
    np.testing.assert_array_equal(sound, clip("02", "abnormal", 1))
    assert (tmp_path / "6_dB_fan.zip").is_file()


def test_only_what_is_missing_is_loaded(record: str, server: Server, tmp_path: Path) -> None:
    download(fan(record), ["00"], tmp_path, silent)
    before = Counter(path for path, _ in server.asked)["/files/6_dB_fan.zip"]
    download(fan(record), ["00"], tmp_path, silent)
    after = Counter(path for path, _ in server.asked)["/files/6_dB_fan.zip"]
    assert (before, after) == (1, 1)
    download(fan(record), ["00", "02"], tmp_path, silent)
    assert (tmp_path / "6dB" / "fan" / "id_02" / "normal" / "00000011.wav").is_file()


def test_an_id_the_archive_does_not_hold(record: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no recordings of id_04"):
        download(fan(record), ["04"], tmp_path, silent)
    assert not (tmp_path / "6dB" / "fan" / "id_04").exists()


def test_a_damaged_archive(server: Server, zipped: bytes, tmp_path: Path) -> None:
    """The sum is right, so what was uploaded is bad."""
    at = zipped.index(b"fan/id_00/normal/00000005.wav") + 20_000
    bad = zipped[:at] + bytes([zipped[at] ^ 1]) + zipped[at + 1 :]
    archive = Archive("fan", "6dB", server.remote(bad))
    with pytest.raises(DataError, match=r"6_dB_fan\.zip is damaged \(Bad CRC-32"):
        download(archive, ["00"], tmp_path, silent)
    assert not (tmp_path / "6dB" / "fan" / "id_00").exists()


def test_no_room_to_unpack(
    record: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = fan(record)
    free = SimpleNamespace(free=archive.remote.size + 1)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: free)
    with pytest.raises(DataError, match="not enough disk space"):
        download(archive, ["00"], tmp_path, silent)
    assert [path for path, _ in server.asked] == ["/record"]


@pytest.mark.parametrize(
    ("machines", "snrs", "says"),
    [
        (["fam"], ["6dB"], "no machine 'fam': did you mean 'fan'"),
        (["fan"], ["12dB"], "no SNR '12dB'"),
    ],
)
def test_what_mimii_does_not_have(machines: list[str], snrs: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        archives(machines, snrs, "http://127.0.0.1:1/never-asked")


def test_an_unknown_id(record: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MIMII has no id '01'"):
        download(fan(record), ["01"], tmp_path, silent)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"files": [{"key": "a"}]}', b"{}"])
def test_a_record_that_is_none(server: Server, content: bytes) -> None:
    server.files["/record"] = content
    with pytest.raises(DataError, match="/record: not a record of Zenodo"):
        archives(["fan"], ["6dB"], f"{server.url}/record")


def test_a_record_without_the_archive(record: str) -> None:
    with pytest.raises(DataError, match=r"does not list 0_dB_pump\.zip"):
        archives(["pump"], ["0dB"], record)


def test_a_record_that_is_not_there(server: Server) -> None:
    with pytest.raises(DataError, match="/nothing: the server answers 404"):
        archives(["fan"], ["6dB"], f"{server.url}/nothing")
    with pytest.raises(DataError, match=r"cannot be reached: .*refused"):
        archives(["fan"], ["6dB"], "http://127.0.0.1:1/")
    with pytest.raises(ConfigError, match="give an http or https address"):
        archives(["fan"], ["6dB"], "file:///etc/passwd")


def test_the_command(record: str, tmp_path: Path) -> None:
    options = ["--machine", "fan", "--snr", "6dB", "--snr", "-6dB", "--unit", "02", "--json"]
    command = ["data", "download", "mimii", "--out", str(tmp_path), "--record", record, *options]
    result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert [row["task"] for row in json.loads(result.stdout)] == ["fan/02/6dB", "fan/02/-6dB"]
    assert (tmp_path / "min6dB" / "fan" / "id_02" / "normal").is_dir()
    assert "CC BY-SA 4.0" in result.stderr
