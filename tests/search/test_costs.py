"""What the search expects of a detector: bounds, limits, and what programs really cost."""

import random
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import assume, given, settings

from bench.detector_costs import converted, lowered_of, measure, random_points
from outliernets import boards
from outliernets.detectors.spec import DetectorSpec
from outliernets.errors import ConfigError
from outliernets.kernels import cost
from outliernets.lower import lower
from outliernets.search import around, costs, space
from outliernets.search.bounds import bounds
from outliernets.search.costs import Costs, Limits
from tests.search.test_space import points

K = 1024
BOARD = boards.load("stm32f746")
VECTORS = boards.load("cortex-a72")
FITS = 40_000  #: parameters of what is tried
LIMITS = Limits(100_000, max_flash=32 * K, max_ram=24 * K, max_latency=0.01)


def random_detectors(count: int) -> list[DetectorSpec]:
    chance = random.Random(5)
    drawn = ({n: chance.choice(o) for n, o in space.DECISIONS.items()} for _ in range(count))
    return [space.detector(point) for point in drawn]


def values(found: Costs) -> dict[str, float]:
    return {f.name: getattr(found, f.name) for f in fields(found)}


# ---- without a board ----------------------------------------------------------------------


@settings(max_examples=40)
@given(points)
def test_bounds_are_never_above_costs(point: dict[str, Any]) -> None:
    spec = space.detector(point)
    assume(spec.network.params < FITS)
    for compiler in ("zig", "gcc"):
        least = values(costs.at_least(spec, BOARD, compiler))
        found = values(costs.costs(spec, BOARD, compiler))
        assert all(least[name] <= found[name] for name in found), (least, found)
        assert (least["params"], least["macs"]) == costs.learned_costs(spec)
        assert (found["params"], found["macs"]) == costs.learned_costs(spec)


@settings(max_examples=15)
@given(points)
def test_bounds_of_vectors_are_never_above_costs(point: dict[str, Any]) -> None:
    spec = space.detector(point)
    assume(spec.network.params < FITS)
    least, found = values(costs.at_least(spec, VECTORS)), values(costs.costs(spec, VECTORS))
    assert all(least[name] <= found[name] for name in found), (least, found)


LAYERED = [spec for spec in random_points(12, seed=3) if spec.network.layers][:6]


@pytest.mark.parametrize("spec", LAYERED, ids=lambda spec: spec.name)
def test_bounds_of_a_network_are_near_enough_to_be_of_use(spec: DetectorSpec) -> None:
    lowered = lowered_of(spec, BOARD.name)
    least, found = bounds(spec.network.layers), cost.predict(lowered)
    assert 0.2 * found.flash < least.flash <= found.flash
    assert 0.4 * lowered.memory.size < least.arena <= lowered.memory.size
    assert 0.2 * found.instructions < least.instructions <= found.instructions


def test_parts_add_up() -> None:
    spec = random_points(2)[1]
    lowered, rates = lowered_of(spec, BOARD.name), around.Rates.of(BOARD.cpu, "gcc")
    network, found = cost.predict(lowered, BOARD.cpu, "gcc"), costs.costs(spec, BOARD, "gcc")
    assert found.flash == pytest.approx(network.flash + around.flash(spec, False, rates), abs=1)
    frames = 32 * rates.instructions["frame"]
    assert found.instructions > network.instructions + frames
    cycles = network.instructions * rates.network + around.waits(network, BOARD)
    assert found.latency > (cycles + frames * rates.around) / BOARD.clock_hz


def test_more_costs_more() -> None:
    point = space.smallest() | {"view": "pool 8", "frames_network": "convolutions", "levels": 2}
    found = [
        values(costs.costs(space.detector(point | {"encoder_2_width": width}), BOARD))
        for width in (2, 8, 32)
    ]
    for name in set(found[0]) - {"ram"}:  # another kernel may need less
        assert found[0][name] < found[1][name] < found[2][name]


def test_the_smallest_detectors_are() -> None:
    small = [values(costs.costs(space.detector(p), BOARD)) for p in space.smallest_ones()]
    for spec in random_detectors(200):
        least = values(costs.at_least(spec, BOARD))
        if any(least[name] < min(s[name] for s in small) for name in least):
            found = values(costs.costs(spec, BOARD))
            assert all(found[name] >= min(s[name] for s in small) for name in found), spec


# ---- limits -------------------------------------------------------------------------------


def test_what_is_exceeded_is_said_in_the_units_of_the_command_line() -> None:
    found = Costs(5000, 10**6, 41 * K, 4198, 2_200_000, 0.0102)
    limits = Limits(4999, 32 * K, 4 * K, 0.01, 2_000_000)
    assert limits.exceeded(found) == (
        "params 5,000 of 4,999",
        "flash 41K of 32K",
        "ram 4.1K of 4K",
        "latency 10.2 ms of 10 ms",
        "instructions 2.2M of 2M",
    )
    assert Limits().exceeded(found) == ()
    assert Limits(5000, 41 * K, 4198, 0.0102, 2_200_000).exceeded(found) == ()


