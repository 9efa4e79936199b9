"""Shares this machine's processors among processes that train side by side.

A narrow network keeps one processor busy, hardly two: trained in turn with all threads, 24 networks
take nearly twice as long as two at once with one thread each. How many threads there are shows in
the last digits of what is learned, as another processor does.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager


def limit_threads(processes: int) -> None:
    """Leave TensorFlow of this process its share of the processors; before it is imported.

    What the user has set in the environment stays.
    """
    threads = max(1, (os.cpu_count() or 1) // processes)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of fresh processes, each with its share; what has not begun at exit never does.

    On Ctrl-C they end at once and say nothing.
    """
    # A fresh process does not inherit TensorFlow's threads and locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(count,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(count: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    limit_threads(count)
