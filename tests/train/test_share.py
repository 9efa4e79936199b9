"""Processes that train side by side share the processors."""

import os
import signal

import pytest

from outliernets.train.share import limit_threads, processes


def threads() -> tuple[str | None, str | None]:
    return os.environ.get("TF_NUM_INTRAOP_THREADS"), os.environ.get("TF_NUM_INTEROP_THREADS")


def on_ctrl_c() -> object:
    return signal.getsignal(signal.SIGINT)


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("count", "share"), [(1, "6"), (2, "3"), (4, "1"), (9, "1")])
def test_each_gets_a_share(count: int, share: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    limit_threads(count)
    assert threads() == (share, "1")


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    limit_threads(2)
    assert threads() == ("5", "1")


def test_processes_have_their_share_and_this_one_is_left_alone() -> None:
    with processes(2) as pool:
        share = str(max(1, (os.cpu_count() or 1) // 2))
        assert pool.submit(threads).result() == (share, "1")
        assert pool.submit(on_ctrl_c).result() == signal.SIG_DFL
    assert threads() == (None, None)
