"""From a lowered graph, a Mel plan and a board to text: {file name: content}. Pure functions."""

from outliernets.codegen.network import network_files

__all__ = ["network_files"]
