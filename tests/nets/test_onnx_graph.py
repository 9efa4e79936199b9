"""A network as ONNX answers as its Keras model does: every family, every kind of layer."""

import numpy as np
import pytest

from outliernets.nets import zoo
from outliernets.nets.layers import Kind
from outliernets.nets.onnx_graph import _WRITERS, to_onnx
from outliernets.nets.space import ArchSpec
from outliernets.pipeline.untrained import untrained

CHAIN = (
    "conv 3x3 4 stride 2x1",
    "separable 3x2 6 stride 2x2",
    "pointwise 5",
    "max-pool 1x2",
    "upsample 2x2",
    "dense 7",
    "image 8x16x2",
    "conv 4x3 1 linear",
)
LATENT = ("conv 5x3 4 stride 2x3", "latent 5", "image 7x13x3", "separable 4x2 1 linear")
SPECS = [
    zoo.get("fan-686"),
    zoo.get("slider-21781"),
    ArchSpec("cae-small", "cae", (3, 4, 5, 6, 7, 4, 6, 5, 4, 3)),
    ArchSpec("dense", "dense", (64, 16, 4, 16)),
    ArchSpec("linear", "linear", (64, 4)),
    ArchSpec("chain", "chain", input=(8, 16), listed=CHAIN),
    ArchSpec("latent", "chain", input=(7, 13), listed=LATENT),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_onnx_equals_keras(spec: ArchSpec):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason=f"{package} is not installed: ongen[bench]")
    import onnxruntime

    network = untrained(spec)
    session = onnxruntime.InferenceSession(to_onnx(spec, network.model))
    for x in network.windows[:3, None]:
        (y,) = session.run(None, {"x": x})
        expected = np.asarray(network.model(x))
        assert y.shape == expected.shape
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(y, expected, atol=1e-4, rtol=0)


def test_every_kind_of_layer_is_tried():
    tried = {layer.kind for spec in SPECS for layer in spec.layers}
    assert tried == set(_WRITERS) == set(Kind.__args__)
    assert any(layer.norm for spec in SPECS for layer in spec.layers)
