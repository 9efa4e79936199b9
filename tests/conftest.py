"""What all tests share: the reference material and the switch that rewrites golden files."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a change fails for what it changed. Timings are benchmarks.
settings.register_profile("ongen", derandomize=True, deadline=None)
settings.load_profile("ongen")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")
    parser.addoption("--networks", type=int, default=300, help="how many random networks to test")
    parser.addoption("--network", type=int, help="test only the random network of this seed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference models and recordings beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the checkout (reference models and recordings)")
    return SHARED


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def has_compiler():
    """Skip, with the reason, when a compiler a test names is not on this machine."""

    def check(name: str) -> None:
        missing = (
            shutil.which("gcc") is None
            if name == "gcc"
            else importlib.util.find_spec("ziglang") is None
        )
        if missing:
            pytest.skip(f"no {name} on this machine")

    return check
