"""From a lowered graph, a Mel plan and a board to text: {file name: content}. Pure functions."""

from outliernets.codegen.detector import (
    app_files,
    detect_app_files,
    detector_files,
    front_end_app_files,
    linker_files,
    mel_example_files,
    mel_files,
)
from outliernets.codegen.network import network_files

__all__ = [
    "app_files",
    "detect_app_files",
    "detector_files",
    "front_end_app_files",
    "linker_files",
    "mel_example_files",
    "mel_files",
    "network_files",
]
