"""ongen: from recordings of one machine's normal sound to verified firmware that hears a change."""

__version__ = "0.1.0"
