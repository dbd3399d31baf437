"""Checkpoints that are cut off, garbled, malicious, of other content, or not numbers any more."""

from __future__ import annotations

import http.server
import os
import pickle
import shutil
import threading
import zipfile

import numpy as np
import pytest
import torch
from campaign import REFUSED, WENT_ON, assert_one_clear_line, cases, ended, generator, run_tool

from srtrack.engine.checkpoints import AtomicLocalBackend, latest_whole_checkpoint
from srtrack.files import whole_file
from srtrack.models.pretrained import CheckpointError, check_checkpoint, read_checkpoint


@pytest.fixture(scope='module')
def trained(config_file, tmp_path_factory):
    """Work dir of a sound run of two epochs."""
    folder = tmp_path_factory.mktemp('trained')
    status, _, stderr = run_tool(
        'train.py', config_file, '--work-dir', folder, '--cfg-options', 'experiment_name=trained',
        'val_cfg=None', 'val_dataloader=None', 'val_evaluator=None',
    )  # fmt: skip
    assert status == 0, stderr[-2000:]
    return folder


def use(config_file, path, tmp_path, how: str, *settings: str) -> tuple[int, str, str]:
    """Test a checkpoint, start from it, or resume it."""
    options = ['--cfg-options', f'experiment_name={tmp_path.name}', *settings]
    if how == 'test':
        return run_tool('test.py', config_file, path, '--out', tmp_path / 'out', *options)
    more = ['train_cfg.max_epochs=3', 'optim_wrapper.use_prior=True']
    if how == 'resume':
        return run_tool(
            'train.py',
            config_file,
            '--work-dir',
            tmp_path / 'run',
            '--resume',
            path,
            *options,
            *more,
        )
    more = [f'load_from={path}', 'train_cfg.max_epochs=1']
    return run_tool('train.py', config_file, '--work-dir', tmp_path / 'run', *options, *more)


GARBLED = {
    'truncated': lambda data, rng: data[: int(len(data) * rng.uniform(0.001, 0.999))],
    'empty': lambda data, rng: b'',
    'zeros': lambda data, rng: bytes(len(data)),
    'tail of zeros': lambda data, rng: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    'noise': lambda data, rng: rng.bytes(2000),
    'head lost': lambda data, rng: data[int(rng.integers(1, 400)) :],
    'web page': lambda data, rng: b'<html><body>404 Not Found</body></html>',
    'LFS pointer': lambda data, rng: b'version https://git-lfs.github.com/spec/v1\nsize 9\n',
    'a byte of a tensor': lambda data, rng: flip(data, rng),
}


def flip(data: bytes, rng) -> bytes:
    """One byte of the middle half, which holds tensors, becomes another."""
    at = int(len(data) * rng.uniform(0.25, 0.75))
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


def same_content(*paths) -> bool:
    one, other = (torch.load(path, weights_only=True)['state_dict'] for path in paths)
    return all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.parametrize('case', cases(2, 20))
@pytest.mark.parametrize('kind', GARBLED)
def test_garbled_file(trained, config_file, tmp_path, kind, case):
    path = tmp_path / 'garbled.pth'
    path.write_bytes(GARBLED[kind]((trained / 'epoch_1.pth').read_bytes(), generator(kind, case)))
    if kind == 'a byte of a tensor' and same_content(path, trained / 'epoch_1.pth'):
        ended(WENT_ON)
        return  # a byte between the tensors, which nothing is read from
    with pytest.raises(CheckpointError) as error:
        check_checkpoint(str(path))
    assert str(path) in str(error.value)
    if case == 0:
        how = ('test', 'resume', 'load')[len(kind) % 3]
        status, _, stderr = use(config_file, path, tmp_path, how)
        assert status == 1
        assert_one_clear_line(stderr, 'garbled.pth')
    # A run that looks for its latest checkpoint takes the one before.
    work_dir = tmp_path / 'work_dir'
    work_dir.mkdir()
    shutil.copy(trained / 'epoch_1.pth', work_dir / 'epoch_1.pth')
    os.utime(work_dir / 'epoch_1.pth', (1, 1))
    shutil.copy(path, work_dir / 'epoch_2.pth')
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_2.pth'))
    assert latest_whole_checkpoint(work_dir) == str(work_dir / 'epoch_1.pth')
    ended(REFUSED)


