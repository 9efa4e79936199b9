"""What a search found, as one HTML page without anything to load: figures are SVG.

The same study gives the same bytes, whenever and wherever it is drawn.
"""

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from outliernets import resources
from outliernets.files import written_whole
from outliernets.search.generator import Generator
from outliernets.search.inquisitor import Inquisitor, Observation
from outliernets.search.screen import Screened, decisive

TEMPLATE = "search.html.j2"
SHOWN = 10  #: candidates in the table, and decisions that are told about
LEAST = 4  #: trained candidates from which anything can be learned
GOOD_SHARE = 4  #: one in so many is among the best
SALT = "ongen"  #: of the names inside an SVG
FEASIBLE_COLOUR, OTHER_COLOUR, LINE_COLOUR = "#1f77b4", "#bbbbbb", "#d62728"
HEADING = ("trial", "NetScore", "AUC", "parameters", "MAC", "flash", "RAM", "instructions",
           "latency", "detector")  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A trained candidate: what it is worth and costs."""

    number: int
    score: float
    auc: float
    costs: Mapping[str, float]
    feasible: bool
    decisions: Mapping[str, Any]
    name: str
    detector: str

    @property
    def cells(self) -> tuple[str, ...]:
        """Its row in the table."""
        costs = self.costs
        return (
            str(self.number),
            f"{self.score:.2f}",
            f"{self.auc:.3f}",
            f"{costs['params']:,.0f}",
            f"{costs['macs']:,.0f}",
            f"{costs['flash']:,.0f}",
            f"{costs['ram']:,.0f}",
            f"{costs['instructions']:,.0f}",
            f"{1000 * costs['latency']:.2f} ms",
            self.name,
        )


def write_report(study: Any, path: Path) -> None:
    """Write the page about an Optuna ``study`` of ``outliernets.search`` to ``path``."""
    with written_whole(path) as partial:
        partial.write_text(page(study), encoding="utf-8")


def page(study: Any) -> str:
    """Return the page about a study."""
    trials = study.get_trials(deepcopy=False)
    found = trained(trials)
    best = sorted((f for f in found if f.feasible), key=lambda f: (-f.score, f.number))
    text: str = (
        _environment()
        .get_template(TEMPLATE)
        .render(
            name=study.study_name,
            summary=_summary(trials, best),
            figures=_figures(found) if found else [],
            lessons=lessons(found),
            heading=HEADING,
            best=[f.cells for f in best[:SHOWN]],
            detector=best[0].detector if best else "",
        )
    )
    return text


def trained(trials: Sequence[Any]) -> list[Found]:
    """Return what was trained to the end, in order."""
    return [
        Found(
            number=trial.number,
            score=float(trial.value),
            auc=float(trial.user_attrs["auc"]),
            costs=trial.user_attrs["costs"],
            feasible=bool(trial.user_attrs.get("feasible", True)),
            decisions=trial.params,
            name=str(trial.user_attrs.get("name", "")),
            detector=str(trial.user_attrs.get("detector", "")),
        )
        for trial in trials
        if trial.state.name == "COMPLETE" and {"auc", "costs"} <= trial.user_attrs.keys()
    ]


def front(found: Sequence[Found], cost: str) -> list[Found]:
    """Return those that no other beats in AUC at the same ``cost`` or less, the cheapest first."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda f: (f.costs[cost], -f.auc, f.number)):
        if not kept or one.auc > kept[-1].auc:
            kept.append(one)
    return kept


