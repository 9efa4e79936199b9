"""A narrator that remembers which stages ran, and what was said."""

from outliernets.pipeline.stage import Silence


class Recorder(Silence):
    def __init__(self) -> None:
        self.ran: list[str] = []
        self.notices: list[str] = []

    def end(self, stage: str, seconds: float, fresh: bool) -> None:
        if not fresh:
            self.ran.append(stage)

    def notice(self, text: str) -> None:
        self.notices.append(text)
