"""Follow one target through a source of frames, write results and show a live view."""

from __future__ import annotations

import json
import time
from pathlib import Path

from srtrack.apis.inference import Tracker
from srtrack.files import write_text

from .frames import Frame, FrameSource
from .recorder import TrackRecorder, prepare_folder
from .streams import StreamError
from .window import Window, WindowError, pictures_of


def follow_target(
    tracker: Tracker,
    source: FrameSource,
    out: str | Path,
    box=None,
    show: bool = False,
    video: bool = True,
) -> dict:
    """Follow a target to the last frame and write the files of :class:`TrackRecorder`.

    Errors and interrupts also close the files and write ``summary.json``. For cameras Ctrl-C is the
    regular end. In the live view q or Esc quits, and r lets the user draw a new box in the image
    shown; tracking continues from that box in the next frame.

    Args:
        tracker: The tracker.
        source: The frames.
        out: Folder of the results.
        box: x, y, w, h in pixels of the target in the first frame. By default the user draws it,
            with a camera after choosing the frame.
        show: Whether to open a live view.
        video: Whether to write ``track.mp4``.

    Returns:
        dict: ``frames``, ``fps`` (frames per second in the tracker), ``mean_score``, ``reselected``
        (rows after which the user drew a new box), ``late_aux`` (the policy, and the number of
        frames that needed it), ``complete`` (whether tracking reached the end), ``out``.

    Raises:
        StreamError: The source has no frame, or one cannot be read.
        WindowError: The user drew no box.
        ValueError: The tracker cannot start from the box or the frame.
        OSError: A file cannot be written.
    """
    prepare_folder(out)
    window = Window() if show or box is None else None
    frames = iter(source)
    if box is None and source.live:
        first = window.choose_frame(frames)
    else:
        first = next(frames, None)
        if first is None:
            raise StreamError(f'{source.rgb.path} has no frame')
    if box is None:
        box = window.select_box(first)
        if box is None:
            raise WindowError('no box was drawn: nothing to track')
    begin = time.perf_counter()
    tracker.initialize(*pictures_of(first), box=box)
    seconds = time.perf_counter() - begin

    run = _Run(tracker, TrackRecorder(out, source.fps, video), window if show else None)
    ending = dict(complete=False)
    try:
        run.record(first, box, 1.0, seconds)
        ending['complete'] = run.follow(frames, source.num_frames) or source.live
    except KeyboardInterrupt:
        if not source.live:
            raise
        ending['complete'] = True
    except Exception as error:
        ending['error'] = str(error)
        raise
    finally:
        run.recorder.close()
        late = dict(policy=source.late_aux, frames=source.late)
        summary = dict(**run.summary(), late_aux=late, **ending, out=str(out))
        write_text(Path(out, 'summary.json'), json.dumps(summary) + '\n')
        if window is not None:
            window.close()
    return summary


class _Run:
    """The loop over the frames, and its statistics."""

    def __init__(self, tracker: Tracker, recorder: TrackRecorder, window: Window | None):
        self.tracker, self.recorder, self.window = tracker, recorder, window
        self.seconds, self.score_sum, self.reselected = 0.0, 0.0, []
        self._clock, self._interval = None, None

    def follow(self, frames, total: int | None) -> bool:
        """Track frames; return whether the last one was reached."""
        for frame in frames:
            begin = time.perf_counter()
            result = self.tracker.track(*pictures_of(frame))
            seconds = time.perf_counter() - begin
            self.seconds += seconds
            wish = self.record(frame, result['box'], result['score'], seconds)
            self._report(result['score'], total)
            if wish == 'quit':
                return False
            if wish == 'select':
                self._reselect(frame)
        return True

    def record(self, frame: Frame, box, score: float, seconds: float) -> str | None:
        """Write and show a frame; return the user's request, if any."""
        self._tick()
        self.score_sum += score
        label = f'frame {self.recorder.num_frames}  score {score:.2f}'
        if self._interval is not None:
            label += f'  {1 / self._interval:.1f} frames/s'
        if frame.late:
            label += '  auxiliary late'
        view = self.recorder.add(pictures_of(frame), box, score, seconds, label)
        return self.window.show(view) if self.window is not None else None

    def _tick(self) -> None:
        """Update the smoothed time between frames, with reading and drawing."""
        last, self._clock = self._clock, time.perf_counter()
        if last is not None:
            interval = self._clock - last
            smooth = interval if self._interval is None else self._interval
            self._interval = 0.9 * smooth + 0.1 * interval

    def _reselect(self, frame: Frame) -> None:
        box = self.window.select_box(frame)
        if box is not None:
            self.tracker.initialize(*pictures_of(frame), box=box)
            self.reselected.append(self.recorder.num_frames - 1)

    def _report(self, score: float, total: int | None) -> None:
        """Print a line for each tenth of the frames, or each 100 frames if their number is unknown."""
        done = self.recorder.num_frames
        due = done % 100 == 0 if total is None else done * 10 // total > (done - 1) * 10 // total
        if due:
            count = f'{done}' if total is None else f'{done}/{total}'
            print(
                f'{count} frames, score {score:.2f}, {1 / self._interval:.1f} frames/s', flush=True
            )

    def summary(self) -> dict:
        count = self.recorder.num_frames
        return dict(
            frames=count,
            fps=round((count - 1) / self.seconds, 2) if self.seconds else None,
            mean_score=round(self.score_sum / count, 4) if count else None,
            reselected=self.reselected,
        )
