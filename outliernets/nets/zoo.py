"""Networks by name and by task: the paper's Table 1 as data, and a member of the family per row.

The paper (arXiv 2104.00528) prints sizes, not widths. The widths here reproduce PARAMS exactly and
FLOPs within print rounding; they are *an* architecture of the published family with exactly the
published cost, not *the* OutlierNet of that row.
"""

from dataclasses import dataclass

from outliernets.config import Task
from outliernets.errors import ConfigError, near_miss
from outliernets.nets.space import ArchSpec


@dataclass(frozen=True)
class PaperRow:
    """One row of Table 1, as printed: ``flops`` is text because its digits say its precision.

    ``arm_ms`` (Cortex-A72) and ``intel_ms`` (i5-7600K) are headed "us" in the paper; its authors'
    code shows that they are milliseconds. The two AUC columns are per window, in percent.
    """

    task: Task
    params: int
    size_kb: float
    flops: str
    arm_ms: float
    intel_ms: float
    auc: float
    auc_cae_mcs: float

    def prints_flops_of(self, flops: int) -> bool:
        """Whether ``flops``, rounded to as many digits as the paper prints, is what it prints."""
        digits = self.flops.removesuffix("M")
        decimals = len(digits.partition(".")[2])
        return f"{flops / 1e6:.{decimals}f}" == digits


_FAN = {
    686: (4, 5, 8, 11, 8, 4),
    861: (3, 4, 13, 12, 11, 3),
    907: (3, 6, 12, 12, 11, 4),
    1025: (4, 9, 10, 13, 13, 4),
    1067: (4, 9, 11, 14, 13, 3),
    1826: (5, 10, 22, 21, 10, 9),
    2028: (7, 12, 24, 17, 18, 5),
    2892: (8, 14, 25, 28, 19, 8),
    2919: (7, 16, 26, 29, 16, 8),
    2992: (7, 14, 27, 31, 16, 8),
    3055: (8, 15, 26, 31, 17, 8),
    6840: (12, 27, 45, 44, 28, 13),
}
_SLIDER = {
    21781: (4, 4, 4, 8, 16, 8, 64, 12, 8, 8, 4),
    27229: (4, 8, 8, 20, 24, 20, 16, 32, 8, 4, 4),
    42377: (4, 4, 8, 16, 24, 40, 20, 28, 12, 4, 4),
    53705: (4, 4, 8, 32, 20, 28, 60, 12, 8, 8, 4),
    57497: (4, 4, 4, 16, 44, 28, 40, 24, 12, 4, 4),
    58157: (4, 4, 8, 24, 48, 36, 20, 20, 8, 8, 4),
    58729: (4, 4, 4, 32, 56, 24, 32, 16, 8, 8, 4),
    69877: (4, 8, 8, 24, 28, 40, 60, 4, 12, 8, 4),
}

#: Two sizes stand in two rows with *different* FLOPs, so these rows had other widths: found by
#: searching the family for exactly the printed PARAMS and FLOPs, as the others were.
_OTHER_WIDTHS = {
    "slider/00/0dB": ArchSpec("slider-21781b", "slider", (4, 12, 12, 16, 24, 12, 36, 4, 16, 4, 4)),
    "slider/06/0dB": ArchSpec("slider-58157b", "slider", (4, 4, 4, 24, 48, 36, 20, 24, 8, 8, 4)),
}