class Payload:
    """Runs a command where it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def payloads(marker) -> list:
    return [
        Payload(os.system, f'touch {marker}'),
        Payload(eval, f"open({str(marker)!r}, 'w').close()"),
        Payload(exec, f"open({str(marker)!r}, 'w').close()"),
        Payload(open, str(marker), 'w'),
        Payload(shutil.copy, __file__, str(marker)),
    ]


HIDING_PLACES = ('state_dict', 'meta', 'optimizer', 'message_hub', 'itself')


@pytest.mark.parametrize('case', cases(15, 60))
def test_malicious_file(trained, config_file, tmp_path, case):
    """Code hidden in any part, as a zip, as a file of torch < 1.6, as a bare pickle: never run."""
    marker = tmp_path / 'marker'
    payload = payloads(marker)[case % 5]
    place = HIDING_PLACES[case // 5 % 5]
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    if place == 'itself':
        content = payload
    elif place == 'state_dict':
        content['state_dict']['head.more'] = payload
    else:
        content[place] = dict(content.get(place) or {}, hidden=payload)
    path = tmp_path / 'malicious.pth'
    kind = ('zip', 'legacy', 'pickle')[case % 3]
    if kind == 'pickle':
        path.write_bytes(pickle.dumps(dict(state_dict=payload)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=kind == 'zip')
    how = ('test', 'resume', 'load')[case // 3 % 3]
    source = f'ostrack:{path}' if how == 'load' and case % 2 else str(path)
    status, _, stderr = use(config_file, source, tmp_path, how)
    assert status == 1 and not marker.exists()
    assert_one_clear_line(stderr, 'malicious.pth')


def test_config_in_a_checkpoint_is_not_run(trained, config_file, tmp_path):
    """MMEngine runs the text of the config that a resumed checkpoint carries."""
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    content['meta']['config'] = f'open({str(tmp_path / "marker")!r}, "w").close()'
    torch.save(content, tmp_path / 'malicious.pth')
    status, _, stderr = use(config_file, tmp_path / 'malicious.pth', tmp_path, 'resume')
    assert status == 0, stderr[-2000:]
    assert not (tmp_path / 'marker').exists()
    ended(WENT_ON)


def test_malicious_file_from_the_net(config_file, tmp_path, monkeypatch):
    """What comes over HTTP is no more trusted than a file."""
    marker, site = tmp_path / 'marker', tmp_path / 'site'
    site.mkdir()
    torch.save(dict(state_dict=payloads(marker)[1]), site / 'remote.pth')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('MMENGINE_HOME', str(tmp_path / 'mmengine'))

    class Site(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(site))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/remote.pth'
        try:
            status, _, stderr = use(config_file, url, tmp_path, 'test')
        finally:
            server.shutdown()
    assert status == 1 and not marker.exists()
    assert_one_clear_line(stderr, 'remote.pth')


def weights(change):
    """A mutation of the weights alone."""

    def mutate(content, rng):
        state = content['state_dict']
        names = sorted(name for name in state if state[name].is_floating_point())
        name = names[rng.integers(len(names))]
        change(content['state_dict'], name, rng)
        return content

    return mutate


def poison(value: float):
    def change(state, name, rng):
        tensor = state[name].clone()
        tensor.view(-1)[int(rng.integers(tensor.numel()))] = value
        state[name] = tensor

    return change


def entry(key: str, value):
    """A checkpoint in which an entry is another one."""
    return lambda content, rng: {**content, key: value}


def without(*keys: str):
    return lambda content, rng: {key: content[key] for key in content if key not in keys}


def set_prior(value):
    def mutate(content, rng):
        prior = content['optimizer']['prior_sensitivity']
        prior[sorted(prior)[rng.integers(len(prior))]] = value
        return content

    return mutate


#: Another content -> what is done with it, and what the error names.
CONTENTS = {
    'NaN weight': (weights(poison(float('nan'))), 'test'),
    'infinite weight': (weights(poison(float('inf'))), 'load'),
    'NaN weight, resumed': (weights(poison(float('nan'))), 'resume'),
    'entry lost': (weights(lambda state, name, rng: state.pop(name)), 'test'),
    'entry too many': (weights(lambda s, name, rng: s.update({f'{name}.x': s[name]})), 'load'),
    'entry renamed': (weights(lambda s, name, rng: s.update({f'net.{name}': s.pop(name)})), 'test'),
    'entry cut': (weights(lambda s, name, rng: s.update({name: s[name].reshape(-1)[:-1]})), 'test'),
    'entry of text': (weights(lambda s, name, rng: s.update({name: 'weights'})), 'test'),
    'entry of None': (weights(lambda s, name, rng: s.update({name: None})), 'load'),
    'complex entry': (weights(lambda s, name, rng: s.update({name: s[name] * 1j})), 'test'),
    'no entries': (entry('state_dict', {}), 'test'),
    'a list': (lambda content, rng: [1, 2, 3], 'test'),
    'a number': (lambda content, rng: 3, 'load'),
    'a tensor': (lambda content, rng: torch.ones(3), 'test'),
    'text for weights': (entry('state_dict', 'none'), 'test'),
    'a list for weights': (entry('state_dict', [1]), 'load'),
    'no meta': (without('meta'), 'resume'),
    'no optimizer': (without('optimizer'), 'resume'),
    'weights alone': (lambda content, rng: content['state_dict'], 'resume'),
    'meta of text': (entry('meta', 'x'), 'resume'),
    'no message hub': (without('message_hub'), 'resume'),
    'message hub of text': (entry('message_hub', 'x'), 'resume'),
    'no prior': (
        lambda content, rng: {**content, 'optimizer': {**content['optimizer'], 'prior_sensitivity': {}}},
        'resume',
    ),
    'prior of text': (set_prior('much'), 'resume'),
    'prior NaN': (set_prior(float('nan')), 'resume'),
    'prior out of range': (set_prior(7.0), 'resume'),
    'no optimizer state': (entry('optimizer', {'state': {}, 'param_groups': []}), 'resume'),
}  # fmt: skip


@pytest.mark.parametrize('case', cases(1, 6))
@pytest.mark.parametrize('kind', CONTENTS)
def test_other_content(trained, config_file, tmp_path, kind, case):
    mutate, how = CONTENTS[kind]
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    path = tmp_path / 'other.pth'
    torch.save(mutate(content, generator(kind, case)), path)
    status, out, stderr = use(config_file, path, tmp_path, how)
    assert status == 1, out[-500:]
    assert_one_clear_line(stderr, 'other.pth')
    assert not list((tmp_path / 'run').glob('epoch_*.pth'))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_other_precision_is_converted(trained, config_file, tmp_path, dtype):
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    state = {name: value.to(dtype) for name, value in content['state_dict'].items()}
    torch.save(dict(state_dict=state), tmp_path / 'other.pth')
    status, out, stderr = use(config_file, tmp_path / 'other.pth', tmp_path, 'test')
    assert status == 0, stderr
    assert '"data/SR"' in out.splitlines()[-1]
    ended(WENT_ON)


@pytest.mark.parametrize('what', ['nothing', 'a folder', 'a broken link', 'an empty zip'])
def test_no_file(config_file, tmp_path, what):
    path = tmp_path / 'no_file.pth'
    if what == 'a folder':
        path.mkdir()
    elif what == 'a broken link':
        path.symlink_to(tmp_path / 'gone.pth')
    elif what == 'an empty zip':
        zipfile.ZipFile(path, 'w').close()
    for how in ('test', 'resume', 'load'):
        status, _, stderr = use(config_file, path, tmp_path / how, how)
        assert status == 1
        assert_one_clear_line(stderr, 'no_file.pth')


LAST = [
    b'',
    b'\xff\xfe\x00',
    b'/nowhere/epoch_9.pth',
    b'.',
    b'epoch_2.pth\nmore',
    b'\0',
    b'a' * 5000,
]


@pytest.mark.parametrize('text', LAST)
def test_note_of_the_last_checkpoint(trained, tmp_path, text):
    """Whatever stands in ``last_checkpoint``, the newest whole checkpoint is found."""
    for epoch in (1, 2):
        shutil.copy(trained / f'epoch_{epoch}.pth', tmp_path)
        os.utime(tmp_path / f'epoch_{epoch}.pth', (epoch, epoch))
    (tmp_path / 'last_checkpoint').write_bytes(text)
    assert latest_whole_checkpoint(tmp_path) == str(tmp_path / 'epoch_2.pth')
    ended(WENT_ON)


def test_what_is_no_training_checkpoint_is_not_resumed(trained, tmp_path):
    """The batch of an invalid loss, and published weights, lie in work dirs too."""
    shutil.copy(trained / 'epoch_1.pth', tmp_path)
    os.utime(tmp_path / 'epoch_1.pth', (1, 1))
    content = torch.load(trained / 'epoch_1.pth', weights_only=True)
    torch.save(dict(iter=3, losses={}, batch=torch.ones(3)), tmp_path / 'invalid_loss_iter3.pth')
    torch.save(dict(state_dict=content['state_dict'], meta={}), tmp_path / 'published.pth')
    assert latest_whole_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')
    ended(WENT_ON)


def test_no_fresh_start_over_checkpoints_that_cannot_be_read(trained, config_file, tmp_path):
    """A disk that is away for a moment must not cost the run: nothing is overwritten."""
    data = (trained / 'epoch_1.pth').read_bytes()[:3000]
    (tmp_path / 'epoch_1.pth').write_bytes(data)
    status, _, stderr = run_tool('train.py', config_file, '--work-dir', tmp_path, '--resume')
    assert status == 1
    assert_one_clear_line(stderr, str(tmp_path), 'epoch_1.pth', 'start afresh')
    assert (tmp_path / 'epoch_1.pth').read_bytes() == data


def test_sound_file_is_read(trained):
    state = read_checkpoint(str(trained / 'epoch_2.pth'))
    assert all(np.isfinite(value.numpy()).all() for value in state.values())
    ended(WENT_ON)


#: Settings with which a tracker is another one than the checkpoint's.
OTHERS = [
    'model.backbone.branch.depth=3', 'model.backbone.branch.depth=1 model.backbone.fusion_indices=[0]',
    'model.backbone.branch.embed_dims=48 model.head.in_channels=48', 'model.backbone.fusion_indices=[0]',
    'model.backbone.fusion_indices=[0,1]', 'model.head.channels=32',
    'model.backbone.branch.search_size=96 train_dataloader.dataset.pipeline.1.search_size=96',
    'model.backbone.branch.patch_size=8',
]  # fmt: skip


@pytest.mark.parametrize('how', ['test', 'resume', 'load'])
@pytest.mark.parametrize('other', OTHERS)
def test_checkpoint_of_another_architecture(trained, config_file, tmp_path, other, how):
    path = tmp_path / 'other.pth'
    shutil.copy(trained / 'epoch_1.pth', path)
    status, _, stderr = use(config_file, path, tmp_path, how, *other.split())
    assert status == 1
    assert_one_clear_line(stderr, 'other.pth', 'another architecture')


@pytest.mark.parametrize('case', cases(2, 10))
def test_half_written_files_do_not_pile_up(trained, tmp_path, case):
    """What killed runs were writing goes when the next one saves, and nothing else does."""
    rng = generator('half', case)
    data = (trained / 'epoch_1.pth').read_bytes()
    for number in rng.integers(2**63, size=3):
        half = tmp_path / f'.srtrack-{number:016x}.partial'
        half.write_bytes(data[: int(rng.integers(len(data)))])
    shutil.copy(trained / 'epoch_2.pth', tmp_path)
    with whole_file(tmp_path / 'epoch_9.pth'):  # one that is being written
        AtomicLocalBackend().put(data, tmp_path / 'epoch_1.pth')
        assert len(list(tmp_path.iterdir())) == 3
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {'epoch_1.pth', 'epoch_2.pth', 'epoch_9.pth'}
    assert (tmp_path / 'epoch_1.pth').read_bytes() == data
    ended(WENT_ON)
