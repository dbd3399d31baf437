"""Files appear whole or not at all, and nothing of a failed or killed write stays."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from srtrack.files import (
    parse_json,
    put_in_place,
    read_bytes,
    read_json,
    remove_leftovers,
    whole_file,
    whole_folder,
    write_bytes,
    write_text,
)

WRITER = """
import sys, time
from srtrack.files import whole_file, whole_folder
with (whole_folder if sys.argv[2] == 'folder' else whole_file)(sys.argv[1]) as new:
    (new / 'part').write_bytes(b'half') if sys.argv[2] == 'folder' else new.write(b'half')
    print('writing', flush=True)
    time.sleep(100)
"""


@pytest.fixture
def writer():
    """Starts processes that are busy writing a file or a folder."""
    running = []

    def start(path, kind='file'):
        command = [sys.executable, '-c', WRITER, str(path), kind]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout.readline() == 'writing\n'
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize('fails', ['fsync', 'replace', 'block'])
def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch, fails):
    path = tmp_path / 'a.txt'
    write_text(path, 'old')

    def full(*_):
        raise OSError(28, 'No space left on device')

    if fails != 'block':
        monkeypatch.setattr(os, fails, full)
    message = r'cannot write .*a\.txt: No space left'
    with pytest.raises(OSError, match=message), whole_file(path) as file:
        file.write(b'new')
        if fails == 'block':
            full()
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_is_given_after_file_and_before_folder_are_on_the_disk(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def seen(handle):
        calls.append(os.path.realpath(f'/proc/self/fd/{handle}'))
        fsync(handle)

    monkeypatch.setattr(os, 'fsync', seen)
    monkeypatch.setattr(os, 'replace', lambda a, b: (calls.append('replace'), replace(a, b)))
    write_bytes(tmp_path / 'a', b'content')
    temporary, renamed, folder = calls
    assert os.path.dirname(temporary) == str(tmp_path)
    assert (renamed, folder) == ('replace', str(tmp_path))


@pytest.mark.parametrize('kind', ['file', 'folder'])
def test_what_a_killed_process_was_writing_goes_with_the_next_write(tmp_path, writer, kind):
    first, second = writer(tmp_path / 'a', kind), writer(tmp_path / 'b', kind)
    mine = tmp_path / '.epoch_1.pth.77'
    mine.write_text('of somebody else')
    assert len(list(tmp_path.iterdir())) == 3
    first.send_signal(signal.SIGKILL)
    first.wait()
    write_text(tmp_path / 'c', '')
    left = {each.name for each in tmp_path.iterdir()} - {'c', mine.name}
    assert len(left) == 1  # that of the second one, which is busy
    second.kill()
    second.wait()
    remove_leftovers(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {'c', mine.name}


def test_where_files_cannot_be_locked_old_leftovers_go(tmp_path, monkeypatch):
    from srtrack import files

    monkeypatch.setattr(files, 'fcntl', None)
    old, fresh = (tmp_path / f'.srtrack-{digit * 16}.partial' for digit in '01')
    for path in (old, fresh):
        path.write_text('half')
    os.utime(old, (1, time.time() - 3601))
    write_text(tmp_path / 'a', '')
    assert not old.exists() and fresh.exists()


def test_names_as_long_as_the_file_system_allows(tmp_path):
    path = tmp_path / ('ä' * 125 + '.txt')
    write_text(path, 'ü\n')
    assert path.read_bytes() == 'ü\n'.encode()


def test_mode_is_what_the_umask_allows_and_links_stay(tmp_path):
    (tmp_path / 'file').write_text('old')
    (tmp_path / 'link').symlink_to('file')
    umask = os.umask(0o027)
    try:
        write_text(tmp_path / 'link', 'new')
    finally:
        os.umask(umask)
    assert (tmp_path / 'link').is_symlink()
    assert (tmp_path / 'file').read_text() == 'new'
    assert (tmp_path / 'file').stat().st_mode & 0o777 == 0o640


def test_devices_and_pipes_are_written_as_they_are(tmp_path):
    write_text('/dev/null', 'gone')
    code = "from srtrack.files import write_text; write_text('/dev/stdout', 'b')"
    with open(tmp_path / 'out', 'w') as out:
        out.write('a')
        out.flush()
        subprocess.run([sys.executable, '-c', code], stdout=out, check=True)
    assert (tmp_path / 'out').read_text() == 'ab'
    with pytest.raises(OSError, match='cannot write /dev/full: No space left'):
        write_text('/dev/full', 'text')


def test_a_folder_appears_when_it_is_complete(tmp_path):
    path = tmp_path / 'new' / 'folder'
    with pytest.raises(KeyError), whole_folder(path) as half:
        (half / 'part').write_text('1')
        raise KeyError
    assert not list(path.parent.iterdir())
    with whole_folder(path) as half:
        (half / 'part').write_text('1')
        assert not path.exists()
    with whole_folder(path) as late:  # another process was faster
        (late / 'part').write_text('2')
    assert [each.name for each in path.parent.iterdir()] == ['folder']
    assert (path / 'part').read_text() == '1'


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match=r'cannot write .*nowhere/a: No such file'):
        write_text(tmp_path / 'nowhere' / 'a', '')


def test_a_file_that_a_library_wrote_is_put_in_place(tmp_path):
    (tmp_path / 'half').write_text('new')
    put_in_place(tmp_path / 'half', tmp_path / 'a')
    assert [each.name for each in tmp_path.iterdir()] == ['a']


def test_named_pipe(tmp_path):
    """Nobody is at its other end: refused, not waited for."""
    pipe, link = tmp_path / 'pipe', tmp_path / 'link'
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match='is a named pipe'):
            read_bytes(path)
        with pytest.raises(OSError, match=f'{path}: nobody reads this pipe'):
            write_text(path, 'lost')
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)) as reader:
        write_text(pipe, 'read')
        assert reader.read() == 'read'


def test_pipe_that_is_open():
    """As a shell gives it for <(command)."""
    out, into = os.pipe()
    os.write(into, b'ant')
    os.close(into)
    assert read_bytes(f'/dev/fd/{out}') == b'ant'
    os.close(out)


@pytest.mark.parametrize(
    'text, reason',
    [
        ('[' * 100_000, 'nested too deeply'),
        ('{"a": 1' + '0' * 400 + '}', 'too large'),
        ('{"a": -1' + '0' * 5000 + '}', 'too large'),
        ('[1e400]', 'too large'),
        ('{"a": ', 'char'),
        ('\x00', 'char'),
    ],
)
def test_json_that_is_none(tmp_path, text, reason):
    path = tmp_path / 'a.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'a\.json is no JSON that can be read: .*{reason}'):
        read_json(path)


def test_json(tmp_path):
    text = '{"a": [-1, 2.5, 1e300, 18446744073709551616, "\u00fc"], "b": null}'
    expected = dict(a=[-1, 2.5, 1e300, 2**64, '\u00fc'], b=None)
    for encoding in ('utf-8', 'utf-8-sig', 'utf-16'):
        assert parse_json(text.encode(encoding)) == expected


def test_folders_made_at_once_do_not_take_each_other_for_leftovers(tmp_path):
    def make(folder):
        with whole_folder(folder / 'x') as temporary:
            (temporary / 'a').write_text('1')

    for index in range(30):
        folder = tmp_path / str(index)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(make, [folder] * 16))
        assert [path.name for path in folder.iterdir()] == ['x']