# task, PARAMS, SIZE (KB), FLOPs, ARM, INTEL, AUC (%), AUC of CAE-MCS (%)
_TABLE_1 = """
fan/00/6dB      2028   7.9 7.33M 11.62  0.530  87.0 83.8
fan/02/6dB       907   3.5 3.63M  7.156 0.379  98.7 98.7
fan/04/6dB      3055  11.9 10.6M 12.445 0.623  96.6 93.8
fan/06/6dB       686   2.7 2.87M  7.601 0.366 100.0 99.8
fan/00/0dB      2992  11.7 10.3M 18.149 0.570  62.2 62.7
fan/02/0dB      1067   4.2 4.18M 12.305 0.414  91.9 92.7
fan/04/0dB      1025   4.0 4.19M 12.783 0.426  79.7 82.1
fan/06/0dB       861   3.4 3.39M 12.847 0.382  99.6 99.0
fan/00/-6dB     6840  26.7 22.9M 15.639 0.746  51.5 54.5
fan/02/-6dB     2892  11.3 10.5M 19.074 0.616  70.6 77.4
fan/04/-6dB     1826   7.1 6.48M 16.372 0.483  61.1 63.9
fan/06/-6dB     2919  11.4 10.1M 17.724 0.577  96.7 93.4
slider/00/6dB  21781  85.1 4.63M 10.513 0.481  99.4 99.7
slider/02/6dB  69877 273.0 5.35M 10.993 0.508  97.0 98.6
slider/04/6dB  58729 229.4 5.12M 10.842 0.473  98.2 97.7
slider/06/6dB  53705 209.8 5.11M 10.893 0.501  91.4 89.6
slider/00/0dB  21781  85.1 4.62M 10.567 0.459  98.9 99.3
slider/02/0dB  69877 273.0 5.35M 10.932 0.488  88.3 92.8
slider/04/0dB  42377 165.5 4.90M 10.605 0.503  94.1 93.1
slider/06/0dB  58157 227.2 5.17M 10.758 0.498  75.0 72.9
slider/00/-6dB 27229 106.4 4.67M 10.729 0.459  96.4 95.8
slider/02/-6dB 27229 106.4 4.67M 10.729 0.463  78.5 80.6
slider/04/-6dB 57497 224.6 5.11M 10.748 0.473  86.9 84.8
slider/06/-6dB 58157 227.2 5.11M 10.903 0.475  61.9 63.7
"""


def _row(line: str) -> PaperRow:
    task, params, size, flops, arm, intel, auc, auc_cae = line.split()
    figures = (float(arm), float(intel), float(auc), float(auc_cae))
    return PaperRow(Task.parse(task), int(params), float(size), flops, *figures)


PAPER_ROWS = tuple(_row(line) for line in _TABLE_1.strip().splitlines())
PAPER_MEAN_AUC = {"fan": (83.0, 83.5), "slider": (88.8, 89.1)}  #: OutlierNets, CAE-MCS (%)
DEFAULT = "fan-686"

_CAE_MCS = ArchSpec("cae-mcs", "cae", (32, 64, 128, 256, 512, 40, 256, 128, 64, 32))
_BY_NAME = {
    spec.name: spec
    for spec in [
        *(ArchSpec(f"fan-{params}", "fan", widths) for params, widths in _FAN.items()),
        *(ArchSpec(f"slider-{params}", "slider", widths) for params, widths in _SLIDER.items()),
        *_OTHER_WIDTHS.values(),
        _CAE_MCS,
    ]
}
_BY_TASK = {
    row.task: _OTHER_WIDTHS.get(str(row.task), _BY_NAME[f"{row.task.machine}-{row.params}"])
    for row in PAPER_ROWS
}
_ROW_OF_TASK = {row.task: row for row in PAPER_ROWS}


def names() -> tuple[str, ...]:
    """Return the names of all networks, smallest first."""
    return tuple(sorted(_BY_NAME, key=lambda name: _BY_NAME[name].params))


def get(name_or_task: str | Task) -> ArchSpec:
    """Return the network called ``fan-686``, or that of a task of Table 1 (``fan/06/6dB``).

    Raise ConfigError for a name that does not exist; for a task outside the table use
    ``default_for``.
    """
    if isinstance(name_or_task, str) and "/" not in name_or_task:
        if name_or_task in _BY_NAME:
            return _BY_NAME[name_or_task]
        raise ConfigError(f"unknown network '{name_or_task}'; {near_miss(name_or_task, _BY_NAME)}")
    task = Task.parse(name_or_task) if isinstance(name_or_task, str) else name_or_task
    if task in _BY_TASK:
        return _BY_TASK[task]
    known = [str(row.task) for row in PAPER_ROWS]
    raise ConfigError(f"task {task} is not in the paper's Table 1; {near_miss(str(task), known)}")


def default_for(task: Task) -> ArchSpec:
    """Return the network to try first: the paper's for its 24 tasks, else ``fan-686``."""
    return _BY_TASK.get(task, _BY_NAME[DEFAULT])


def paper_row(task: Task) -> PaperRow | None:
    """Return what the paper reports for ``task``, or None if it is not in Table 1."""
    return _ROW_OF_TASK.get(task)
