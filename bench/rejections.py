"""How many detectors of the search space that do not fit are rejected in a second.

    python -m bench.rejections [--board stm32f746] [--points 2000]

Random points are held against limits, each for the first time. Processor time of one core.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence

from outliernets import boards
from outliernets.errors import OngenError
from outliernets.search import costs, space
from outliernets.search.costs import Limits

K = 1024
LIMITS = {
    "flash 32K, RAM 24K, 10 ms": Limits(100_000, 32 * K, 24 * K, 0.010),
    "flash 64K, RAM 32K, 20 ms": Limits(100_000, 64 * K, 32 * K, 0.020),
    "flash 24K, RAM 20K, 7 ms": Limits(20_000, 24 * K, 20 * K, 0.007),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--board", default="stm32f746")
    parser.add_argument("--points", type=int, default=2000)
    options = parser.parse_args(arguments)
    board, chance = boards.load(options.board), random.Random(0)
    points = [
        {name: chance.choice(choices) for name, choices in space.DECISIONS.items()}
        for _ in range(options.points)
    ]
    for name, limits in LIMITS.items():
        costs.costs.cache_clear()
        rejected, early, spent = 0, 0, 0.0
        for point in points:
            before = costs.costs.cache_info().misses
            start = time.process_time()
            _, too_much = costs.checked(space.detector(point), board, limits)
            if too_much:
                spent += time.process_time() - start
                rejected += 1
                early += before == costs.costs.cache_info().misses
        print(
            f"{name}: {rejected / len(points):.0%} rejected, {early / rejected:.0%} of them without"
            f" a sketch, {rejected / spent:.0f} per second"
        )


if __name__ == "__main__":
    try:
        main()
    except OngenError as error:
        sys.exit(f"rejections: {error}")
