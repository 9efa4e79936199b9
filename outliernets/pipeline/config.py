"""What one build is made from, and where its results go."""

from dataclasses import dataclass, field
from pathlib import Path

from outliernets import boards, target
from outliernets.config import SEED, MelConfig, Task

DEFAULT_OUT = Path("build")
DEFAULT_TOOLCHAIN = "zig"


@dataclass(frozen=True)
class BuildConfig:
    """The user's choices; everything else follows from them."""

    task: Task
    board: str | None = None  #: name or TOML file; None to stop before the firmware
    data: Path | None = None  #: folder of recordings; None: simulated machines
    split: str = "mimii"  #: which normal clips are the test, see SplitRule
    detector: str | None = None  #: name or TOML file; None: chosen by the machine's normal sound
    arch: str | None = None  #: zoo name or TOML file of a network for the paper's detector
    target: str | None = None  #: None: the board's first
    toolchain: str = DEFAULT_TOOLCHAIN
    out: Path = DEFAULT_OUT
    seed: int = SEED
    steps: int | None = None  #: training steps; None: the recipe's
    fine_tune: bool = False  #: for int8, after training
    clips: int | None = None  #: test clips replayed on the target; None: all
    mel: MelConfig = field(default_factory=MelConfig)

    @property
    def target_name(self) -> str:
        """Where the firmware runs."""
        assert self.board is not None
        return self.target or boards.load(self.board).default_target

    @property
    def built_for(self) -> str:
        """The target whose program runs there: a board at a port has that of its first target."""
        assert self.board is not None
        at_port = target.is_port(self.target_name)
        return boards.load(self.board).default_target if at_port else self.target_name

    @property
    def task_folder(self) -> Path:
        """Where the stages go that no board matters to."""
        return self.out / self.task.machine / self.task.unit / self.task.snr

    @property
    def board_folder(self) -> Path:
        """Where the firmware and its report go."""
        assert self.board is not None
        return self.task_folder / Path(self.board).stem

    @property
    def simulated_folder(self) -> Path:
        """Where simulated recordings are kept, shared by all tasks, in MIMII's layout."""
        return self.out / "simulated"

    @property
    def log_mel_folder(self) -> Path:
        """Where spectrograms are kept, shared by all tasks, seeds and networks."""
        return self.out / "log_mel"
