"""Trains a network to reproduce windows of normal sound."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from outliernets.config import SEED
from outliernets.errors import DataError
from outliernets.nets.build import build
from outliernets.nets.space import ArchSpec
from outliernets.train.folded import forward
from outliernets.train.quiet import tensorflow

Floats = NDArray[np.float32]
Progress = Callable[[int, int, float, float], None]  #: step, steps, training loss, held-out loss
Look = Callable[[int, Any], None]  #: step, the model as it is now
Begin = Callable[[Any], None]  #: puts other weights into a model that was just built
Clip = TypeVar("Clip")


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults suit all families of the paper."""

    steps: int = 1000  #: batches
    batch: int = 64  #: windows in a batch
    rate: float = 3e-3  #: Adam's first learning rate; it decays along a cosine to zero
    check_every: int = 50  #: steps between two looks at the held-out windows
    patience: int = 10  #: looks without a clearly better held-out loss before training stops
    gain: float = 1e-3  #: by which share a loss must fall to count as clearly better
    stall_after: int = 300  #: by this step the network must have learned something ...
    restarts: int = 3  #: ... or it starts again, at most this often


@dataclass(frozen=True)
class Check:
    """One look at the held-out windows: mean squared errors per pixel."""

    step: int
    loss: float  #: mean over the training batches since the last look
    held_out: float


@dataclass(frozen=True)
class Trained:
    """A trained Keras ``model`` (its best step's weights) and how it came about."""

    model: Any
    history: tuple[Check, ...]  #: of the start that was kept
    best: Check
    restarts: int
    seconds: float


def hold_out(
    clips: Sequence[Clip], fraction: float = 0.1, seed: int = SEED
) -> tuple[list[Clip], list[Clip]]:
    """Split normal clips into (training, held out), at random but keeping their order.

    At least one clip lands on either side; raise DataError if there are fewer than two.
    """
    if len(clips) < 2:
        raise DataError(f"training needs at least 2 normal clips, got {len(clips)}")
    count = min(max(round(fraction * len(clips)), 1), len(clips) - 1)
    held = set(np.random.default_rng(seed).permutation(len(clips))[:count].tolist())
    return (
        [clip for i, clip in enumerate(clips) if i not in held],
        [clip for i, clip in enumerate(clips) if i in held],
    )


def train(
    spec: ArchSpec,
    windows: Floats,
    held_out: Floats,
    seed: int = SEED,
    recipe: Recipe | None = None,
    progress: Progress | None = None,
    look: Look | None = None,
    begin: Begin | None = None,
) -> Trained:
    """Train ``spec`` on standardised ``windows`` [n, 32, 128] and keep the best step's weights.

    The best step is that with the lowest error on ``held_out`` [m, 32, 128], normal windows of
    other clips. ``look`` is called after each look at them, and may end the training by raising.
    ``begin`` may put weights into the untrained model; a restart begins as usual. Same arguments,
    same weights (on the same machine and TensorFlow). Raise DataError for empty or non-finite
    windows and when the loss stops being finite.
    """
    refuse_unusable(spec, windows, "training")
    refuse_unusable(spec, held_out, "held-out")
    tensorflow().config.experimental.enable_op_determinism()
    recipe = recipe or Recipe()
    start = time.perf_counter()
    for attempt in range(recipe.restarts + 1):
        run = _Run(spec, windows, held_out, _derived(seed, attempt), recipe)
        if begin and not attempt:
            run.begin(begin)
        last = attempt == recipe.restarts
        if run.finish(progress, look, may_stall=last):
            break
    seconds = time.perf_counter() - start
    return Trained(run.model, tuple(run.history), run.restore_best(), attempt, seconds)


