"""Small full-int8 networks at random: ``random_network(seed)`` is a .tflite file's bytes.

Some look like networks people train (autoencoders of both families of the paper, dense ones,
residual ones), some are chains of anything. Same seed, same bytes.
"""

from collections.abc import Callable
from math import prod

from tests.calibrated_builder import MAX_VALUES, CalibratedBuilder, Map, Pair
from tests.tflite_builder import NONE, RELU, SAME, VALID

Net = CalibratedBuilder
KERNELS = ((3, 3), (3, 3), (1, 1), (3, 1), (1, 3), (2, 2), (4, 4), (5, 5))
MAX_INPUT_PIXELS = 1_200


def random_network(seed: int) -> bytes:
    """Return the .tflite file of network number ``seed``."""
    net = CalibratedBuilder(seed)
    family = FAMILIES[net.rng.integers(len(FAMILIES))]
    x, y = family(net)
    return net.builder.build(x.index, y.index)


# ---- sizes ------------------------------------------------------------------------------


def plane(net: Net) -> Pair:
    """Height and width, odd or even, one of them up to 130."""
    long = int(net.rng.integers(1, 131)) if net.chance(0.3) else int(net.rng.integers(1, 25))
    short = int(net.rng.integers(1, 1 + min(24, MAX_INPUT_PIXELS // long)))
    return (short, long) if net.chance(0.7) else (long, short)


def channels(net: Net) -> int:
    """Mostly up to 24, now and then up to 512."""
    return int(net.rng.integers(25, 513) if net.chance(0.06) else net.rng.integers(1, 25))


def stride(net: Net) -> Pair:
    """None, the usual ones, or any from 1 to 4 on each axis."""
    usual = net.pick((1, 1), (1, 1), (1, 1), (2, 2), (1, 2), (2, 1))
    return usual if net.chance(0.8) else factors(net)


def factors(net: Net) -> Pair:
    return int(net.rng.integers(1, 5)), int(net.rng.integers(1, 5))


def padding(net: Net) -> int:
    return SAME if net.chance(0.7) else VALID


def image(net: Net) -> Map:
    return net.input(*plane(net), net.pick(1, 1, 1, int(net.rng.integers(1, 9))))


# ---- blocks: map in, map out ------------------------------------------------------------


def conv(net: Net, x: Map) -> Map:
    return net.conv(x, channels(net), net.pick(*KERNELS), stride(net), padding(net))


def depthwise(net: Net, x: Map) -> Map:
    multiplier = net.pick(1, 1, 1, 2, 3, 4, 8)
    return net.depthwise(x, multiplier, net.pick(*KERNELS), stride(net), padding(net))


def separable(net: Net, x: Map) -> Map:
    x = net.depthwise(x, net.pick(1, 1, 1, 2), stride=net.pick((1, 1), stride(net)))
    return net.conv(x, channels(net), (1, 1), activation=RELU)


def pool(net: Net, x: Map) -> Map:
    size = net.pick((2, 2), (1, 2), (2, 1), (4, 4), (3, 3), factors(net))
    step = size if net.chance(0.8) else factors(net)
    return net.pool(x, net.pick("MAX_POOL_2D", "AVERAGE_POOL_2D"), size, step, padding(net))


def resize(net: Net, x: Map) -> Map:
    return net.resize(x, net.pick((2, 2), (1, 2), (4, 4), factors(net)))


def upsample(net: Net, x: Map) -> Map:
    """Nearest upsampling and what follows it in decoders."""
    x = resize(net, x)
    return net.pick(
        separable,
        conv,
        depthwise,
        lambda net, x: net.conv(x, channels(net), (3, 3)),
        lambda net, x: net.conv(x, channels(net), (1, 1)),
    )(net, x)


def transposed(net: Net, x: Map) -> Map:
    kernel, step = net.pick((3, 3), (5, 5), (2, 2), (1, 1), (1, 3)), net.pick((2, 2), factors(net))
    return net.transpose_conv(x, channels(net), kernel, step, padding(net))


def residual(net: Net, x: Map) -> Map:
    """Two convolutions and the input on top."""
    y = net.conv(x, channels(net), net.pick((3, 3), (1, 1)), activation=RELU)
    return net.add(net.conv(y, x.channels, (3, 3), activation=NONE), x)


def inverted_residual(net: Net, x: Map) -> Map:
    """Expand, filter each channel, project, and the input on top (MobileNetV2)."""
    y = net.conv(x, x.channels * net.pick(2, 4, 6), (1, 1))
    y = net.depthwise(y)
    return net.add(x, net.conv(y, x.channels, (1, 1), activation=NONE))


def branches(net: Net, x: Map) -> Map:
    """Two paths from the same map, added."""
    step = stride(net)
    a = net.conv(x, channels(net), net.pick((3, 3), (1, 1)), step)
    b = net.conv(x, a.channels, net.pick((1, 1), (5, 5)), step)
    if net.chance(0.5):
        b = net.depthwise(b)
    return net.add(a, b)


def detour(net: Net, x: Map) -> Map:
    """Down, through something, up again and added to what was there (U-Net)."""
    size = net.pick((2, 2), (1, 2), (2, 1))
    down = net.pool(x, "MAX_POOL_2D", size, size, SAME)
    middle = net.conv(down, x.channels, (3, 3))
    return net.add(net.resize(middle, size), x)


def doubled(net: Net, x: Map) -> Map:
    """A map added to itself, pooled in place or not."""
    other = x if net.chance(0.3) else net.pool(x, "MAX_POOL_2D", (3, 3), (1, 1), SAME)
    return net.add(x, other)


def padded_conv(net: Net, x: Map) -> Map:
    """Padding as a step of its own (PyTorch), then a convolution without."""
    rows, columns = (tuple(int(n) for n in net.rng.integers(0, 3, 2)) for _ in "hw")
    x = net.pad(x, rows, columns)
    return net.conv(x, channels(net), net.pick(*KERNELS), stride(net), VALID)


def dense_middle(net: Net, x: Map) -> Map:
    """Through a vector and back to a map."""
    latent = net.dense(flat(net, x), int(net.rng.integers(1, 33)))
    return unfolded(net, net.dense(latent, x.real[0].size), *x.shape[1:])


def folded(net: Net, x: Map) -> Map:
    """The same values as a map of another shape."""
    (height, width), depth = x.plane, x.channels
    return net.reshape(x, *net.pick((width, height, depth), (height, 1, width * depth)))


def pixelwise(net: Net, x: Map) -> Map:
    return net.dense(x, channels(net), each=True)


def flat(net: Net, x: Map) -> Map:
    return net.reshape(x, x.real[0].size)


def unfolded(net: Net, x: Map, *shape: int) -> Map:
    """A vector as a map of this shape; as a single pixel if the budget made it shorter."""
    return net.reshape(x, *(shape if x.real[0].size == prod(shape) else (1, 1, x.real[0].size)))


def logistic(net: Net, x: Map) -> Map:
    return net.logistic(x)


def quantize(net: Net, x: Map) -> Map:
    return net.quantize(x)


BLOCKS: tuple[Callable[[Net, Map], Map], ...] = (
    conv, conv, conv, conv, separable, separable, separable, depthwise, depthwise, pool, pool,
    pool, resize, upsample, upsample, upsample, upsample, transposed, residual, inverted_residual,
    branches, detour, doubled, padded_conv, dense_middle, folded, pixelwise, logistic, quantize,
)  # fmt: skip


# ---- families: (input, output) ----------------------------------------------------------


def chain(net: Net) -> tuple[Map, Map]:
    """Any blocks in any order."""
    x = y = image(net)
    blocks = int(net.rng.integers(1, 6))
    while blocks or y is x:
        y = net.pick(*BLOCKS)(net, y)
        blocks = max(0, blocks - 1)
    return x, head(net, y) if net.chance(0.2) else y


def head(net: Net, x: Map) -> Map:
    """What classifiers end with."""
    if net.chance(0.5):
        x = net.mean(x, net.chance(0.5))
    x = net.dense(x, int(net.rng.integers(1, 13)), NONE)
    return net.logistic(x) if net.chance(0.3) else x


def fan(net: Net) -> tuple[Map, Map]:
    """Separable convolutions around pooling and nearest upsampling: the paper's fan networks."""
    steps = [net.pick((1, 2), (2, 2), (1, 4), (4, 4), (2, 1)) for _ in range(net.pick(1, 2, 3))]
    height, width = (min(24, prod(s[axis] for s in steps)) for axis in (0, 1))
    room = max(1, MAX_INPUT_PIXELS // (height * width))
    tall = int(net.rng.integers(1, 1 + min(room, 4)))
    wide = int(net.rng.integers(1, 1 + max(1, room // tall)))
    x = y = net.input(height * tall, min(130, width * wide), 1)
    for step in steps:
        y = net.pool(autoencoder_conv(net, y), "MAX_POOL_2D", step, step)
    for step in reversed(steps):
        y = autoencoder_conv(net, net.resize(y, step))
    return x, net.conv(y, 1, (3, 3), activation=NONE)


def autoencoder_conv(net: Net, x: Map) -> Map:
    width = int(net.rng.integers(2, 9))
    if net.chance(0.3):
        return net.conv(x, width, (3, 3), activation=RELU)
    x = net.depthwise(x, activation=net.pick(NONE, RELU))
    return net.conv(x, width, (1, 1), activation=RELU)


def slider(net: Net) -> tuple[Map, Map]:
    """Strided convolutions to a latent, dense, upsampling: the paper's slide rail networks."""
    x = y = net.input(*plane(net), 1)
    for _ in range(net.pick(1, 2, 3)):
        y = net.conv(y, int(net.rng.integers(2, 13)), (3, 3), net.pick((2, 2), (1, 2)))
    y = net.conv(y, int(net.rng.integers(2, 25)), y.plane, padding=VALID)
    small = (*net.pick((4, 4), (2, 3), (3, 2), (1, 5)), int(net.rng.integers(1, 13)))
    y = unfolded(net, net.dense(y, prod(small), RELU), *small)
    for step in ((2, 2), (1, 2)):
        y = net.conv(net.resize(y, step), int(net.rng.integers(1, 13)), (3, 3))
    return x, net.conv(y, 1, (3, 3), activation=NONE)


def dense(net: Net) -> tuple[Map, Map]:
    """Fully connected layers only (MLPerf Tiny's autoencoder, smaller)."""
    length = int(net.rng.integers(2, 200))
    x = net.input(1, length, 1)
    y = flat(net, x)
    for units in net.rng.integers(1, 48, net.pick(1, 2, 3)):
        y = net.dense(y, int(units))
    return x, net.dense(y, length, NONE)


def transposing(net: Net) -> tuple[Map, Map]:
    """Strided convolutions and transposed ones (CAE-MCS, smaller)."""
    x = y = net.input(*plane(net), 1)
    steps = [net.pick((2, 2), (1, 2)) for _ in range(net.pick(1, 2))]
    for step in steps:
        y = net.conv(y, int(net.rng.integers(2, 13)), net.pick((5, 5), (3, 3)), step)
    for step in steps:
        kernel = net.pick((5, 5), (3, 3), (2, 2))
        y = net.transpose_conv(y, int(net.rng.integers(1, 9)), kernel, step)
    return x, y


def classifier(net: Net) -> tuple[Map, Map]:
    """Residual blocks and a head."""
    x = image(net)
    y = net.conv(x, int(net.rng.integers(2, 17)), (3, 3), net.pick((1, 1), (2, 2)))
    for _ in range(net.pick(1, 2, 3)):
        y = net.pick(residual, inverted_residual, detour, branches)(net, y)
    return x, head(net, y)


def wide(net: Net) -> tuple[Map, Map]:
    """Tiny maps with up to 512 channels."""
    height, width = (int(net.rng.integers(1, 4)) for _ in "hw")
    x = y = net.input(height, width, int(net.rng.integers(1, 513)))
    for _ in range(net.pick(1, 2, 3)):
        block = net.pick(conv, depthwise, pool, pixelwise, quantize, residual)
        y = block(net, y) if net.chance(0.6) else net.conv(y, int(net.rng.integers(1, 513)), (1, 1))
    return x, net.quantize(y) if y is x else y


FAMILIES = (
    chain,
    chain,
    chain,
    chain,
    chain,
    fan,
    fan,
    slider,
    dense,
    transposing,
    classifier,
    wide,
)
assert MAX_INPUT_PIXELS <= MAX_VALUES
