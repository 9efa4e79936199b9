"""Print what stands around a network: front end tables, scoring, the application's glue, memory."""

from typing import Any

from outliernets.codegen.render import render
from outliernets.features.plan import MelPlan
from outliernets.score import ScorePlan


def detector_files(name: str, mel: MelPlan, score: ScorePlan) -> dict[str, str]:
    """Return the Mel tables (``NAME_mel.h/.c``) and the detector (``NAME_detector.c``)."""
    tables = {"name": name, "mel": mel.context()}
    return {
        f"{name}_mel.h": render("mel.h.j2", **tables),
        f"{name}_mel.c": render("mel.c.j2", **tables),
        f"{name}_detector.c": render(
            "detector.c.j2", name=name, guard=name.upper(), score=score.context()
        ),
    }


def app_files(name: str, model_id: int, front_end: bool) -> dict[str, str]:
    """Return ``app_model.h``, which names the model for the applications in ``firmware/app``."""
    context = {"name": name, "guard": name.upper(), "model_id": model_id, "front_end": front_end}
    return {"app_model.h": render("app_model.h.j2", **context)}


def linker_files(context: dict[str, Any] | None) -> dict[str, str]:
    """Return ``link.ld`` for a bare-metal board; nothing for one whose OS loads programs."""
    return {} if context is None else {"link.ld": render("linker.ld.j2", **context)}
