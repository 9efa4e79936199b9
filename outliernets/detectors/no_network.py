"""No network at all: the window itself is what is left, and its squares say how unusual it is."""

from dataclasses import dataclass

from outliernets.detectors.base import Detector, Fitted, Floats, Ints, Progress
from outliernets.detectors.scores import Score, summary
from outliernets.score import ScoreSpec
from outliernets.view import Windows


@dataclass(frozen=True)
class NoNetwork(Detector):
    """A score of the standardised window."""

    score: ScoreSpec

    @property
    def summary(self) -> str:
        """See Detector."""
        return f"no network; {summary(self.score)}"

    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """See Detector."""
        return _FittedScore(Score.fit(self.score, train))


class _FittedScore(Fitted):
    def __init__(self, score: Score) -> None:
        self._score = score
        self.params, self.macs = score.params, score.macs

    def scores(self, windows: Windows, clips: Ints) -> Floats:
        return self._score.of(windows, clips)
