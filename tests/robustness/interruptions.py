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
import socket
import sys
import threading
from pathlib import Path
from typing import Callable, NamedTuple

from campaign import ROOT, WENT_ON, ended, load_tool
from checkpoint_pairs import assert_same_checkpoint
from mmengine.logging import MMLogger

from srtrack.cli.command import run_command

#: Seconds after which a run counts as a hang.
TIME_LIMIT = 200
#: Name of a point -> the function whose calls are counted.
POINTS = {
    'update': 'srtrack.engine.optim:SensitivityOptimWrapper.step',
    'training pair': 'srtrack.datasets:PairDataset.__getitem__',
    'source loss': 'srtrack.engine.prior_pass:SourceLoss.stages',
    'forced to the disk': 'os:fsync',
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
        elif self.action == 'full log':
            for handler in MMLogger.get_current_instance().handlers:
                if hasattr(handler, 'baseFilename'):
                    handler.stream = open('/dev/full', 'w')  # noqa: SIM115
        elif self.action == 'kill a worker':
            os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        elif self.action.startswith('group '):
            os.killpg(0, getattr(signal, self.action[len('group ') :]))
        else:
            for name in self.action.split():
                os.kill(os.getpid(), getattr(signal, name))


def _forkserver():
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['interruptions', 'srtrack.apis', 'srtrack.engine', 'mmcv'])
    os.environ['PYTHONPATH'] = os.pathsep.join([str(Path(__file__).parent), str(ROOT)])
    os.environ['OMP_NUM_THREADS'] = '1'
    return context


class Running:
    """``tools/<tool>`` in a process of its own, which writes to ``fifo``, full disk or not."""

    def __init__(self, fifo: Path, tool: str, *arguments, event=None, environment=None):
        os.mkfifo(fifo)
        self.what = f'{tool} {arguments} ({event})'
        self.output = []
        self.reader = threading.Thread(
            target=lambda: self.output.append(fifo.read_bytes()), daemon=True
        )
        self.reader.start()
        saved = {name: os.environ.get(name) for name in ('PYTHONPATH', 'OMP_NUM_THREADS')}
        self.process = _forkserver().Process(
            target=_child, args=(str(fifo), tool, arguments, event, environment or {})
        )
        try:
            self.process.start()
        finally:
            for name, value in saved.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value

    def wait(self) -> Ended:
        """Its end.

        Raises:
            TimeoutError: It hangs, or a process that it has left behind does.
        """
        self.process.join(TIME_LIMIT)
        hangs = self.process.is_alive()
        if hangs:
            self.process.kill()
            self.process.join()
        # The end of the file comes when no process is left that could write to it.
        self.reader.join(30)
        if hangs or self.reader.is_alive():
            raise TimeoutError(f'{self.what} hangs')
        return Ended(self.process.exitcode, self.output[0].decode(errors='replace'))


def run(fifo: Path, tool: str, *arguments, event: Event | None = None) -> Ended:
    """Run a tool; see :class:`Running`."""
    return Running(fifo, tool, *arguments, event=event).wait()


def run_ranks(folder: Path, tool: str, *arguments, events: dict[int, Event] | None = None):
    """Run a tool in two processes with gloo, as a launcher does that lets each end by itself."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = str(probe.getsockname()[1])
    ranks = []
    for rank in range(2):
        environment = dict(
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1',
            MASTER_PORT=port,
        )  # fmt: skip
        ranks.append(
            Running(
                folder / f'rank{rank}', tool, *arguments, '--launcher', 'pytorch',
                event=(events or {}).get(rank), environment=environment,
            )
        )  # fmt: skip
    return [each.wait() for each in ranks]


def train(folder: Path, config_file: Path, *arguments, event=None, log='first') -> Ended:
    """Train in ``folder/run``."""
    folder.mkdir(exist_ok=True)
    return run(
        folder / log, 'train.py', config_file, '--work-dir', folder / 'run', *arguments, event=event
    )


def evaluate(
    folder: Path,
    config_file: Path,
    whole: Path,
    *arguments,
    event=None,
    checkpoint='epoch_2.pth',
    log=None,
) -> Ended:
    """Evaluate a checkpoint of ``whole``, by default the last; results go to ``folder/out``."""
    checkpoint = whole / 'run' / checkpoint
    log = log or ('resumed' if '--resume' in arguments else 'first')
    folder.mkdir(exist_ok=True)
    return run(
        folder / log, 'test.py', config_file, checkpoint, '--out', folder / 'out', *arguments,
        event=event,
    )  # fmt: skip


def results_of(folder: Path) -> dict[str, str]:
    """Result files of an evaluation: name -> text."""
    files = (folder / 'out').glob('*/*[a-z].txt')
    return {path.name: path.read_text() for path in files if '_time' not in path.name}


def assert_same_end(folder: Path, whole: Path) -> None:
    """A run has ended as ``whole`` has, bit for bit, and left nothing half-written behind."""
    assert_same_checkpoint(folder / 'run/epoch_2.pth', whole / 'run/epoch_2.pth')
    assert not list((folder / 'run').glob('.*.pth*'))
    ended(WENT_ON)


def _child(fifo: str, tool: str, arguments, event: Event | None, environment: dict) -> None:
    descriptor = os.open(fifo, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    sys.stdout = os.fdopen(1, 'w', buffering=1)
    sys.stderr = os.fdopen(2, 'w', buffering=1)
    # A shell that starts the tests in the background has told them to ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.update(environment, SRTRACK_INDEX_CACHE='0')
    import mmengine.config.config
    from mmengine.runner import Runner

    Runner._log_env = lambda *_: None
    mmengine.config.config.FormatCode = lambda text, **_: (text, True)
    if event is not None:
        if event.action.startswith('group '):
            os.setpgid(0, 0)
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
