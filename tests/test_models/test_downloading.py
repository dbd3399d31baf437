"""Checkpoints from the net, by a server on this machine."""

from __future__ import annotations

import http.server
import logging
import threading

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner.checkpoint import CheckpointLoader

from srtrack.models.pretrained import (
    CheckpointError,
    check_checkpoint,
    describe_source,
    downloading,
    read_checkpoint,
    sha256,
)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder, the URL under which it is on the net, and the paths that were asked for."""
    root, asked = tmp_path / 'site', []
    root.mkdir()
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setattr(downloading, '_told', set())

    class Site(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(root))

        def log_message(self, *_):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield root, f'http://127.0.0.1:{server.server_port}', asked
        server.shutdown()


def publish(path, value):
    path.parent.mkdir(exist_ok=True)
    torch.save(dict(state_dict=dict(w=torch.tensor([value]))), path)


def value_of(content):
    return content.get('state_dict', content)['w'].item()


def test_two_urls_that_end_alike_are_two_files(site):
    root, url, asked = site
    for name, value in (('a', 1.0), ('b', 2.0)):
        publish(root / name / 'best.pth', value)
    for _ in range(2):
        for name, value in (('a', 1.0), ('b', 2.0)):
            source = f'{url}/{name}/best.pth'
            assert value_of(read_checkpoint(source)) == value
            assert value_of(CheckpointLoader.load_checkpoint(source, 'cpu')) == value
            assert describe_source(source)['sha256'] == sha256(root / name / 'best.pth')
    assert sorted(asked) == ['/a/best.pth', '/b/best.pth']  # each once
    publish(root / 'best.pth', 3.0)
    sources = [f'{url}/best.pth', f'{url}/best.pth?version=2', f'{url}/best.pth?version=3']
    assert [value_of(read_checkpoint(source)) for source in sources] == [3.0] * 3
    assert len(asked) == 5


def test_the_file_that_is_used_is_told_once(site, caplog):
    root, url, _ = site
    publish(root / 'best.pth', 1.0)
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            read_checkpoint(f'{url}/best.pth')
    logger.removeHandler(caplog.handler)
    (line,) = [each.getMessage() for each in caplog.records if 'best.pth is ' in each.getMessage()]
    assert line.startswith(url) and sha256(root / 'best.pth') in line


def test_files_of_pytorch_count_only_where_their_name_tells_their_content(site):
    """On machines without a net, downloads of others lie there: they go by the name alone."""
    root, url, asked = site
    shared = root.parent / 'torch/hub/checkpoints'
    shared.mkdir(parents=True)
    publish(shared / 'best.pth', 1.0)
    publish(root / 'best.pth', 2.0)
    assert value_of(read_checkpoint(f'{url}/best.pth')) == 2.0
    named = f'best-{sha256(shared / "best.pth")[:8]}.pth'
    (shared / 'best.pth').rename(shared / named)
    before = len(asked)
    assert value_of(read_checkpoint(f'{url}/{named}')) == 1.0
    assert len(asked) == before
    publish(shared / 'other-12345678.pth', 1.0)
    publish(root / 'other-12345678.pth', 2.0)  # the digits may be a date as well
    assert value_of(read_checkpoint(f'{url}/other-12345678.pth')) == 2.0


def test_what_cannot_be_downloaded(site):
    _, url, _ = site
    with pytest.raises(CheckpointError, match=r'gone\.pth .*404.*put the file at .*gone\.pth'):
        check_checkpoint(f'{url}/gone.pth')
