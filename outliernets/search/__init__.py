"""Searches for a detector that suits a machine and fits a board."""
