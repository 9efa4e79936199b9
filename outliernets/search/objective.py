"""What a search maximises: NetScore, with proxies for faults in place of labelled ones."""

import math
from dataclasses import dataclass

LEAST_PERCENT = 1.0  #: an accuracy below counts as this: the logarithm of zero is none


@dataclass(frozen=True)
class NetScore:
    """20 log10(a^alpha / (p^beta m^gamma)), a in %, p and m in units (arXiv 1806.05512)."""

    alpha: float = 2.0  #: power of the accuracy
    beta: float = 0.5  #: power of the parameters
    gamma: float = 0.5  #: power of the multiply-accumulates
    params_unit: float = 1e6
    macs_unit: float = 1e9
    shortfall: float = 4.0  #: dB that a point (%) below the floor takes from a rung's result

    def of(self, auc: float, params: int, macs: int) -> float:
        """Return the NetScore in dB; ``auc`` 0 ... 1 stands for the accuracy."""
        return self.of_accuracy(auc) + self.of_costs(params, macs)

    def of_accuracy(self, auc: float) -> float:
        """Return what the accuracy adds, in dB."""
        return 20 * self.alpha * math.log10(max(100 * auc, LEAST_PERCENT))

    def of_costs(self, params: int, macs: int) -> float:
        """Return what is known without training, in dB: more for less."""
        p, m = max(params, 1) / self.params_unit, max(macs, 1) / self.macs_unit
        return -20 * (self.beta * math.log10(p) + self.gamma * math.log10(m))

    def of_rung(self, auc: float, params: int, macs: int, floor: float) -> float:
        """Return what candidates in training are compared by: a small one that is deaf loses."""
        return self.of(auc, params, macs) - self.shortfall * 100 * max(floor - auc, 0.0)
