"""The build: named stages from recordings to a verified firmware, resumable at any point."""

from outliernets.pipeline.build import (
    build,
    evaluate_model,
    learn,
    run_again,
    stage_names,
)
from outliernets.pipeline.config import BuildConfig
from outliernets.pipeline.detect import DetectConfig, detect
from outliernets.pipeline.footprint import footprint_table
from outliernets.pipeline.front_end import compare, export_front_end
from outliernets.pipeline.library import compile_model
from outliernets.pipeline.stage import Narrator, Silence

__all__ = [
    "BuildConfig",
    "DetectConfig",
    "Narrator",
    "Silence",
    "build",
    "compare",
    "compile_model",
    "detect",
    "evaluate_model",
    "export_front_end",
    "footprint_table",
    "learn",
    "run_again",
    "stage_names",
]