def test_most_of_what_does_not_fit_is_never_sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = random_detectors(80)
    expected = [bool(LIMITS.exceeded(costs.costs(s, BOARD))) for s in specs if _is_quick(s)]
    sketched = list[str]()

    def noted(spec: DetectorSpec, board: boards.Board) -> Any:
        sketched.append(spec.name)
        return sketch(spec, board)

    sketch = costs._lowered
    monkeypatch.setattr(costs, "_lowered", noted)
    costs.costs.cache_clear()
    rejected = [spec for spec in specs if costs.checked(spec, BOARD, LIMITS)[1]]
    assert [s in rejected for s in specs if _is_quick(s)] == expected
    early = [spec for spec in rejected if spec.name not in sketched]
    assert 0.2 * len(specs) < len(rejected) < 0.8 * len(specs)
    assert len(early) > 0.8 * len(rejected)


def _is_quick(spec: DetectorSpec) -> bool:
    return spec.network.params < 100_000


def test_too_many_parameters_need_no_sketch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "_lowered", None)
    spec = space.detector(
        space.hand_made()[0] | {"view": "window", "frames_network": "dense", "hidden": 64}
    )
    _, exceeded = costs.checked(spec, BOARD, LIMITS)
    assert exceeded[0] == "params 528,770 of 100,000"


def test_what_a_score_learns_counts_as_parameters() -> None:
    none = space.hand_made()[0] | {"statistics_network": "none", "bands": 64}
    plain, learned = (space.detector(none | {"score": s}) for s in ("bands", "mahalanobis"))
    limits = Limits(max_params=2143)
    assert costs.checked(plain, BOARD, limits)[1] == ()
    assert costs.checked(learned, BOARD, limits)[1] == ("params 2,144 of 2,143",)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (
            Limits(max_ram=2 * K),
            r"^max-ram 2K: the smallest feasible network needs 14\.\d+K; raise",
        ),
        (Limits(max_flash=8 * K), r"^max-flash 8K: the smallest feasible network needs 17\.\d+K"),
        (Limits(max_latency=0.001), r"^max-latency 1 ms: .* needs 6\.\d+ ms"),
        (Limits(max_instructions=10**6), r"^max-instructions 1M: .* needs 1\.\d+M"),
        (
            Limits(max_flash=18_500, max_ram=15_300),
            r"^no network is within max-flash and max-ram together",
        ),
    ],
)
def test_impossible_limits_are_found_before_anything_is_trained(
    limits: Limits, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        costs.check_possible(limits, BOARD)
    assert "\n" not in str(caught.value)


def test_possible_limits_are_accepted() -> None:
    costs.check_possible(Limits(), BOARD)
    costs.check_possible(LIMITS, BOARD)


@pytest.mark.parametrize(
    ("board", "compiler", "message"),
    [
        (
            "stm32g0b1",
            "zig",
            "no cost model for cpu 'cortex-m0plus', so no search for it; boards with one: cortex-",
        ),
        ("stm32f746", "icc", "no cost model for compiler 'icc'"),
    ],
)
def test_processors_and_compilers_without_a_model_are_refused(
    board: str, compiler: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        costs.check_possible(Limits(), boards.load(board), compiler)


# ---- beside programs ----------------------------------------------------------------------


@pytest.mark.emulator
@pytest.mark.parametrize(
    ("board", "view", "statistics_network", "compiler"),
    [
        (BOARD, "pool 4", "none", "zig"),
        (BOARD, "steady", "linear", "gcc"),
        (BOARD, "steady", "none", "gcc"),
        (VECTORS, "pool 4", "none", "zig"),
    ],
    ids=["pool", "steady", "no network", "vectors"],
)
def test_costs_are_those_of_a_linked_program(
    board: boards.Board, view: str, statistics_network: str, compiler: str
) -> None:
    point = space.smallest() | {
        "view": view,
        "statistics_network": statistics_network,
        "frames_network": "convolutions",
        "levels": 3,
        "latent": 8,
        "score": "bands",
    }
    spec = space.detector(point | {"decoder_2": "separable 3x3", "encoder_2": "conv 3x1"})
    found = measure(spec, board.name, compiler)
    told = costs.costs(spec, board, compiler)
    print(found, told)
    assert told.ram == found.ram
    # A vector kernel's code is less regular.
    assert told.flash == pytest.approx(found.flash, rel=0.05 if board is VECTORS else 0.03)
    assert told.instructions == pytest.approx(found.window, rel=0.03)
    assert found.cycles is not None
    assert told.latency == pytest.approx(found.cycles / board.clock_hz, rel=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("spec", random_points(4, seed=8)[3:], ids=lambda spec: spec.name)
def test_sketches_cost_what_tensorflow_makes_of_them(
    spec: DetectorSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    sketched = costs.costs(spec, BOARD)
    monkeypatch.setattr(costs, "_lowered", lambda spec, board: lower(converted(spec)))
    made = costs.costs.__wrapped__(spec, BOARD)
    assert (made.params, made.macs, made.ram) == (sketched.params, sketched.macs, sketched.ram)
    assert made.flash == pytest.approx(sketched.flash, rel=0.03)
    assert made.instructions == pytest.approx(sketched.instructions, rel=0.03)
