"""Configs in YAML and JSON: the values of any config of ours, and no code."""

from __future__ import annotations

import json

import pytest

from srtrack.configs import read_config

TINY = 'srtrack::srtrack/srtrack_tiny_synthetic-rgbt.py'


@pytest.mark.parametrize('suffix', ['yaml', 'json'])
def test_text_says_what_python_says(tmp_path, suffix):
    config = read_config(TINY)
    path = tmp_path / f'tiny.{suffix}'
    config.dump(str(path))
    as_json = json.dumps(config.to_dict())  # where a tuple is a list
    assert json.loads(json.dumps(read_config(path).to_dict())) == json.loads(as_json)


@pytest.mark.parametrize('template', [
    'model: {{type: {}}}',
    'model: {{type: X}}\nextra:\n  - {}',
])  # fmt: skip
@pytest.mark.parametrize('inherited', [False, True])
def test_yaml_makes_no_python_objects(tmp_path, template, inherited):
    made = tmp_path / 'made'
    path = tmp_path / 'bad.yaml'
    path.write_text(template.format(f'!!python/object/apply:os.mkdir ["{made}"]'))
    if inherited:
        path = tmp_path / 'child.yml'
        path.write_text('_base_: ./bad.yaml\n')
    with pytest.raises(
        ValueError, match=rf'{path.name} cannot be read.*python/object/apply:os\.mkdir'
    ):
        read_config(path)
    assert not made.exists()


@pytest.mark.parametrize('value, place', [
    (dict(model=dict(type='subprocess.check_output', args=['true'])), 'model.type'),
    (dict(model=dict(type='SRTrack'), hooks=[dict(type='os.mkdir', path='x')]), r'hooks\.0\.type'),
    (dict(model=dict(type='SRTrack'), optim_wrapper=dict(constructor='os.system')), 'constructor'),
    (dict(model=dict(type='SRTrack'), loader=dict(collate_fn=dict(type='mmengine.load'))), 'type'),
    (dict(model=dict(type='srtrack.files.write')), 'model.type'),
])  # fmt: skip
@pytest.mark.parametrize('suffix', ['json', 'yaml'])
def test_text_names_registered_parts_only(tmp_path, value, place, suffix):
    path = tmp_path / f'bad.{suffix}'
    path.write_text(json.dumps(value))
    with pytest.raises(ValueError, match=rf"bad\.{suffix} .*{place}='.*' is not a registered name"):
        read_config(path)


def test_text_names_parts_of_other_scopes(tmp_path):
    path = tmp_path / 'good.json'
    hooks = [dict(type='mmengine.EMAHook'), dict(type='srtrack.PriorSensitivityHook')]
    path.write_text(json.dumps(dict(model=dict(type='srtrack.SRTrack'), custom_hooks=hooks)))
    assert read_config(path).custom_hooks[0].type == 'mmengine.EMAHook'
