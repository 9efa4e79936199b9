"""Print what stands around a network: front end tables, scoring, the application's glue, memory."""

from typing import Any

from outliernets.alarm import AlarmConfig
from outliernets.codegen.render import render
from outliernets.features.plan import MelPlan
from outliernets.score import ScorePlan
from outliernets.view import ViewPlan


def detector_files(
    name: str, mel: MelPlan, score: ScorePlan, view: ViewPlan | None = None
) -> dict[str, str]:
    """Return the front end (``mel_files``) and the detector (``NAME_detector.c``).

    ``view``: what the network looks at, None for whole windows. ``network_files`` needs the same
    score and view: they say what the state holds.
    """
    view = view or ViewPlan.whole(mel.config.frames, mel.config.n_mels)
    around = {"score": score.context(), "view": view.context()}
    text = render("detector.c.j2", name=name, guard=name.upper(), **around)
    return mel_files(name, mel) | {f"{name}_detector.c": text}


def mel_files(name: str, mel: MelPlan) -> dict[str, str]:
    """Return the Mel tables, ``NAME_mel.h`` and ``NAME_mel.c``, and ``on_mel_config.h``."""
    context = {"name": name, "mel": mel.context()}
    tables = {f"{name}_mel.{kind}": render(f"mel.{kind}.j2", **context) for kind in "hc"}
    return tables | {"on_mel_config.h": render("mel_config.h.j2", mel=mel.context())}


def mel_example_files(name: str, mel: MelPlan, low: float, high: float) -> dict[str, str]:
    """Return ``NAME_example.c``, which turns sound into rows of ``low`` ... ``high`` dB."""
    context = {"name": name, "mel": mel.context(), "low": low, "high": high}
    step = format((high - low) / 255, ".6g")
    return {f"{name}_example.c": render("mel_example.c.j2", step=step, **context)}


def app_files(name: str, model_id: int, front_end: bool) -> dict[str, str]:
    """Return ``app_model.h``, which names the model for the applications in ``firmware/app``."""
    context = {"name": name, "guard": name.upper(), "model_id": model_id, "front_end": front_end}
    return {"app_model.h": render("app_model.h.j2", **context)}


def front_end_app_files(name: str, identity: int) -> dict[str, str]:
    """Return ``app_model.h``, which names a front end for ``firmware/app/front_end.c``."""
    return {"app_model.h": render("app_front_end.h.j2", name=name, id=identity)}


def detect_app_files(alarm: AlarmConfig) -> dict[str, str]:
    """Return ``app_detect.h``, the alarm's settings for ``firmware/app/detect.c``."""
    return {"app_detect.h": render("app_detect.h.j2", alarm=alarm.context())}


def linker_files(context: dict[str, Any] | None) -> dict[str, str]:
    """Return ``link.ld`` for a bare-metal board; nothing for one whose OS loads programs."""
    return {} if context is None else {"link.ld": render("linker.ld.j2", **context)}
