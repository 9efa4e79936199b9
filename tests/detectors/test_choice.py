"""The choice by normal sound: repeatable, blind to the test, and right where it is clear."""

import numpy as np
import pytest

from outliernets.detectors import choice, get
from outliernets.detectors.choice import FAULTS, SEGMENT, choose
from outliernets.detectors.library import library
from outliernets.detectors.spec import DetectorSpec
from outliernets.nets.space import ArchSpec
from outliernets.score import ScoreSpec
from outliernets.view import Part, ViewSpec
from tests.detectors.sound import hums

CANDIDATES = tuple(library().values())
SOUND = hums(160)


def test_the_choice_repeats_and_is_told_with_its_reasons() -> None:
    found = choose(CANDIDATES, [SOUND], 6.0, seed=1)
    assert found == choose(CANDIDATES, [SOUND[:96], SOUND[96:]], 6.0, seed=1)
    assert set(found.proxy_auc) == {spec.name for spec in CANDIDATES}
    assert all(0.5 < auc <= 1 for auc in found.proxy_auc.values())


def test_another_than_the_first_must_be_clearly_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    for ahead, expected in ((choice.MARGIN / 2, "steady"), (2 * choice.MARGIN, "transient")):
        areas = {"steady": 0.8, "transient": 0.8 + ahead}
        monkeypatch.setattr(choice, "_areas", lambda spec, *_, areas=areas: [areas[spec.name]])
        assert choose(CANDIDATES, [SOUND], 6.0, seed=1).spec.name == expected


def looks_at(statistic: str) -> DetectorSpec:
    view = ViewSpec(parts=(Part(statistic, 64),))
    return DetectorSpec(statistic, ArchSpec("own", "linear", (64, 4)), view, ScoreSpec("bands"))


def test_what_normal_sound_does_anyway_is_not_looked_at() -> None:
    """Levels that change on their own hide faults from their means, not from deviations."""
    views = (looks_at("mean"), looks_at("deviation"))
    rng = np.random.default_rng(0)
    free = 2 * rng.normal(size=(160, 1, 128)) + 0.2 * rng.normal(size=(160, 32, 128))
    assert choose(views, [free.astype(np.float32)], 6.0, seed=1).spec.name == "deviation"
    still = 0.5 * rng.normal(size=free.shape)
    assert choose(views, [still.astype(np.float32)], 6.0, seed=1).spec.name == "mean"


def test_with_too_little_sound_the_first_is_taken() -> None:
    found = choose(CANDIDATES, [SOUND[: 3 * SEGMENT + 1]], 6.0, seed=1)
    assert (found.spec, found.proxy_auc) == (CANDIDATES[0], {})


def test_much_sound_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "MAX_SEGMENTS", 5)
    kept = choice._segments(SOUND)
    assert len(kept) == 5 * SEGMENT
    np.testing.assert_array_equal(kept[:SEGMENT], SOUND[:SEGMENT])
    np.testing.assert_array_equal(kept[-SEGMENT:], SOUND[-SEGMENT:])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_every_fault_changes_what_is_heard(fault) -> None:
    sound = SOUND[:SEGMENT].copy()
    fault(sound, np.random.default_rng(3))
    changed = np.abs(sound - SOUND[:SEGMENT]).max(axis=(1, 2))
    assert (changed > 0.1).all()


def test_the_default_detector_learns_what_it_chose() -> None:
    chosen = get("default", None)  # type: ignore[arg-type]  # no network depends on the task
    assert not chosen.seeded
    assert "steady, transient" in chosen.summary
    fitted = chosen.fit(SOUND[:128], SOUND[128:], seed=1)
    clips = np.repeat([0, 1], 16)
    expected = get("steady", None).fit(SOUND[:128], SOUND[128:], seed=2)  # type: ignore[arg-type]
    np.testing.assert_array_equal(
        fitted.scores(SOUND[:32], clips), expected.scores(SOUND[:32], clips)
    )
    assert fitted.params == 1612