class _Run:
    """One start of a training."""

    def __init__(
        self, spec: ArchSpec, windows: Floats, held_out: Floats, seed: int, recipe: Recipe
    ) -> None:
        import keras

        keras.utils.set_random_seed(seed)
        self.spec, self.recipe = spec, recipe
        self.model = build(spec)
        self.history: list[Check] = []
        self._held_out = held_out[..., None]
        self._windows = windows[..., None]
        self._random = np.random.default_rng(seed)
        self._zero_loss = _variance(windows)
        self._best_weights = self.model.get_weights()
        self._step, self._loss = _compiled(spec, self.model, recipe)

    def begin(self, begin: Begin) -> None:
        """Begin with other weights than those drawn."""
        begin(self.model)
        self._best_weights = self.model.get_weights()

    def finish(self, progress: Progress | None, look: Look | None, *, may_stall: bool) -> bool:
        """Train until the end or early stopping; return False if it stalled and may not."""
        recipe, losses = self.recipe, list[float]()
        for step, batch in zip(range(1, recipe.steps + 1), self._batches(), strict=False):
            losses.append(float(self._step(batch)))
            if not np.isfinite(losses[-1]):
                raise DataError(
                    f"training of {self.spec.name} diverged at step {step}: the loss is not "
                    f"finite; lower the learning rate (now {recipe.rate})"
                )
            if step % recipe.check_every and step != recipe.steps:
                continue
            self._check(step, float(np.mean(losses)))
            losses.clear()
            if progress:
                progress(step, recipe.steps, self.history[-1].loss, self.history[-1].held_out)
            if look:
                look(step, self.model)
            if not may_stall and self._stalled(step):
                return False
            if self._patience_is_over():
                break
        return True

    def restore_best(self) -> Check:
        """Put the best step's weights back into the model and return what it reached."""
        self.model.set_weights(self._best_weights)
        return self._best()

    def _check(self, step: int, loss: float) -> None:
        sums = [
            float(self._loss(self._held_out[i : i + 256])) * len(self._held_out[i : i + 256])
            for i in range(0, len(self._held_out), 256)
        ]
        self.history.append(Check(step, loss, sum(sums) / len(self._held_out)))
        if self._best() is self.history[-1]:
            self._best_weights = self.model.get_weights()

    def _best(self) -> Check:
        return min(self.history, key=lambda check: check.held_out)

    def _stalled(self, step: int) -> bool:
        """Whether the network still does no better than answering with a constant."""
        before = step - self.recipe.check_every < self.recipe.stall_after <= step
        return before and self.history[-1].loss > 0.99 * self._zero_loss

    def _patience_is_over(self) -> bool:
        mark, since = self.history[0].held_out, 0
        for check in self.history[1:]:
            better = check.held_out < (1 - self.recipe.gain) * mark
            mark, since = (check.held_out, 0) if better else (mark, since + 1)
        return since >= self.recipe.patience

    def _batches(self) -> Iterator[Floats]:
        """Yield batches without end, every window once before any comes again."""
        size = min(self.recipe.batch, len(self._windows))
        while True:
            order = self._random.permutation(len(self._windows))
            for i in range(0, len(order) - size + 1, size):
                yield self._windows[order[i : i + size]]


def _compiled(
    spec: ArchSpec, model: Any, recipe: Recipe
) -> tuple[Callable[[Floats], Any], Callable[..., Any]]:
    """Return (train on a batch, loss of a batch); a plain step is quicker than ``model.fit``."""
    import keras

    tf = tensorflow()
    schedule = keras.optimizers.schedules.CosineDecay(recipe.rate, recipe.steps)
    optimizer = keras.optimizers.Adam(schedule)
    optimizer.build(model.trainable_variables)
    reproduce = forward(spec, model)
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def step(batch: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(reproduce(batch) - batch))
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def error(batch: Any) -> Any:
        return tf.reduce_mean(tf.square(model(batch, training=False) - batch))

    return step, error


def reconstruct(model: Any, windows: Floats, batch: int = 256) -> Floats:
    """Return what ``model`` makes of ``windows`` [n, 32, 128], same shape."""
    parts = [
        np.asarray(model(windows[i : i + batch, ..., None], training=False))[..., 0]
        for i in range(0, len(windows), batch)
    ]
    return np.concatenate(parts) if parts else np.zeros_like(windows)


def refuse_unusable(spec: ArchSpec, windows: Floats, role: str) -> None:
    """Raise DataError, naming the ``role``, for windows of another shape, none, or not finite."""
    rows, columns = spec.input_shape
    if windows.ndim != 3 or windows.shape[1:] != (rows, columns) or not len(windows):
        raise DataError(
            f"{role} windows must be [n, {rows}, {columns}] with n >= 1, got {windows.shape}"
        )
    # A sum is finite if all of it is, and makes no copy of what may not fit the memory.
    if not np.isfinite(np.sum(windows, dtype=np.float64)):
        raise DataError(f"{role} windows contain NaN or infinite values")


def _variance(windows: Floats, block: int = 1024) -> float:
    """Return the variance over all values, without a copy of them all."""
    blocks = [windows[i : i + block] for i in range(0, len(windows), block)]
    mean = sum(float(np.sum(b, dtype=np.float64)) for b in blocks) / windows.size
    return sum(float(np.sum((b - mean) ** 2, dtype=np.float64)) for b in blocks) / windows.size


def _derived(seed: int, attempt: int) -> int:
    if not attempt:
        return seed
    return int(np.random.SeedSequence([seed, attempt]).generate_state(1)[0])
