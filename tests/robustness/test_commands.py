"""Commands typed by somebody in a hurry: wrong paths, wrong values, and outputs nobody reads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from campaign import FULL, REFUSED, ROOT, WENT_ON, assert_one_clear_line, ended, run_tool

#: Command -> what its error names. {x} are files of the fixture ``places``.
MISTAKES = {
    'train.py {folder}': ['folder'],
    'train.py {text}': ['text.txt', '.py'],
    'train.py {nothing}': ['nothing'],
    'train.py {config} --resume {text} --work-dir {out}': ['text.txt', 'checkpoint'],
    'train.py {config} --resume {folder} --work-dir {out}': ['folder', 'checkpoint'],
    'test.py {weights} {config} --out {out}': ['.pth', '.py'],
    'test.py {config} {folder} --out {out}': ['folder'],
    'test.py {config} {weights} --out {out} --cfg-options test_evaluator.protocol=vot': ['vot'],
    'track.py {config} {weights} --rgb {rgb} --aux {folder} --init-box 5,4,14,12 --out {out}':
        ['folder'],
    'track.py {config} {weights} --rgb {text} --aux {text} --init-box 5,4,14,12 --out {out}':
        ['text.txt'],
    'track.py {config} {weights} --rgb {nothing} --aux {rgb} --init-box 5,4,14,12 --out {out}':
        ['nothing'],
    'track.py {config} {weights} --rgb {rgb} --aux {rgb} --init-box 900,4,14,12 --out {out}':
        ['900'],
    'track.py {config} {weights} --rgb {rgb} --init-box 5,4,14,12 --out {out}': ['6 channels'],
    'analysis_tools/evaluate_results.py --protocol lasher --gt {folder} --results a={folder}':
        ['folder'],
    'analysis_tools/evaluate_results.py --protocol lasher --gt {nothing} --results a={folder}':
        ['nothing'],
    'analysis_tools/evaluate_results.py --protocol lasher --gt {text} --results a={folder}':
        ['text.txt'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={folder}':
        ['folder'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={nothing}':
        ['nothing'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} '
    '--sequences {text}':
        ['precious'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} --json {folder}':
        ['folder'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} --html {folder}':
        ['folder'],
    'analysis_tools/prior_sensitivity.py {config} --out {folder}': ['folder', 'file'],
    'analysis_tools/prior_sensitivity.py {source} --out {out}': ['PriorSensitivityHook'],
    'analysis_tools/weight_distance.py {config} {text} --runs a={weights} --out {out}':
        ['text.txt'],
    'analysis_tools/weight_distance_curve.py a={folder} --out {out}': ['folder'],
    'analysis_tools/train_test_gap.py {config} --runs a={folder} --out {out}': ['folder'],
    'analysis_tools/complexity.py {folder}': ['folder'],
    'dataset_converters/check_dataset.py {folder}': ['folder'],
    'dataset_converters/check_dataset.py {nothing}': ['nothing'],
    'dataset_converters/check_dataset.py {data} --type Nothing': ['Nothing'],
    'dataset_converters/check_dataset.py {data} --json {folder}': ['folder'],
    'dataset_converters/events_to_frames.py {nothing} {out} --representation event_frame --fps 9':
        ['nothing'],
    'dataset_converters/events_to_frames.py {text} {out} --representation event_frame --fps 9':
        ['text.txt'],
    'dataset_converters/events_to_frames.py {weights} {out} --representation event_frame --fps 9':
        ['no reader', '.aedat4'],
    'model_converters/convert_checkpoint.py ostrack {nothing} {out}': ['nothing'],
    'model_converters/convert_checkpoint.py ostrack {text} {out}': ['text.txt'],
    'model_converters/convert_checkpoint.py ostrack {weights} {out}': ['epoch_2.pth'],
    'model_converters/publish_checkpoint.py {text} {out}': ['text.txt'],
    'deployment/export.py {config} {text} {out}': ['text.txt'],
    'vot/make_workspace.py --data {folder} --out {out} --config {config} --checkpoint {weights}':
        ['folder'],
    'vot/make_workspace.py --data {text} --out {out} --config {config} --checkpoint {weights}':
        ['text.txt'],
    'train.py {pipe}': ['pipe'],
    'train.py {config} --work-dir {out} --cfg-options load_from={pipe}': ['pipe'],
    'train.py {config} --resume {pipe} --work-dir {out}': ['pipe'],
    'test.py {config} {pipe} --out {out}': ['pipe'],
    'track.py {config} {pipe} --rgb {rgb} --aux {rgb} --init-box 5,4,14,12 --out {out}': ['pipe'],
    'track.py {config} {weights} --rgb {pipe} --aux {rgb} --init-box 5,4,14,12 --out {out}': ['pipe'],
    'track.py {config} {weights} --rgb {rgb} --aux {rgb} --init-box 5,4,14,12 --out {pipe}': ['pipe'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {pipe} --results a={boxes}': ['pipe'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={pipe}': ['pipe'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {piped} --results a={boxes}':
        ['ant.txt', 'named pipe'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={piped}':
        ['ant.txt', 'named pipe'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} '
    '--sequences {pipe}':
        ['pipe'],
    'analysis_tools/evaluate_results.py --protocol lasher --gt {boxes} --results a={boxes} '
    '--attributes {pipe}':
        ['pipe'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} --json {pipe}':
        ['pipe', 'nobody reads'],
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} --html {pipe}':
        ['pipe', 'nobody reads'],
    'analysis_tools/prior_sensitivity.py {config} --out {pipe}': ['pipe'],
    'dataset_converters/check_dataset.py {data} --json {pipe}': ['pipe'],
    'dataset_converters/events_to_frames.py {pipe}.txt {out} --representation event_frame --fps 9':
        ['pipe'],
    'model_converters/convert_checkpoint.py ostrack {pipe} {out}': ['pipe'],
    'model_converters/publish_checkpoint.py {pipe} {out}': ['pipe'],
    'deployment/export.py {config} {pipe} {out}': ['pipe'],
}  # fmt: skip
#: Command -> what argparse answers, with status 2.
USAGE = {
    'train.py': 'CONFIG',
    'train.py {config} --nothing': '--nothing',
    'train.py {config} --cfg-options model': "KEY=VALUE, got 'model'",
    'train.py {config} --cfg-options =3': "KEY=VALUE, got '=3'",
    'ablate.py {config} --cfg-options model': "KEY=VALUE, got 'model'",
    'dataset_converters/check_dataset.py {data} --cfg-options split': "KEY=VALUE, got 'split'",
    'test.py {config} {weights} --resume': '--out',
    'track.py {config} {weights} --rgb a --aux b --init-box 5,4,14 --out {out}': 'X,Y,W,H',
    'track.py {config} {weights} --rgb a --aux b --init-box nan,4,1,1 --out {out}': 'finite',
    'track.py {config} {weights} --rgb a --aux b --init-box 5,4,0,0 --out {out}': 'positive',
    'analysis_tools/evaluate_results.py --protocol lasherr --gt a --results b': 'lasherr',
    'analysis_tools/evaluate_results.py --protocol lasher --gt a --results b': 'NAME=DIR',
    'analysis_tools/browse_dataset.py {config} --num 0': '--num',
    'dataset_converters/check_dataset.py {data} --sheet {folder}': '.png',
    'model_converters/convert_checkpoint.py nothing a b': 'nothing',
    'study.py --modalities rgbx': 'rgbx',
}


@pytest.fixture(scope='module')
def places(whole, sound, config_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp('places with \u00fcml\u00e4uts')
    for name in ('folder', 'boxes'):
        (folder / name).mkdir()
    (folder / 'text.txt').write_text('precious')
    (folder / 'boxes/ant.txt').write_text('5,4,14,12\n' * 6)
    (folder / 'piped').mkdir()
    for pipe in ('pipe', 'pipe.txt', 'piped/ant.txt'):
        os.mkfifo(folder / pipe)  # with nobody at its other end
    return dict(
        folder=folder / 'folder', text=folder / 'text.txt', nothing=folder / 'nothing',
        pipe=folder / 'pipe', piped=folder / 'piped',
        boxes=folder / 'boxes', out=folder / 'out', config=config_file,
        source=ROOT / 'configs/one_stream/tiny_synthetic-source.py', data=sound,
        weights=whole / 'run/epoch_2.pth', rgb=sound / 'ant/rgb',
    )  # fmt: skip


def call(command: str, places) -> tuple[int, str, str]:
    tool, *arguments = command.split()
    return run_tool(tool, *(each.format(**places) for each in arguments))


@pytest.mark.parametrize('command', MISTAKES)
def test_mistaken_path(places, tmp_path, command):
    status, _, stderr = call(command, dict(places, out=tmp_path / 'out'))
    assert status == 1
    assert_one_clear_line(stderr, *MISTAKES[command])
    assert places['text'].read_text() == 'precious' and not list(places['folder'].iterdir())


@pytest.mark.parametrize('command', USAGE)
def test_mistaken_argument(places, command):
    status, _, stderr = call(command, places)
    line = stderr.strip().splitlines()[-1]
    assert status == 2 and 'error: ' in line and USAGE[command] in line
    ended(REFUSED)


#: Tools whose output is cut off by ``| head -c 1``, and what they must have done all the same.
UNREAD = {
    'test.py {config} {weights} --out {fresh}': '*/ant.txt',
    'track.py {config} {weights} --rgb {rgb} --aux {rgb} --init-box 5,4,14,12 --out {fresh}':
        'boxes.txt',
    'analysis_tools/evaluate_results.py --protocol ope --gt {boxes} --results a={boxes} '
    '--json {fresh}/a.json': 'a.json',
}  # fmt: skip


@pytest.mark.parametrize('command', UNREAD if FULL else list(UNREAD)[-1:])
def test_output_that_nobody_reads(places, tmp_path, command):
    """With ``| head`` the work is finished, and no traceback is printed."""
    tool, *arguments = command.split()
    arguments = [each.format(fresh=tmp_path / 'out', **places) for each in arguments]
    process = subprocess.Popen(
        [sys.executable, '-u', ROOT / 'tools' / tool, *arguments], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.read(1)
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(100) == 0, stderr
    assert 'Traceback' not in stderr and 'Broken pipe' not in stderr
    assert list((tmp_path / 'out').glob(UNREAD[command]))
    ended(WENT_ON)


@pytest.mark.parametrize('device', ['/dev/stdout', '/dev/null'])
def test_device_as_output(places, tmp_path, device):
    """It is written to; to replace it, as a file that appears whole is, would break the machine."""
    process = subprocess.run(
        [
            sys.executable, ROOT / 'tools/analysis_tools/evaluate_results.py', '--protocol', 'ope',
            '--gt', places['boxes'], '--results', f'a={places["boxes"]}', '--json', device,
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert ('"curves"' in process.stdout) == (device == '/dev/stdout')
    assert Path(device).is_symlink() or Path(device).is_char_device()
    ended(WENT_ON)
