"""A ``.pt2`` file with something else than a network in it runs nothing, and says what it is."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import pytest
import torch
from mmengine.config import Config
from test_export_tracker import DUAL, PROMPTED, TEMPLATES

from srtrack.apis import init_model, init_tracker
from srtrack.apis.exported import save_exported
from srtrack.apis.exported_check import check_program

pytestmark = pytest.mark.skipif(torch.__version__ < (2, 8), reason='of the format since 2.8')


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp('exported') / 'network.pt2'
    save_exported(init_model(Config(dict(model=DUAL))), path, 'torch')
    return path


@pytest.mark.parametrize('model', [PROMPTED, TEMPLATES], ids=['elimination', 'templates'])
def test_what_our_exporter_writes_is_let_in(model, tmp_path):
    path = tmp_path / 'network.pt2'
    save_exported(init_model(Config(dict(model=model))), path, 'torch')
    check_program(path)


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def pickled(marker, program):
    buffer = io.BytesIO()
    torch.save((Malicious(marker),), buffer)
    return {'data/sample_inputs/model.pt': buffer.getvalue()}


def pickled_weight(marker, program):
    config = {'config': {'x': dict(path_name='weight_0', is_param=True, use_pickle=True)}}
    return {'data/weights/model_weights_config.json': json.dumps(config)}


def pickled_constant(marker, program):
    entry = dict(path_name='opaque_obj_0', is_param=False, use_pickle=False)
    return {
        'data/constants/model_constants_config.json': json.dumps({'config': {'x': entry}}),
        'data/constants/opaque_obj_0': pickle.dumps(Malicious(marker)),
    }


def guard(marker, program):
    program['guards_code'] = [f'__import__("os").mkdir({str(marker)!r}) is None']
    return {'models/model.json': json.dumps(program)}


def size(marker, program):
    values = program['graph_module']['graph']['sym_int_values']
    (value,) = [each for each in values.values() if 'as_expr' in each]
    value['as_expr']['expr_str'] = f'Max(__import__("os").mkdir({str(marker)!r}), 1)'
    return {'models/model.json': json.dumps(program)}


def size_in_a_text(marker, program):
    values = program['graph_module']['graph']['sym_int_values']
    (value,) = [each for each in values.values() if 'as_expr' in each]
    value['as_expr']['expr_str'] = f"Max(\"__import__('os').mkdir('{marker}')\", 1)"
    return {'models/model.json': json.dumps(program)}


def operator(marker, program):
    node = program['graph_module']['graph']['nodes'][0]
    node['target'] = 'torch.os.mkdir'
    node['inputs'] = [dict(name='path', arg=dict(as_string=str(marker)), kind=1)]
    return {'models/model.json': json.dumps(program)}


def name(marker, program):
    graph = program['graph_module']['graph']
    old = graph['inputs'][-1]['as_tensor']['name']
    new = f'x=__import__("os").mkdir({str(marker)!r})'
    return {'models/model.json': json.dumps(program).replace(json.dumps(old), json.dumps(new))}


def library(marker, program):
    return {'data/aotinductor/model/x.so': b'\x7fELF'}


ATTACKS = {
    pickled: r'model\.pt holds more than tensors',
    pickled_weight: r'x in data/weights/model_weights_config\.json is pickled',
    pickled_constant: r'opaque_obj_0|x in data/constants/model_constants_config\.json is pickled',
    guard: r'it evaluates .*mkdir',
    size: r'it evaluates .*mkdir',
    size_in_a_text: r'it evaluates .*mkdir',
    operator: r'it calls torch\.os\.mkdir',
    name: r'is used as a name',
    library: r'it has the entry data/aotinductor/model/x\.so',
}


@pytest.mark.parametrize('attack', ATTACKS, ids=lambda attack: attack.__name__)
def test_what_runs_code_is_refused(attack, exported, tmp_path):
    bad, marker = tmp_path / 'bad.pt2', tmp_path / 'was_run'
    with zipfile.ZipFile(exported) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    folder = next(iter(entries)).partition('/')[0]
    changed = attack(marker, json.loads(entries[f'{folder}/models/model.json']))
    entries.update({f'{folder}/{entry}': content for entry, content in changed.items()})
    with zipfile.ZipFile(bad, 'w') as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    with pytest.raises(ValueError, match=rf'bad\.pt2 was refused: .*({ATTACKS[attack]})'):
        init_tracker(Config(dict(model=DUAL)), bad, backend='torch.export')
    assert not marker.exists()


def test_what_is_no_network_is_named(tmp_path, exported):
    path = tmp_path / 'x.pt2'
    path.write_bytes(exported.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r'x\.pt2 is no network of .*export\.py, or damaged'):
        check_program(path)
