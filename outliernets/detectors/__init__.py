"""Detectors: what they look at, what they learn, how they score.

Names: ``default`` (chosen for the machine by its normal sound), those of the library (``steady``,
``transient``), ``searched`` (what ``ongen search`` found for the task), ``paper`` (the network of
the paper's Table 1 for the task, on whole windows, mean square), the baselines ``no-network``,
``ppca-4``, ``gaussian``, ``dense-ae``, ``cae-mcs``, any network of the zoo such as ``fan-686``, or
a TOML file. Where something is left of a window, ``+SCORE`` chooses another score:
``fan-686+bands``.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from outliernets.config import Task
from outliernets.detectors.base import Detector, Fitted
from outliernets.detectors.cae_mcs import cae_mcs
from outliernets.detectors.chosen import Chosen
from outliernets.detectors.dense import dense
from outliernets.detectors.gaussian import Gaussian
from outliernets.detectors.library import library, searched
from outliernets.detectors.network import Network
from outliernets.detectors.ppca import Ppca
from outliernets.detectors.scores import SCORES, score
from outliernets.detectors.spec import DetectorSpec, nothing
from outliernets.errors import ConfigError, near_miss
from outliernets.nets import zoo
from outliernets.score import ScoreSpec
from outliernets.train.fit import Recipe
from outliernets.view import ViewSpec

__all__ = ["Detector", "DetectorSpec", "Fitted", "get", "listed", "specified"]

DEFAULT, PAPER, SEARCHED = "default", "paper", "searched"
#: Belong into every table, on the same split: a network that does not beat them is not needed.
BASELINES = ("no-network", "ppca-4", "gaussian", "dense-ae", "cae-mcs")
GROUPS = {"baselines": BASELINES, "closed-form": BASELINES[:3]}
_WHOLE: dict[str, Callable[[str], Detector]] = {
    "ppca-4": Ppca,
    "gaussian": Gaussian,
    DEFAULT: lambda name: Chosen(name, tuple(library().values())),
}
_SCORED = ("no-network", "dense-ae", PAPER, SEARCHED)


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
    return (*GROUPS, *_WHOLE, *_SCORED, *library(), *zoo.names())


def specified(name: str, task: Task) -> DetectorSpec:
    """Return a detector that can be built, by name or TOML file.

    Raise ConfigError for names that do not exist or are no view, network and score.
    """
    if name.endswith(".toml"):
        return DetectorSpec.load(Path(name))
    found = get(name, task)
    if not isinstance(found, Network):
        raise ConfigError(
            f"detector '{name}' is there to compare with and cannot be built; "
            f"give {', '.join((DEFAULT, *_SCORED, *library()))}, a network of the zoo or a TOML "
            "file"
        )
    return found.spec


def get(name: str, task: Task, steps: int | None = None) -> Detector:
    """Return one detector; raise ConfigError for a name or score that does not exist."""
    recipe = Recipe() if steps is None else replace(Recipe(), steps=steps)
    if name.endswith(".toml"):
        spec = DetectorSpec.load(Path(name))
        return Network(spec.name, spec, recipe)
    base, plus, score_name = name.partition("+")
    if base in _WHOLE:
        if plus:
            raise ConfigError(f"detector '{name}': {base} has its own score; leave '+' out")
        return _WHOLE[base](name)
    if base not in known() or base in GROUPS:
        raise ConfigError(f"unknown detector '{base}'; {near_miss(base, known())}")
    return _scored(name, base, score(score_name) if plus else None, task, recipe, steps)


def _scored(
    name: str, base: str, asked: ScoreSpec | None, task: Task, recipe: Recipe, steps: int | None
) -> Detector:
    made = searched(task) if base == SEARCHED else library().get(base)
    if made:
        return Network(name, replace(made, name=name, score=asked or made.score), recipe)
    kind = asked or SCORES["mse"]
    match base:
        case "no-network":
            return Network(name, DetectorSpec(name, nothing(ViewSpec()), score=kind), recipe)
        case "dense-ae":
            return dense(name, kind, recipe)
        case "cae-mcs":
            return cae_mcs(name, kind, steps)
    network = zoo.default_for(task) if base == PAPER else zoo.get(base)
    return Network(name, DetectorSpec(name, network, score=kind), recipe)
