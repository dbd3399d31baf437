"""The metric of single-object tracking: frames in, one result file per sequence and a table out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from srtrack.boxes import read_table
from srtrack.evaluation.evaluate import per_sequence, plain
from srtrack.evaluation.functional import PROTOCOLS, Annotation, Evaluation, Track
from srtrack.evaluation.results import complete_sequences, read_track, write_track
from srtrack.evaluation.table import format_table
from srtrack.files import write_text
from srtrack.registry import METRICS


@METRICS.register_module()
class SOTMetric(BaseMetric):
    """Scores sequences of frames under a named protocol.

    ``process`` takes frames (see :class:`~srtrack.structures.TrackDataSample`): frames of one
    sequence come in order, several sequences may be interleaved. After the last frame of a sequence
    its result files are written at once. A protocol that needs the boxes of the auxiliary modality
    (RGBT234) reads them from the field ``gt_box_aux``; one that clips boxes to the image
    (DepthTrack) reads the size from the meta information ``image_size`` (width, height). Frames with
    ``pred_time`` (seconds) give ``<sequence>_time.txt``, one row per frame as in pytracking and
    OSTrack, and ``frames_per_second``: frames per second of one process in the tracker, without
    reading. Both are left out if no frame has it.

    Results are one item per *sequence*: ``evaluate`` gathers them over the processes itself, because
    MMEngine's collection would cut them to the number of dataset items. A sequence that a sampler
    repeated to fill up a process counts once.

    Args:
        protocol: A name in :data:`~srtrack.evaluation.functional.PROTOCOLS`.
        out_dir: Where ``<dataset>/<sequence>.txt``, ``<dataset>/<sequence>_score.txt``,
            ``<dataset>/<sequence>_time.txt`` and ``metrics.json`` go; nothing is written without it.
        prefix: Prefix of the measures' names instead of the dataset's name; with several datasets,
            it precedes the dataset's name.
        collect_device: See :class:`mmengine.evaluator.BaseMetric`; objects travel by
            :func:`mmengine.dist.all_gather_object` either way.
    """

    def __init__(
        self,
        protocol: str = 'lasher',
        out_dir: str | None = None,
        prefix: str | None = None,
        collect_device: str = 'cpu',
    ) -> None:
        # The base class warns about a missing prefix; here the dataset's name is the default.
        super().__init__(collect_device=collect_device, prefix=prefix or protocol)
        one_pass = sorted(name for name, item in PROTOCOLS.items() if item.one_pass)
        if protocol not in one_pass:
            raise ValueError(f'no one-pass protocol {protocol!r}; there are {", ".join(one_pass)}')
        self.prefix = prefix
        self.protocol = PROTOCOLS[protocol]
        self.out_dir = None if out_dir is None else Path(out_dir)
        #: Data set -> provenance of its results, for ``metrics.json``.
        self.provenance: dict[str, dict] = {}
        self._open: dict[tuple[str, str], _Recording] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Take one frame of each of several sequences.

        Raises:
            ValueError: A frame is not the next one of its sequence.
        """
        for sample in data_samples:
            key = (sample['dataset'], sample['sequence'])
            if key not in self._open:
                self._open[key] = _Recording(*key, num_frames=sample['num_frames'])
            recording = self._open[key]
            recording.add(sample)
            if recording.finished:
                self._close(self._open.pop(key))

    def finished_sequences(self, dataset: str) -> set[str]:
        """Sequences of ``dataset`` whose result files in ``out_dir`` are complete."""
        return set() if self.out_dir is None else complete_sequences(self.out_dir / dataset)

    def add_finished(self, dataset: str, sequence: str, annotation: Annotation) -> None:
        """Count a sequence whose result files are in ``out_dir`` as if it had just been run.

        Args:
            dataset: Name of the dataset.
            sequence: One of :meth:`finished_sequences`.
            annotation: Its ground truth.

        Raises:
            ValueError: The files hold another number of frames than the ground truth.
        """
        if self.out_dir is None:
            raise ValueError('add_finished needs out_dir, where the result files are')
        track = read_track(self.out_dir / dataset, sequence)
        if len(track) != len(annotation):
            raise ValueError(
                f'{self.out_dir / dataset / sequence}.txt has {len(track)} rows, the sequence '
                f'{len(annotation)} frames: delete the file to run the sequence again'
            )
        times = _read_times(self.out_dir / dataset, sequence)
        self.results.append((dataset, sequence, _Result(annotation, track, times)))

    def evaluate(self, size: int) -> dict[str, float]:
        """Measures over all sequences of all processes: ``{'<prefix>/<measure>': value in [0, 1]}``.

        Args:
            size: Number of dataset items; not used, because results are per sequence.

        Raises:
            ValueError: A sequence is not finished, or there is no sequence.
        """
        if self._open:
            states = [recording.state for recording in self._open.values()]
            raise ValueError(f'sequences that did not come to their end: {"; ".join(states)}')
        gathered = all_gather_object(self.results)
        metrics = [None]
        if is_main_process():
            results = [result for rank_results in gathered for result in rank_results]
            metrics = [self.compute_metrics(results)]
        broadcast_object_list(metrics)
        self.results.clear()
        return metrics[0]

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Score, report and (with ``out_dir``) save the results of all processes."""
        if not results:
            raise ValueError('no sequence has been run: is the dataset empty?')
        # Sorted by name: neither the order of arrival nor the number of processes changes a digit.
        unique = {
            result[:2]: result[2]
            for result in sorted(results, key=lambda item: item[:2])
            if result[1] not in self.protocol.not_evaluated
        }
        if not unique:
            raise ValueError(
                f'protocol {self.protocol.name}: its toolkit evaluates none of these sequences'
            )
        evaluations, speeds = {}, {}
        for dataset in sorted({dataset for dataset, _ in unique}):
            own = {name: result for (owner, name), result in unique.items() if owner == dataset}
            evaluations[dataset] = self.protocol.evaluate(
                {name: result.annotation for name, result in own.items()},
                {name: result.track for name, result in own.items()},
            )
            speeds[dataset] = _frames_per_second(result.times for result in own.values())
        metrics = {
            f'{self._prefix_of(dataset, len(evaluations))}/{measure}': value
            for dataset, evaluation in evaluations.items()
            for measure, value in evaluation.values.items()
        }
        self._print(evaluations, speeds)
        if self.out_dir is not None:
            self._write_json(metrics, evaluations, speeds)
        return metrics

    def _close(self, recording: _Recording) -> None:
        result = _Result(recording.annotation, recording.track, recording.measured_times)
        if self.out_dir is not None:
            folder = self.out_dir / recording.dataset
            # Before the box file, which marks the sequence as finished.
            _write_times(folder, recording.sequence, result.times)
            write_track(folder, recording.sequence, result.track)
        self.results.append((recording.dataset, recording.sequence, result))

    def _prefix_of(self, dataset: str, num_datasets: int) -> str:
        if self.prefix is None:
            return dataset
        return self.prefix if num_datasets == 1 else f'{self.prefix}/{dataset}'

    def _print(self, evaluations: dict[str, Evaluation], speeds: dict[str, float | None]) -> None:
        rows = [
            [dataset, str(len(evaluation.sequences))]
            + [f'{100 * value:.2f}' for value in evaluation.values.values()]
            + ['-' if speeds[dataset] is None else f'{speeds[dataset]:.1f}']
            for dataset, evaluation in evaluations.items()
        ]
        header = ['dataset', 'sequences', *next(iter(evaluations.values())).values, 'frames/s']
        table = format_table(header, rows)
        title = f'protocol {self.protocol.name} ({self.protocol.version}), percent'
        MMLogger.get_current_instance().info(f'{title}\n{table}')

    def _write_json(
        self,
        metrics: dict,
        evaluations: dict[str, Evaluation],
        speeds: dict[str, float | None],
    ) -> None:
        report = {
            'protocol': self.protocol.name,
            'version': self.protocol.version,
            'metrics': plain(metrics),
            'datasets': {
                dataset: {
                    **plain(evaluation.values),
                    'frames_per_second': speeds[dataset],
                    **(
                        {'provenance': self.provenance[dataset]}
                        if dataset in self.provenance
                        else {}
                    ),
                    'sequences': per_sequence(evaluation),
                }
                for dataset, evaluation in evaluations.items()
            },
        }
        self.out_dir.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, indent=2, ensure_ascii=False)
        write_text(self.out_dir / 'metrics.json', text + '\n')


class _Result(NamedTuple):
    """Ground truth and track of a finished sequence, and (T,) seconds per frame if known."""

    annotation: Annotation
    track: Track
    times: np.ndarray | None


def _frames_per_second(times: Iterable[np.ndarray | None]) -> float | None:
    """Frames per second over the sequences with known times; None if there are none."""
    known = [each for each in times if each is not None]
    seconds = sum(each.sum() for each in known)
    return float(sum(map(len, known)) / seconds) if seconds > 0 else None


def _times_path(folder: Path, sequence: str) -> Path:
    return folder / f'{sequence}_time.txt'


def _write_times(folder: Path, sequence: str, times: np.ndarray | None) -> None:
    path = _times_path(folder, sequence)
    path.parent.mkdir(parents=True, exist_ok=True)
    if times is None:
        path.unlink(missing_ok=True)  # of an earlier run
    else:
        write_text(path, ''.join(f'{seconds:.6f}\n' for seconds in times))


def _read_times(folder: Path, sequence: str) -> np.ndarray | None:
    path = _times_path(folder, sequence)
    return read_table(path, columns=1)[:, 0] if path.is_file() else None


class _Recording:
    """The frames of one sequence so far."""

    def __init__(self, dataset: str, sequence: str, num_frames: int) -> None:
        self.dataset, self.sequence = dataset, sequence
        self.num_frames, self.next_frame = num_frames, 0
        self.gt_boxes = np.full((num_frames, 4), np.nan)
        self.gt_present = np.ones(num_frames, dtype=bool)
        self.gt_aux_boxes: np.ndarray | None = None
        self.image_size: tuple[int, int] | None = None
        self.boxes = np.full((num_frames, 4), np.nan)
        self.scores = np.full(num_frames, np.nan)
        self.times = np.full(num_frames, np.nan)

    def add(self, sample: dict) -> None:
        frame = sample['frame_index']
        if frame != self.next_frame:
            raise ValueError(f'{self.state}, but frame {frame} came')
        self.gt_boxes[frame] = sample['gt_box']
        self.gt_present[frame] = sample['gt_present']
        self.image_size = sample.get('image_size')
        if 'gt_box_aux' in sample:
            if self.gt_aux_boxes is None:
                self.gt_aux_boxes = np.full((self.num_frames, 4), np.nan)
            self.gt_aux_boxes[frame] = sample['gt_box_aux']
        self.boxes[frame] = sample['pred_box']
        self.scores[frame] = sample['pred_score']
        self.times[frame] = sample.get('pred_time', np.nan)
        self.next_frame += 1

    @property
    def finished(self) -> bool:
        return self.next_frame == self.num_frames

    @property
    def state(self) -> str:
        name = f'{self.dataset}/{self.sequence}'
        return f'{name} goes on with frame {self.next_frame} of {self.num_frames}'

    @property
    def annotation(self) -> Annotation:
        return Annotation(self.gt_boxes, self.gt_present, self.gt_aux_boxes, self.image_size)

    @property
    def track(self) -> Track:
        return Track(self.boxes, self.scores)

    @property
    def measured_times(self) -> np.ndarray | None:
        return None if np.isnan(self.times).any() else self.times
