"""Every network of the zoo, converted by TensorFlow: C = numpy = TensorFlow Lite Micro."""

import numpy as np
import pytest

from outliernets.nets import zoo
from outliernets.train.fit import reconstruct
from outliernets.train.quantize import to_int8
from tests.keras_models import random_model, smooth_windows
from tests.legs import assert_three_legs, tflm, tflm_infer


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_zoo_network_on_three_legs(name, tmp_path):
    spec = zoo.get(name)
    model = random_model(spec)
    large = spec.params > 1_000_000
    content = to_int8(model, smooth_windows(10 if large else 100), 6.0)
    graph = assert_three_legs(content, tmp_path, "net", count=1 if large else 4)
    assert graph.macs == spec.macs
    window = smooth_windows(1, seed=9)
    expected = reconstruct(model, window)
    answer = tflm_infer(tflm(content), graph.x.quantize(window).reshape(graph.x.shape))
    real = (answer.astype(float) - graph.y.zero_point) * graph.y.scale
    # Random weights use the int8 range badly: only a gross error of the conversion is caught here.
    assert np.abs(real.ravel() - expected.ravel()).mean() < 0.3 * expected.std()
