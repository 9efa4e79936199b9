"""Stand-ins for faults: different, repeatable, heard by what listens."""

import numpy as np
import pytest

from outliernets.detectors import get
from outliernets.errors import DataError
from outliernets.search.proxies import CLIPS, KINDS, LABELLED, OTHERS, WARPS, Heard, Proxies
from tests.detectors.sound import hums

SOUND = hums(40, seed=1)
NORMAL = Heard(SOUND, np.repeat(np.arange(10), 4))
OTHER = Heard(hums(12, seed=2, level=2.0), np.repeat(np.arange(3), 4))


@pytest.fixture(scope="module")
def fitted():
    return get("ppca-4", None).fit(hums(100), SOUND, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("warp", WARPS, ids=lambda warp: warp.__name__)
def test_every_warp_changes_every_clip_and_nothing_is_infinite(warp) -> None:
    for seed in range(5):
        changed = SOUND[:8].copy()
        warp(changed, np.random.default_rng(seed))
        assert np.isfinite(changed).all()
        assert np.abs(changed - SOUND[:8]).max() > 0.1


def test_the_same_arguments_give_the_same_proxies() -> None:
    a, b = (Proxies.make(NORMAL, OTHER, 6.0, 1) for _ in range(2))
    c = Proxies.make(NORMAL, OTHER, 6.0, 2)
    for kind in KINDS:
        np.testing.assert_array_equal(a.kinds[kind].windows, b.kinds[kind].windows)
        assert not np.array_equal(a.kinds[kind].windows, c.kinds[kind].windows)
        assert np.abs(a.kinds[kind].windows).max() <= 6.0


def test_few_clips_are_changed_several_times_and_many_are_thinned() -> None:
    few = Proxies.make(NORMAL, None, 6.0, 1)
    assert OTHERS not in few.kinds
    assert all(heard.clips[-1] + 1 == CLIPS for heard in few.kinds.values())
    many = Heard(np.repeat(SOUND, 5, axis=0), np.arange(200))
    assert many.some(CLIPS).clips.tolist() == list(range(CLIPS))


def test_other_machines_and_louder_bands_are_heard(fitted) -> None:
    proxies = Proxies.make(NORMAL, OTHER, 6.0, 1)
    by_kind = proxies.separation(fitted)
    assert by_kind[OTHERS] == 1.0
    assert by_kind["tone"] > 0.8
    assert set(by_kind) == {*KINDS, OTHERS}


def test_who_hears_nothing_is_at_chance() -> None:
    class Deaf:
        def scores(self, windows, clips):
            return np.zeros(len(windows))

    proxies = Proxies.make(NORMAL, OTHER, 6.0, 1)
    assert set(proxies.separation(Deaf()).values()) == {0.5}  # type: ignore[arg-type]


def test_the_papers_protocol_takes_a_half_of_the_test_clips() -> None:
    clips = np.repeat(np.arange(10), 4)
    test = Heard(np.concatenate([SOUND[:20], hums(20, seed=3, level=2.0)]), clips)
    proxies = Proxies.labelled(test, [False] * 5 + [True] * 5, seed=1)
    assert proxies.normal.clips[-1] + 1 == 3
    assert proxies.kinds[LABELLED].clips[-1] + 1 == 3
    with pytest.raises(DataError, match="normal and abnormal"):
        Proxies.labelled(test, [False] * 10, seed=1)
