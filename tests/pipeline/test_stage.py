"""The stage runner: fresh results are kept, broken ones never taken for whole, errors are plain."""

import errno
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from outliernets.errors import BuildError, ConfigError
from outliernets.pipeline.stage import RECORD, Silence, Stage, run_stages, write_atomically


class Recorder(Silence):
    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fresh: list[str] = []

    def end(self, stage: str, seconds: float, fresh: bool) -> None:
        (self.fresh if fresh else self.ran).append(stage)


class Chain:
    """Three stages; ``b`` writes what ``a`` wrote, rounded down to tens; ``c`` copies ``b``."""

    def __init__(self, root: Path) -> None:
        self.root, self.value, self.facts = root, 41, {}

    def stages(self) -> tuple[Stage, ...]:
        def a(work):
            (work.folder / "a.txt").write_text(str(self.value))

        def b(work):
            value = int((work.inputs["a"] / "a.txt").read_text())
            (work.folder / "b.txt").write_text(str(value // 10 * 10))
            work.facts["tens"] = value // 10

        def c(work):
            (work.folder / "c.txt").write_text((work.inputs["b"] / "b.txt").read_text())

        keep = self.facts.__setitem__
        return (
            Stage("a", (), self.root / "1_a", lambda: self.value, a, keep),
            Stage("b", ("a",), self.root / "2_b", lambda: None, b, keep),
            Stage("c", ("b",), self.root / "3_c", lambda: None, c, keep),
        )

    def run(self, **options) -> Recorder:
        recorder = Recorder()
        run_stages(self.stages(), recorder, **options)
        return recorder


@pytest.fixture
def chain(tmp_path) -> Chain:
    return Chain(tmp_path)


def test_second_run_does_nothing(chain):
    assert chain.run().ran == ["a", "b", "c"]
    assert chain.run().ran == []
    assert chain.facts["b"] == {"tens": 4}


def test_only_what_depends_on_a_change_runs(chain):
    chain.run()
    chain.value = 52
    assert chain.run().ran == ["a", "b", "c"]
    chain.value = 57  # b's result is the same, so c stays fresh
    assert chain.run().ran == ["a", "b"]


def test_from_and_to(chain):
    assert chain.run(last="b").ran == ["a", "b"]
    assert chain.run().ran == ["c"]
    assert chain.run(first="b").ran == ["b", "c"]
    with pytest.raises(ConfigError, match="unknown stage 'aa'"):
        chain.run(first="aa")
    with pytest.raises(ConfigError, match="comes after"):
        chain.run(first="c", last="a")


@pytest.mark.parametrize("damage", ["delete", "truncate", "record"])
def test_damaged_results_are_made_again(chain, damage):
    chain.run()
    victim = chain.root / "2_b" / "b.txt"
    if damage == "delete":
        victim.unlink()
    elif damage == "truncate":
        victim.write_text("")
    else:
        (chain.root / "2_b" / RECORD).write_text("{ not json")
    assert chain.run().ran == ["b"]
    assert victim.read_text() == "40"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_stage_leaves_nothing_and_the_next_run_resumes(chain, error):
    stages = list(chain.stages())

    def interrupted(work):
        (work.folder / "c.txt").write_text("half")
        raise error

    stages[2] = Stage("c", ("b",), chain.root / "3_c", lambda: None, interrupted, lambda *_: None)
    with pytest.raises(error):
        run_stages(tuple(stages), Silence())
    assert sorted(p.name for p in chain.root.iterdir()) == ["1_a", "2_b"]
    assert chain.run().ran == ["c"]


def test_an_interrupted_rerun_keeps_the_old_result(chain):
    chain.run()
    old = (chain.root / "3_c" / "c.txt").read_text()
    stages = list(chain.stages())

    def interrupted(work):
        raise KeyboardInterrupt

    stages[2] = Stage("c", ("b",), chain.root / "3_c", lambda: 1, interrupted, lambda *_: None)
    with pytest.raises(KeyboardInterrupt):
        run_stages(tuple(stages), Silence())
    assert (chain.root / "3_c" / "c.txt").read_text() == old


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), OSError("problem writing element 7")],
    ids=["write", "numpy"],
)
def test_a_full_disk_is_one_line(chain, monkeypatch, error):
    stages = list(chain.stages())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=4096))

    def full(work):
        raise error

    stages[1] = Stage("b", ("a",), chain.root / "2_b", lambda: None, full, lambda *_: None)
    with pytest.raises(BuildError, match=r"disk is full .stage 'b'.*finished stages are kept"):
        run_stages(tuple(stages), Silence())
    assert chain.run().ran == ["b", "c"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    stage = Stage("a", (), blocked / "1_a", lambda: None, lambda work: None, lambda *_: None)
    with pytest.raises(ConfigError, match="--out"):
        run_stages((stage,), Silence())


def test_records_hold_seconds_and_sizes(chain):
    chain.run()
    record = json.loads((chain.root / "1_a" / RECORD).read_text())
    assert record["files"] == {"a.txt": 2}
    assert record["seconds"] >= 0


def test_write_atomically_replaces(tmp_path):
    path = tmp_path / "x" / "report.json"
    write_atomically(path, "1")
    write_atomically(path, "2")
    assert path.read_text() == "2"
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]
