"""From PCM to log-Mel windows: the float reference, the integer plan and its exact arithmetic."""
