"""The converter and the benchmark of events, run as a user does."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from srtrack.events import Events, draw, read_events, slice_by_timestamps

TOOL = 'dataset_converters/events_to_frames.py'


def read_pictures(folder):
    return {path.name: cv2.imread(str(path))[..., ::-1] for path in sorted(folder.iterdir())}


@pytest.fixture
def recording(tmp_path):
    """Three events at 0, 39 and 40 ms."""
    path = tmp_path / 'recording.npz'
    np.savez(path, x=[0, 1, 2], y=[0, 1, 1], t=[0, 39_000, 40_000], p=[1, 0, 1])
    return path


@pytest.fixture
def convert(load_tool):
    """Run the converter."""
    return load_tool(TOOL)


@pytest.fixture
def tool(convert):
    """The module of the converter."""
    return sys.modules['events_to_frames']


def test_settings_are_told_beside_the_pictures(convert, recording, tmp_path):
    convert(recording, 'out', '--fps', 25, '--representation', 'tsltd')
    told = json.loads((tmp_path / 'out.settings.json').read_text())
    assert told['recording'] == str(recording) and told['representation'] == 'tsltd'
    assert told['fps'] == 25 and 'unfinished' not in told
    assert 'tsltd of' in convert(recording, 'out')[2]
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        'out', 'out.settings.json', 'recording.npz'
    ]  # fmt: skip


def test_two_converters_do_not_mix_their_pictures(tool, recording, convert, tmp_path):
    """The second one starts, with other settings, while the first one draws."""
    folder, settings = tmp_path / 'out', dict(representation='tsltd', recording='r.npz')
    with tool.claimed(folder, settings) as partial:
        status, _, error = convert(recording, 'out')
        assert status == 1 and 'another converter is filling' in error
        assert 'tsltd of r.npz' in error
        (partial / '0.png').write_bytes(b'first')
    assert [each.read_bytes() for each in folder.iterdir()] == [b'first']


def test_what_a_killed_converter_left_is_removed(tool, recording, convert, tmp_path, monkeypatch):
    process = subprocess.Popen([sys.executable, '-c', ''])
    process.wait()
    with monkeypatch.context() as patch, contextlib.suppress(ZeroDivisionError):
        patch.setattr(tool.os, 'getpid', lambda: process.pid)
        patch.setattr(tool.shutil, 'rmtree', lambda *_, **__: None)
        patch.setattr(tool.Path, 'unlink', lambda *_, **__: None)
        with tool.claimed(tmp_path / 'out', {}) as partial:
            (partial / 'old.png').touch()
            raise ZeroDivisionError
    assert (tmp_path / '.out.partial/old.png').exists()
    assert convert(recording, 'out')[0] == 0
    assert len(read_pictures(tmp_path / 'out')) == 2
    assert not list(tmp_path.glob('.out*'))


def test_real_recording_at_the_times_of_its_frames(run_tool, shared, tmp_path):
    folder = shared / 'data/rgbe_slider_depth'
    process = run_tool(
        TOOL, folder / 'events_chunk.txt', tmp_path / 'out', '--representation', 'event-volume',
        '--timestamps', folder / 'images.txt',
    )  # fmt: skip
    names = [line.split('/')[1] for line in (folder / 'images.txt').read_text().splitlines()]
    pictures = read_pictures(tmp_path / 'out')
    assert list(pictures) == names
    assert f'{len(names)} images of 240 x 180' in process.stdout
    assert f'{len(names)}/{len(names)}' in process.stderr, 'no progress'
    events = read_events(folder / 'events_chunk.txt')
    part = slice_by_timestamps(events, [0, 38_766, 77_531])[2]
    assert len(part.events) > 1000
    expected = draw(part.events, representation='event_volume', interval=(38_766, 77_531))
    np.testing.assert_array_equal(pictures[names[2]], expected)


def test_fixed_rate(convert, recording, tmp_path):
    status, output, _ = convert(recording, tmp_path / 'a' / 'b', '--fps', 25, '--size', '5,3')
    assert status == 0
    first, second = read_pictures(tmp_path / 'a' / 'b').values()
    white, red, blue = [255] * 3, [220, 30, 30], [30, 30, 200]
    expected = np.full((2, 3, 5, 3), white)
    expected[0, 0, 0], expected[0, 1, 1], expected[1, 1, 2] = red, blue, red
    np.testing.assert_array_equal([first, second], expected)
    assert output.endswith('0 of them without events; 3 of 3 events drawn\n')
    convert(recording, tmp_path / 'default')
    assert len(read_pictures(tmp_path / 'default')) == 2


def test_timestamps_in_microseconds_without_names(convert, recording, tmp_path):
    (tmp_path / 'times.txt').write_text('# exposure\n39000\n40000\n')
    convert(recording, 'out', '--timestamps', 'times.txt')
    pictures = read_pictures(tmp_path / 'out')
    assert list(pictures) == ['00000000.png', '00000001.png']
    # [38000, 39000) holds nothing, [39000, 40000) the OFF event.
    assert (pictures['00000000.png'] == 255).all()
    assert pictures['00000001.png'][1, 1].tolist() == [30, 30, 200]


def test_a_number_of_events_a_picture(convert, recording, tmp_path):
    _, output, _ = convert(recording, tmp_path / 'out', '--count', 2)
    first, second = read_pictures(tmp_path / 'out').values()
    for picture, pixels in ((first, {(0, 0), (1, 1)}), (second, {(1, 2)})):
        marked = np.argwhere((picture != 255).any(axis=2))
        assert set(map(tuple, marked.tolist())) == pixels
    assert output.startswith('2 images of 3 x 2') and '3 of 3 events drawn' in output
    assert 'count = 0' in convert(recording, 'none', '--count', 0)[2]


def test_errors_fit_on_a_line(convert, run_tool, recording, tmp_path):
    def error(*arguments):
        status, _, stderr = convert(*arguments)
        assert status != 0
        return stderr.splitlines()[-1]

    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'old.png').touch()
    (tmp_path / 'late.txt').write_text('5.0\n6.0\n')
    (tmp_path / 'bad.txt').write_text('0.1\nhello\n')
    (tmp_path / 'bad_event.txt').write_text('0.1 1 2 1\n0.2 1 -2 1\n')
    assert error('no.npz', 'out') == 'error: no recording at no.npz'
    assert 'full is not an empty folder; name a new one' in error(recording, 'full')
    assert 'invalid choice' in error(recording, 'out', '--representation', 'voxels')
    assert 'not allowed with' in error(recording, 'out', '--fps', 5, '--timestamps', 'late.txt')
    assert 'both have to tell time by the same clock' in error(
        recording, 'out', '--timestamps', 'late.txt'
    )
    assert "bad.txt, row 2: 'hello' is not a time" in error(
        recording, 'out', '--timestamps', 'bad.txt'
    )
    assert 'bad_event.txt, row 2: y = -2.0 is negative' in error('bad_event.txt', 'out')
    assert 'row 3: x = 2 is outside the sensor, width 2' in error(recording, 'out', '--size', '2,2')
    assert 'fps = 0.0 is not in' in error(recording, 'out', '--fps', 0)
    assert not (tmp_path / 'out').exists()
    process = run_tool(TOOL, 'no.npz', 'out', check=False)
    assert process.returncode == 1 and process.stderr.endswith('error: no recording at no.npz\n')


def test_benchmark(run_tool, tmp_path):
    process = run_tool('benchmarks/events.py', '--events', 4000, '--per-picture', 2000)
    report = json.loads(process.stdout.splitlines()[-1])
    assert set(report['events_per_second']) == set(report['ratio_to_straightforward'])
    assert len(report['events_per_second']) == 6
    assert min(report['events_per_second'].values()) > 0
    assert report['ratio_to_straightforward']['color_polarity'] > 1


def test_unsorted_recording(convert, tmp_path):
    np.savez(tmp_path / 'r.npz', x=[0, 1], y=[0, 0], t=[9, 5], p=[1, 0])
    assert 'set sort=True' in convert('r.npz', 'out')[2]
    assert convert('r.npz', 'out', '--sort')[0] == 0
    (picture,) = read_pictures(tmp_path / 'out').values()
    events = Events.from_arrays([1, 0], [0, 0], [5, 9], [0, 1])
    np.testing.assert_array_equal(picture, draw(events))
