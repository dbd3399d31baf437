"""Runs of the real tools in processes of their own that are ended, starved or robbed at a given point.

The processes are forked from a server that has imported everything, so each costs no more than its
run. The point is a call: 'the third update', 'the second rename of a written file'.
"""

from __future__ import annotations

import builtins
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Callable, NamedTuple

from campaign import ROOT, load_tool

from srtrack.apis.cli import run_command

#: Seconds after which a run counts as a hang.
TIME_LIMIT = 200
#: Name of a point -> the function whose calls are counted.
POINTS = {
    'update': 'srtrack.engine.optim:SensitivityOptimWrapper.step',
    'training pair': 'srtrack.datasets:PairDataset.__getitem__',
    'source loss': 'srtrack.engine.prior_pass:SourceLoss.stages',
    'checkpoint written': 'os:fsync',
    'file renamed': 'os:replace',
    'file opened to write': 'builtins:open',
    'test frame': 'srtrack.datasets:FrameDataset.__getitem__',
    'tracked': 'srtrack.models.trackers:BaseTracker.track',
    'result written': 'srtrack.evaluation.metrics.sot_metric:write_track',
}


class Ended(NamedTuple):
    """How a run ended: status as a shell's (negative for a signal), and what it wrote."""

    status: int
    output: str

    @property
    def last_line(self) -> str:
        return self.output.strip().splitlines()[-1] if self.output.strip() else ''


class Event(NamedTuple):
    """What happens at the ``number``-th call of a point."""

    point: str
    number: int
    action: str
    amount: int = 0

    def happen(self) -> None:
        if self.action == 'full disk':
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.amount, resource.RLIM_INFINITY))
        elif self.action == 'kill a worker':
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        else:
            os.kill(os.getpid(), getattr(signal, self.action))


def _forkserver():
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['interruptions', 'srtrack.apis', 'srtrack.engine', 'mmcv'])
    os.environ['PYTHONPATH'] = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    os.environ['OMP_NUM_THREADS'] = '1'
    return context


def run(fifo: Path, tool: str, *arguments, event: Event | None = None) -> Ended:
    """Run ``tools/<tool>`` in a process of its own, which writes to ``fifo``, full disk or not.

    Raises:
        TimeoutError: It hangs, or a process that it has left behind does.
    """
    os.mkfifo(fifo)
    output = []
    reader = threading.Thread(target=lambda: output.append(fifo.read_bytes()), daemon=True)
    reader.start()
    saved = {name: os.environ.get(name) for name in ('PYTHONPATH', 'OMP_NUM_THREADS')}
    process = _forkserver().Process(target=_child, args=(str(fifo), tool, arguments, event))
    try:
        process.start()
    finally:
        for name, value in saved.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
    process.join(TIME_LIMIT)
    hangs = process.is_alive()
    if hangs:
        process.kill()
        process.join()
    # The end of the file comes when no process is left that could write to it.
    reader.join(30)
    if hangs or reader.is_alive():
        raise TimeoutError(f'{tool} {arguments} hangs ({event})')
    return Ended(process.exitcode, output[0].decode(errors='replace'))


def _child(fifo: str, tool: str, arguments, event: Event | None) -> None:
    descriptor = os.open(fifo, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdout = os.fdopen(1, 'w', buffering=1)
    sys.stderr = os.fdopen(2, 'w', buffering=1)
    os.environ['SRTRACK_INDEX_CACHE'] = '0'
    import mmengine.config.config
    from mmengine.runner import Runner

    Runner._log_env = lambda *_: None
    mmengine.config.config.FormatCode = lambda text, **_: (text, True)
    if event is not None:
        _arm(event)
    sys.argv = [tool, *map(str, arguments)]
    run_command(load_tool(tool).main)


def _arm(event: Event) -> None:
    module, _, path = POINTS[event.point].partition(':')
    *owners, name = path.split('.')
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, name, _counted(getattr(owner, name), event))


def _counted(function: Callable, event: Event) -> Callable:
    calls = 0

    def wrapper(*args, **kwargs):
        nonlocal calls
        counts = function is not builtins_open or _writes(args, kwargs)
        calls += counts
        if counts and calls == event.number:
            event.happen()
        return function(*args, **kwargs)

    return wrapper


builtins_open = builtins.open


def _writes(args, kwargs) -> bool:
    mode = kwargs.get('mode', args[1] if len(args) > 1 else 'r')
    return 'w' in str(mode)