def lessons(found: Sequence[Found]) -> list[tuple[str, ...]]:
    """Return for decisions that moved the AUC most: importance, preferred choice, its shares."""
    if len(found) < LEAST:
        return []
    options = {
        name: tuple(sorted({f.decisions[name] for f in found}, key=lambda o: (str(type(o)), o)))
        for name in found[0].decisions
    }
    importance = Inquisitor(options, [_observed(f) for f in found], seed=0).importance
    good = sorted(found, key=lambda f: (not f.feasible, -f.score, f.number))
    good = good[: max(LEAST, len(found) // GOOD_SHARE)]
    sizes = [len(o) for o in options.values()]
    numbers = [[o.index(f.decisions[n]) for n, o in options.items()] for f in good]
    liked = Generator.taught(sizes, np.array(numbers)).preferences
    rows: list[tuple[str, ...]] = []
    for name in sorted(options, key=lambda n: (-importance[n], n))[:SHOWN]:
        if not importance[name]:
            break
        choice = options[name][int(np.argmax(liked[list(options).index(name)]))]
        shares = [np.mean([f.decisions[name] == choice for f in some]) for some in (good, found)]
        rows.append(
            (name, f"{importance[name]:.0%}", str(choice), f"{shares[0]:.0%}", f"{shares[1]:.0%}")
        )
    return rows


def _observed(found: Found) -> Observation:
    screened = Screened(decisive=decisive(found.decisions))
    return Observation(found.decisions, screened, found.auc)


def _summary(trials: Sequence[Any], best: Sequence[Found]) -> str:
    states = Counter("refused" if t.user_attrs.get("refused") else t.state.name for t in trials)
    names = {"COMPLETE": "trained", "PRUNED": "stopped early", "refused": "beyond the limits",
             "FAIL": "failed", "RUNNING": "running", "WAITING": "waiting"}  # fmt: skip
    counts = ", ".join(f"{states[s]} {text}" for s, text in names.items() if states[s])
    if not best:
        return f"Candidates: {counts or 'none'}. None of them is within all limits yet."
    return (
        f"Candidates: {counts}. The best: trial {best[0].number}, NetScore {best[0].score:.2f}, "
        f"AUC {best[0].auc:.3f}."
    )


def _figures(found: Sequence[Found]) -> list[tuple[str, str, str]]:
    """Return title, note and SVG of each figure."""
    figures = [
        (
            "AUC and costs",
            "Each point is a trained candidate, a grey one is beyond a limit; the line joins those "
            "within the limits that no other beats.",
            _drawn(lambda figure: _draw_fronts(figure, found), 9, 3.6),
        ),
        (
            "Best so far",
            "NetScore of trained candidates, in order; the line is the best within the limits.",
            _drawn(lambda figure: _draw_progress(figure, found), 9, 3.2),
        ),
    ]
    learned = lessons(found)
    if learned:
        note = "How much each decision moved the AUC that is predicted of what was tried."
        svg = _drawn(lambda figure: _draw_importance(figure, learned), 9, 0.7 + 0.3 * len(learned))
        figures.append(("What mattered", note, svg))
    return figures


def _draw_fronts(figure: Any, found: Sequence[Found]) -> None:
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (cost, label) in zip(
        axes, (("instructions", "instructions of a window"), ("flash", "flash, bytes")), strict=True
    ):
        for feasible, colour in ((False, OTHER_COLOUR), (True, FEASIBLE_COLOUR)):
            some = [f for f in found if f.feasible == feasible]
            ax.plot([f.costs[cost] for f in some], [f.auc for f in some], "o", ms=4, color=colour)
        line = front([f for f in found if f.feasible], cost)
        ax.step([f.costs[cost] for f in line], [f.auc for f in line], where="post",
                color=LINE_COLOUR)  # fmt: skip
        ax.set_xscale("log")
        ax.set_xlabel(label)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("AUC (proxies)")


def _draw_progress(figure: Any, found: Sequence[Found]) -> None:
    ax = figure.subplots()
    places = np.arange(1, len(found) + 1)
    colours = [FEASIBLE_COLOUR if f.feasible else OTHER_COLOUR for f in found]
    ax.scatter(places, [f.score for f in found], s=14, c=colours)
    counting = np.array([f.score if f.feasible else -np.inf for f in found])
    best = np.maximum.accumulate(counting)
    ax.step(places[np.isfinite(best)], best[np.isfinite(best)], where="post", color=LINE_COLOUR)
    ax.set_xlabel("trained candidates")
    ax.set_ylabel("NetScore, dB")
    ax.grid(alpha=0.3)


def _draw_importance(figure: Any, rows: Sequence[tuple[str, ...]]) -> None:
    ax = figure.subplots()
    shares = [float(row[1].rstrip("%")) for row in rows][::-1]
    ax.barh([row[0] for row in rows][::-1], shares, color=FEASIBLE_COLOUR)
    ax.set_xlabel("importance, %")


def _drawn(draw: Any, width: float, height: float) -> str:
    """Return the SVG that ``draw`` makes of an empty figure, inches wide and high."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": SALT, "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return re.sub(r"[ \t]+$", "", text[text.index("<svg") :], flags=re.MULTILINE)


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(resources.templates()),
        undefined=StrictUndefined,
        line_statement_prefix="%%",
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
    )
