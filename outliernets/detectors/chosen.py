"""The default detector: whichever of a few suits the machine's normal sound best."""

from dataclasses import dataclass

from outliernets.config import SEED, MelConfig
from outliernets.detectors.base import Detector, Fitted, Progress
from outliernets.detectors.choice import choose
from outliernets.detectors.network import Network
from outliernets.detectors.spec import DetectorSpec
from outliernets.view import Windows


@dataclass(frozen=True)
class Chosen(Detector):
    """One of ``candidates``, chosen by ``choice``; their networks are solved, so no chance."""

    candidates: tuple[DetectorSpec, ...]

    @property
    def summary(self) -> str:
        """See Detector."""
        names = ", ".join(spec.name for spec in self.candidates)
        return f"one of {names}, chosen by normal sound"

    def fit(
        self,
        train: Windows,
        held_out: Windows,
        seed: int,
        progress: Progress | None = None,
    ) -> Fitted:
        """See Detector."""
        normal = [train, held_out]
        chosen = choose(self.candidates, normal, MelConfig.clip_sigma, SEED).spec
        return Network(self.name, chosen).fit(train, held_out, seed, progress)
