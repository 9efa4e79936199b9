"""Keras builds what the formulas count."""

import pytest

from outliernets.nets import zoo
from outliernets.nets.build import build


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_keras_counts_the_same_parameters(name: str) -> None:
    spec = zoo.get(name)
    model = build(spec)
    assert model.count_params() == spec.params
    assert model.output_shape == (None, 32, 128, 1)
    for layer in spec.layers:
        keras_layer = model.get_layer(
            f"{layer.name}_image" if layer.kind == "dense" else layer.name
        )
        assert keras_layer.output.shape[1:] == layer.target
