"""Disks that are full, or that nothing can be written to, at any file that a run writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from campaign import REFUSED, cases, ended, generator, run_tool
from interruptions import Event, assert_same_end, evaluate, results_of, run, train


@pytest.mark.parametrize('case', cases(2, 20))
def test_full_while_a_checkpoint_is_saved(whole, config_file, tmp_path, case):
    """The kernel refuses to write beyond a size: the checkpoint before stays, the file is named."""
    size = (whole / 'run/epoch_2.pth').stat().st_size
    limit = int(generator('disk', case).uniform(0.3, 0.99) * size)
    end = train(tmp_path, config_file, event=Event('update', 6, 'full disk', limit))
    assert end.status == 1
    assert end.last_line.startswith('error: ') and 'epoch_2.pth' in end.last_line
    assert sorted(path.name for path in (tmp_path / 'run').glob('*.pth*')) == ['epoch_1.pth']
    assert not list((tmp_path / 'run').glob('.*.partial'))
    go_on(whole, config_file, tmp_path)


def go_on(whole, config_file, folder, *options) -> None:
    end = train(folder, config_file, '--resume', *options, log='resumed')
    assert end.status == 0, end.output[-2000:]
    assert_same_end(folder, whole)


@pytest.mark.parametrize('case', cases(2, 12))
def test_full_while_sensitivities_are_saved(whole, config_file, tmp_path, case):
    """Of the prior pass, in its cache or in the work dir."""
    limit = int(generator('prior', case).integers(1, 500))
    options = ['--cfg-options', f'custom_hooks.0.cache={tmp_path / "cache.json"}'] * (case % 2)
    event = Event('source loss', 2, 'full disk', limit)
    end = train(tmp_path, config_file, *options, event=event)
    assert end.status == 1 and 'Traceback' not in end.output
    named = 'cache.json' if options else 'prior_sensitivity.json'
    assert f'error: cannot write {tmp_path}' in end.output and named in end.output
    assert not list(tmp_path.glob('**/*.json'))
    go_on(whole, config_file, tmp_path, *options)


@pytest.mark.parametrize('case', cases(1, 6))
def test_full_while_scalars_are_logged(whole, config_file, tmp_path, case):
    """The curves of a run are no small thing to lose: it ends, and goes on when there is room."""
    number = int(generator('scalars', case).integers(1, 8))
    end = train(tmp_path, config_file, event=Event('update', number, 'full disk', 1))
    assert end.status == 1 and 'Traceback' not in end.output
    assert any('make room' in line for line in end.output.splitlines() if line.startswith('error'))
    go_on(whole, config_file, tmp_path)


@pytest.mark.parametrize('case', cases(1, 6))
def test_full_log(whole, config_file, tmp_path, case):
    """The text on the screen is enough to go on with: one warning, and the run ends as it would."""
    number = int(generator('log', case).integers(1, 8))
    end = train(tmp_path, config_file, event=Event('update', number, 'full log'))
    assert end.status == 0 and 'Traceback' not in end.output
    assert end.output.count('is incomplete from here') == 1
    assert_same_end(tmp_path, whole)


@pytest.mark.parametrize('case', cases(2, 12))
def test_full_while_results_are_written(whole, tested, config_file, tmp_path, case):
    event = Event('result written', 1 + case % 3, 'full disk', 20 + case)
    end = evaluate(tmp_path, config_file, whole, event=event)
    assert end.status == 1
    line = next(each for each in end.output.splitlines() if each.startswith('error: '))
    assert 'out/' in line and '.txt' in line, line
    assert all(tested[1][name] == text for name, text in results_of(tmp_path).items())
    end = evaluate(tmp_path, config_file, whole, '--resume')
    assert (json.loads(end.last_line), results_of(tmp_path)) == tested
    ended(REFUSED)


@pytest.fixture
def mounted(tmp_path):
    """Mounts small file systems, for those who may; gives them back."""
    folders = []

    def mount(options: str):
        folder = tmp_path / 'mounted'
        folder.mkdir()
        command = ['mount', '-t', 'tmpfs', '-o', options, 'tmpfs', str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            pytest.skip('needs the right to mount')
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(['umount', '--lazy', str(folder)], check=True, timeout=20)


def test_really_full_disk(whole, config_file, tmp_path, mounted):
    """One checkpoint fits, the second does not; moved to a larger disk, the run goes on."""
    size = (whole / 'run/epoch_2.pth').stat().st_size
    folder = mounted(f'size={int(1.6 * size)}')
    end = run(tmp_path / 'first', 'train.py', config_file, '--work-dir', folder)
    assert end.status == 1
    assert end.last_line.startswith(f'error: cannot write {folder}/epoch_2.pth')
    assert sorted(path.name for path in folder.glob('*.pth*')) == ['epoch_1.pth']
    shutil.copytree(folder, tmp_path / 'run')
    (tmp_path / 'run/last_checkpoint').unlink()  # names the file on the full disk
    go_on(whole, config_file, tmp_path)


@pytest.fixture
def read_only(tmp_path, request):
    """A folder that nothing can be written to; root needs a file system of that kind."""
    if os.geteuid() == 0:
        return request.getfixturevalue('mounted')('ro')
    folder = tmp_path / 'mounted'
    folder.mkdir(mode=0o555)
    return folder


COMMANDS = {
    'train': 'train.py {config} --work-dir {out}',
    'test': 'test.py {config} {weights} --out {out}',
    'track': 'track.py {config} {weights} --rgb {data}/ant/rgb --aux {data}/ant/aux '
    '--init-box 5,4,14,12 --out {out}',
    'prior': 'analysis_tools/prior_sensitivity.py {config} --out {out}/prior.json',
    'score': 'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} '
    '--json {out}/scores.json',
    'plots': 'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} '
    '--plots {out}',
    'check': 'dataset_converters/check_dataset.py {data} --json {out}/report.json',
    'publish': 'model_converters/publish_checkpoint.py {weights} {out}/small.pth',
    'export': 'deployment/export.py {config} {weights} {out}/small.pt2 --format torch',
}


@pytest.fixture(scope='session')
def boxes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('boxes')
    for name in ('ant', 'bee'):
        (folder / f'{name}.txt').write_text('5,4,14,12\n' * 6)
    return folder


def call(command: str, out, whole, sound, config_file, boxes):
    tool, *arguments = COMMANDS[command].split()
    names = dict(
        config=config_file, weights=whole / 'run/epoch_2.pth', data=sound, boxes=boxes, out=out
    )
    return run_tool(tool, *(each.format(**names) for each in arguments))


@pytest.mark.parametrize('command', COMMANDS)
def test_read_only_folder(whole, sound, config_file, boxes, read_only, command):
    for out in (read_only, read_only / 'below'):
        status, _, stderr = call(command, out, whole, sound, config_file, boxes)
        assert_output_is_named(status, stderr, read_only)


@pytest.mark.parametrize('command', COMMANDS)
def test_file_in_the_place_of_a_folder(whole, sound, config_file, boxes, tmp_path, command):
    path = tmp_path / 'a file'
    path.write_text('precious')
    status, _, stderr = call(command, path, whole, sound, config_file, boxes)
    assert_output_is_named(status, stderr, path)
    assert path.read_text() == 'precious'


def assert_output_is_named(status: int, stderr: str, path) -> None:
    line = stderr.strip().splitlines()[-1]
    assert status == 1 and line.startswith('error: ') and str(path) in line, stderr[-1000:]
    assert 'Traceback' not in stderr and 'SRTRACK_TRACEBACK' not in line
    ended(REFUSED)
