"""Replays test clips on a target, and computes beside it, in integers, what it must answer.

Clips do not depend on each other, so they are shared out to one process per core, each with a
target of its own.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from outliernets import data, target
from outliernets.boards import Board
from outliernets.config import MelConfig
from outliernets.detectors import fixed
from outliernets.detectors.fixed import Plans
from outliernets.features import mel_fixed
from outliernets.features.mel import log_mel
from outliernets.pipeline.stage import Narrator
from outliernets.target import Client, Flow, Result, TargetRun
from outliernets.train.share import processes

NEAR_PEAK_DB = 60.0  #: bands within this of the frame's strongest count for the Mel error
PUSH_SAMPLES = 16_000  #: samples handed to the target at a time
CLIPS_PER_JOB = 4


@dataclass(frozen=True)
class Program:
    """A firmware, where it runs, and what it was made from."""

    elf: Path
    board: Board
    target: str
    model_id: int
    model: Path  #: the int8 network
    plans: Plans  #: all integers around it


@dataclass(frozen=True)
class Replay:
    """What target and twin said about some clips, window by window."""

    owners: NDArray[np.int64]  #: number of the clip of each window of the target
    sums: NDArray[np.uint64]  #: integer scores of the target
    twin_sums: NDArray[np.uint64]  #: what they must be
    frames: int  #: log-Mel frames in all clips
    mel_errors: NDArray[np.float32]  #: |fixed - librosa| in dB, bands near the frame's peak
    target: str  #: its name
    version: str  #: of the target
    cycles: NDArray[np.uint64] | None  #: of each window, where the target measures them
    counts: Mapping[str, int]  #: instructions by function
    flow: Flow
    stack_used: int  #: bytes, high-water mark
    overruns: int
    bad_frames: int


def replay(program: Program, clips: Mapping[int, Path], narrator: Narrator) -> Replay:
    """Replay clips (number to file) on all cores; the result is in the order of the numbers."""
    numbers = sorted(clips)
    jobs = [numbers[i : i + CLIPS_PER_JOB] for i in range(0, len(numbers), CLIPS_PER_JOB)]
    alone = target.is_port(program.target)  # there is one board
    workers = 1 if alone else min(os.cpu_count() or 1, len(jobs))
    parts: dict[int, Replay] = {}
    with processes(workers) as pool:
        running = {
            pool.submit(_replay_some, program, {n: clips[n] for n in job}): job for job in jobs
        }
        done = 0
        for future in as_completed(running):
            job = running[future]
            parts[job[0]] = future.result()
            done += len(job)
            narrator.progress(done, len(numbers), "clips")
    return _joined([parts[first] for first in sorted(parts)])


def _replay_some(program: Program, clips: Mapping[int, Path]) -> Replay:
    twin = _Twin(program)
    owners: list[int] = []
    results: list[Result] = []
    with target.get(program.target).open(program.elf, program.board) as running:
        client = Client(running, program.elf)
        client.hello(program.model_id)
        for number, path in clips.items():
            mel = program.plans.mel
            pcm = data.read_pcm(path, mel.sample_rate, mel.min_samples).samples
            # Frames behind the last window say nothing, and would count as a part of the others.
            pcm = pcm[: mel.scored_samples(len(pcm))]
            heard = _hear(client, pcm)
            owners += [number] * len(heard)
            results += heard
            twin.hear(pcm)
        run = TargetRun(
            running.name,
            running.version(),
            tuple(results),
            running.counts(),
            running.flow(),
            client.stats(),
        )
    return Replay(
        owners=np.array(owners, np.int64),
        sums=np.array([r.score for r in run.results], np.uint64),
        twin_sums=np.array(twin.sums, np.uint64),
        frames=twin.frames,
        mel_errors=np.concatenate(twin.errors),
        target=run.target,
        version=run.version,
        cycles=_cycles(run) if running.measures_cycles else None,
        counts=run.counts,
        flow=run.flow,
        stack_used=run.stats.stack_used,
        overruns=run.stats.overruns,
        bad_frames=run.stats.bad_frames,
    )


def _cycles(run: TargetRun) -> NDArray[np.uint64]:
    """Return what each window took, from its first sample to its score."""
    return np.array([r.front_cycles + r.final_cycles for r in run.results], np.uint64)


def _hear(client: Client, pcm: NDArray[np.int16]) -> list[Result]:
    client.reset()
    pieces: Iterator[NDArray[np.int16]] = (
        pcm[start : start + PUSH_SAMPLES] for start in range(0, len(pcm), PUSH_SAMPLES)
    )
    return [result for piece in pieces for result in client.push(piece)]


class _Twin:
    """The whole detector in integers on the host, and the front end's distance from librosa."""

    def __init__(self, program: Program) -> None:
        self._front_end = program.plans.front_end
        self._twin = fixed.twin(program.plans, program.model)
        self.sums: list[int] = []
        self.errors: list[NDArray[np.float32]] = []
        self.frames = 0

    def hear(self, pcm: NDArray[np.int16]) -> None:
        """Score one clip of whole windows."""
        config = self._front_end.config
        log2_power = mel_fixed.log2_frames(pcm, self._front_end)
        self.errors.append(_mel_errors(pcm, self._front_end.to_db(log2_power), config))
        rows = mel_fixed.quantized(log2_power, self._front_end)
        self.frames += len(rows)
        windows = rows.reshape(len(rows) // config.frames, -1)
        self.sums += self._twin.sums(windows).tolist()


def _mel_errors(
    pcm: NDArray[np.int16], fixed_db: NDArray[np.float64], config: MelConfig
) -> NDArray[np.float32]:
    exact = log_mel(pcm, config)
    near = exact >= exact.max(axis=1, keepdims=True) - NEAR_PEAK_DB
    errors: NDArray[np.float32] = np.abs(fixed_db - exact)[near].astype(np.float32)
    return errors


def _measured(part: Replay) -> NDArray[np.uint64]:
    assert part.cycles is not None  # all parts have the same kind of target
    return part.cycles


def _joined(parts: Sequence[Replay]) -> Replay:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    return Replay(
        owners=np.concatenate([p.owners for p in parts]),
        sums=np.concatenate([p.sums for p in parts]),
        twin_sums=np.concatenate([p.twin_sums for p in parts]),
        frames=sum(p.frames for p in parts),
        mel_errors=np.concatenate([p.mel_errors for p in parts]),
        target=parts[0].target,
        version=parts[0].version,
        cycles=None if parts[0].cycles is None else np.concatenate([_measured(p) for p in parts]),
        counts=dict(counts),
        flow=Flow.joined(p.flow for p in parts),
        stack_used=max(p.stack_used for p in parts),
        overruns=sum(p.overruns for p in parts),
        bad_frames=sum(p.bad_frames for p in parts),
    )
