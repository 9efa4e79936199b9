"""ArchSpecs are read, written and refused with a clear reason."""

from pathlib import Path

import pytest

from outliernets.errors import ConfigError
from outliernets.nets import zoo
from outliernets.nets.space import ArchSpec


@pytest.mark.parametrize("name", zoo.names())
def test_toml_round_trip(name: str) -> None:
    spec = zoo.get(name)
    assert ArchSpec.from_toml(spec.to_toml()) == spec


def test_load_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nfamily = "fan"\nencoder = [1, 2, 3]\ndecoder = [4, 5, 6]\n')
    assert ArchSpec.load(path) == ArchSpec("mine", "fan", (1, 2, 3, 4, 5, 6))


FAN = 'name = "a"\nfamily = "fan"\nencoder = [1, 2, 3]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML"),
        ('family = "fan"', "name must be a plain text"),
        ('name = "a"\nfamily = 3', "family must be a plain text"),
        ('name = "a"\nfamily = "fann"', "unknown family 'fann'; did you mean 'fan'"),
        (FAN, "decoder must be a list of 3 integers, got None"),
        (FAN + "decoder = [1, 2]", "decoder must be a list of 3 integers"),
        (FAN + 'decoder = [1, 2, "3"]', "decoder must be a list of 3 integers"),
        (FAN + "decoder = [1, 2, true]", "decoder must be a list of 3 integers"),
        (FAN + "decoder = [1, 2, 0]", "width 0 is not within 1..4096"),
        (FAN + "decoder = [1, 2, 3]\ndecodr = 1", "unknown key 'decodr'; did you mean 'decoder'"),
        (
            'name = "a"\nfamily = "slider"\nencoder = [1,1,1,1,1]\nlatent = [2]\nseed = 1\n'
            "decoder = [1,1,1,1]",
            "latent must be an integer",
        ),
    ],
)
def test_bad_toml_says_what_and_where(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        ArchSpec.from_toml(text, "mine.toml")
    assert str(caught.value).startswith("mine.toml") or "network 'a'" in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot read"):
        ArchSpec.load(tmp_path / "nowhere.toml")


def test_wrong_number_of_widths_shows_the_form() -> None:
    with pytest.raises(ConfigError, match=r"takes 6 widths \(encoder x 3, decoder x 3\), got 2"):
        ArchSpec("a", "fan", (1, 2))


def test_a_fan_may_read_pooled_frames() -> None:
    whole, pooled = (ArchSpec("f", "fan", (4, 5, 8, 11, 8, 4), rows) for rows in (None, 8))
    assert (whole.input_shape, pooled.input_shape) == ((32, 128), (8, 128))
    assert pooled.params == whole.params
    assert pooled.macs * 4 == whole.macs
    assert pooled.layers[-1].target == (8, 128, 1)
    assert ArchSpec.from_toml(pooled.to_toml()) == pooled
    assert "rows" not in whole.to_toml()


@pytest.mark.parametrize("rows", ["5", "64", '"8"'])
def test_rows_a_family_does_not_read_are_refused(rows: str) -> None:
    text = zoo.get("fan-686").to_toml() + f"rows = {rows}\n"
    with pytest.raises(ConfigError, match=r"family fan reads 32, 16, 8, 4 rows|must be an integer"):
        ArchSpec.from_toml(text)
