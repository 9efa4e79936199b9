"""Turns a Keras model into a full-int8 .tflite file that tflite-micro runs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outliernets.config import MelConfig
from outliernets.errors import DataError
from outliernets.files import written_whole
from outliernets.nets.nothing import Zeros
from outliernets.train.quiet import muted, tensorflow

Floats = NDArray[np.float32]
MIN_CALIBRATION = 20  #: windows; fewer say nothing about the ranges inside the network
LOUDER = 3  #: how much further than calibration the ranges inside the network reach
GOOD_CALIBRATION = 100  #: windows; int8 then loses at most .003 AUC, with ten up to .012


def quantize(
    model: Any, calibration: Floats, out: Path, input_range: float = MelConfig.clip_sigma
) -> None:
    """Write ``model`` as a full-int8 .tflite to ``out``, whole or not at all.

    ``calibration``: at least MIN_CALIBRATION training windows [n, 32, 128]. Weights
    get one scale per output channel, the batch is 1, input and output are int8 and the input's
    scale covers exactly +- ``input_range``. Anomalies are not in the windows but are what counts:
    ranges also cover the windows times LOUDER, see ``widened``. Same model and windows, same bytes.
    """
    if len(calibration) < MIN_CALIBRATION:
        raise DataError(
            f"quantisation needs at least {MIN_CALIBRATION} calibration windows, "
            f"got {len(calibration)}: use more training clips"
        )
    if isinstance(model, Zeros):
        content = model.to_int8(input_range)
    else:
        content = to_int8(model, widened(calibration, input_range), input_range)
    with written_whole(out) as partial:
        partial.write_bytes(content)


def to_int8(model: Any, calibration: Floats, input_range: float | None = None) -> bytes:
    """Return the .tflite file of any Keras model with one input and one output.

    ``calibration``: samples [n, ...] of the model's input. With ``input_range`` the input's scale
    covers exactly +- that range, otherwise what the samples cover.
    """
    samples = np.asarray(calibration, np.float32).reshape(-1, *model.input_shape[1:])
    if not len(samples) or not np.isfinite(samples).all():
        raise DataError("calibration windows are missing or not finite (NaN or infinite)")
    if input_range is not None:
        samples = stretched(samples, input_range)
    with muted():
        return bytes(_converter(model, samples).convert())


def widened(samples: Floats, limit: float) -> Floats:
    """Return ``samples``, and after them LOUDER times the samples, clipped to +- ``limit``.

    The converter takes the ranges of activations from what it sees. What is further from the mean
    than any normal sound would saturate inside the network, and its score be wrong: by more than
    half-steps of a three times wider range are (docs/results/int8.md).
    """
    return np.concatenate([samples, np.clip(LOUDER * samples, -limit, limit)])


def stretched(samples: Floats, limit: float) -> Floats:
    """Return ``samples`` clipped to +- ``limit`` with their extremes moved onto both limits.

    The converter takes the input's scale from the extremes it sees. Moving two pixels fixes that
    scale without a QUANTIZE operator, which is what a fake-quant node leaves behind.
    """
    result = np.clip(samples, -limit, limit)
    result.flat[np.argmax(result)] = limit
    result.flat[np.argmin(result)] = -limit
    return result


def to_float32(model: Any) -> bytes:
    """Return the .tflite file of any Keras model with one input and one output, in floats."""
    with muted():
        return bytes(_frozen(model).convert())


def _converter(model: Any, samples: Floats) -> Any:
    """Return a converter to full int8."""
    tf, converter = tensorflow(), _frozen(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter


def _frozen(model: Any) -> Any:
    """Return a converter of the frozen graph: Keras 3 models themselves are not understood."""
    tf = tensorflow()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as freeze,
    )

    source = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="input")
    call = tf.function(
        lambda x: model(x, training=False), input_signature=[source], autograph=False
    )
    return tf.lite.TFLiteConverter.from_concrete_functions([freeze(call.get_concrete_function())])
