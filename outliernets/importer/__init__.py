"""From model files to graphs. The .tflite file is the border between learning and compiling."""

from outliernets.importer.tflite import read

__all__ = ["read"]
