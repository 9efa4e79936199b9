"""Detectors: what they look at, what they learn, how they score. One file per kind.

Names: ``no-network``, ``ppca-4``, ``gaussian``, ``dense-ae``, ``cae-mcs``, ``paper`` (the network
of the paper's Table 1 for the task), or any network of the zoo such as ``fan-686``. Where something
is left of a window, ``+SCORE`` chooses the score: ``fan-686+bands``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from outliernets.config import Task
from outliernets.detectors.base import Detector, Fitted
from outliernets.detectors.cae_mcs import cae_mcs
from outliernets.detectors.dense import dense
from outliernets.detectors.gaussian import Gaussian
from outliernets.detectors.network import Network
from outliernets.detectors.no_network import NoNetwork
from outliernets.detectors.ppca import Ppca
from outliernets.detectors.scores import Mse, ScoreKind, score
from outliernets.errors import ConfigError, near_miss
from outliernets.nets import zoo
from outliernets.train.fit import Recipe

__all__ = ["Detector", "Fitted", "get", "listed"]

#: Belong into every table, on the same split: a network that does not beat them is not needed.
BASELINES = ("no-network", "ppca-4", "gaussian", "dense-ae", "cae-mcs")
GROUPS = {"baselines": BASELINES, "closed-form": BASELINES[:3]}
_WHOLE: dict[str, Callable[[str], Detector]] = {"ppca-4": Ppca, "gaussian": Gaussian}
_SCORED = ("no-network", "dense-ae", "paper")


def listed(text: str, task: Task, steps: int | None = None) -> list[Detector]:
    """Return the detectors of a comma-separated list, each once, in its order.

    ``baselines`` stands for all baselines, ``closed-form`` for those without a network. ``steps``:
    training steps of networks, None for their recipe's. Raise ConfigError for unknown names.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"no detector named; {near_miss('', known())}")
    chosen = [member for name in names for member in GROUPS.get(name, (name,))]
    return [get(name, task, steps) for name in dict.fromkeys(chosen)]


def known() -> Sequence[str]:
    """Return all names and groups, without scores."""
    return (*GROUPS, *_WHOLE, *_SCORED, *zoo.names())


def get(name: str, task: Task, steps: int | None = None) -> Detector:
    """Return one detector; raise ConfigError for a name or score that does not exist."""
    base, plus, score_name = name.partition("+")
    if base in _WHOLE:
        if plus:
            raise ConfigError(f"detector '{name}': {base} has its own score; leave '+' out")
        return _WHOLE[base](name)
    if base not in known() or base in GROUPS:
        raise ConfigError(f"unknown detector '{base}'; {near_miss(base, known())}")
    kind = score(score_name) if plus else Mse()
    return _scored(name, base, kind, task, steps)


def _scored(name: str, base: str, kind: ScoreKind, task: Task, steps: int | None) -> Detector:
    recipe = Recipe() if steps is None else replace(Recipe(), steps=steps)
    match base:
        case "no-network":
            return NoNetwork(name, kind)
        case "dense-ae":
            return dense(name, kind, recipe)
        case "cae-mcs":
            return cae_mcs(name, kind, steps)
        case "paper":
            return Network(name, zoo.default_for(task), kind, recipe=recipe)
    return Network(name, zoo.get(base), kind, recipe=recipe)
