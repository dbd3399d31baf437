"""A working version of the VOT toolkit's multi-start experiment.

For stack files (``type: srtrack.evaluation.vot_multistart.MultiStart``). Needs the extra ``vot``.
"""

from __future__ import annotations

from vot.dataset.proxy import FrameMapSequence
from vot.experiment.multistart import MultiStartExperiment, find_anchors
from vot.region import Special
from vot.tracker import ObjectQuery, Trajectory


class MultiStart(MultiStartExperiment):
    """Runs the tracker from every anchor, forward or backward, as VOT2020 to VOT2022 define it.

    In vot-toolkit 0.8 and 0.9 the experiment ``multistart`` stops at its first run ("ObjectQuery.state
    must be a Region"). This class only replaces :meth:`execute`: result files, analyses and their
    numbers are the toolkit's.
    """

    def execute(self, tracker, sequence, force: bool = False, callback=None) -> None:
        """Run ``tracker`` from the anchors that have no result yet (from all with ``force``).

        Raises:
            RuntimeError: The sequence has no anchors.
        """
        forward, backward = find_anchors(sequence, self.anchor)
        runs = {anchor: range(anchor, len(sequence)) for anchor in forward}
        runs.update({anchor: range(anchor, -1, -1) for anchor in backward})
        if not runs:
            raise RuntimeError(f'sequence {sequence.name} has no anchors (anchor.value)')
        results = self.results(tracker, sequence)
        with self._get_runtime(tracker, sequence) as runtime:
            for done, (anchor, frames) in enumerate(runs.items(), start=1):
                name = f'{sequence.name}_{anchor:08d}'
                if force or not Trajectory.exists(results, name):
                    run = self._run(runtime, FrameMapSequence(sequence, list(frames)))
                    run.write(results, name)
                if callback:
                    callback(done / len(runs))

    def _run(self, runtime, frames: FrameMapSequence) -> Trajectory:
        """The trajectory from the first of ``frames``, which initialises the tracker."""
        target = self._get_initialization(frames, 0)
        output = runtime.run(frames, [ObjectQuery(target.region, target.properties, 0)])
        trajectory = Trajectory(len(frames))
        for index, (state, seconds) in enumerate(zip(output.objects[0], output.times)):
            region = state.region if index else Special(Trajectory.INITIALIZATION)
            trajectory.set(index, region, {**state.properties, 'time': seconds})
        return trajectory
