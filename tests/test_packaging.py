"""What is shipped: the source distribution, the wheel made of it, and what a user finds in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import Parser
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import init_default_scope

import srtrack
from srtrack.registry import MODELS

ROOT = Path(__file__).resolve().parents[1]
TINY = 'srtrack/srtrack_tiny_synthetic-rgbt.py'
LASHER = 'srtrack/srtrack_ostrack-b256_lasher.py'


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    ).stdout


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    """What somebody has who unpacks the source distribution."""
    pytest.importorskip('setuptools', minversion='70.1')  # the first that makes wheels by itself
    folder = tmp_path_factory.mktemp('source')
    checkout = folder / 'checkout'
    for name in ('srtrack', 'configs', 'tools', 'requirements', 'tests'):
        shutil.copytree(ROOT / name, checkout / name)
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, checkout)
    run('setup.py', '-q', 'sdist', '--dist-dir', folder, cwd=checkout)
    (archive,) = folder.glob('*.tar.gz')
    with tarfile.open(archive) as file:
        file.extractall(folder)
    return folder / archive.name[: -len('.tar.gz')]


@pytest.fixture(scope='module')
def installed(source):
    """The wheel that is made of the source distribution, unpacked."""
    folder = source.parent / 'site-packages'
    run('setup.py', '-q', 'bdist_wheel', '--dist-dir', source.parent, cwd=source)
    (wheel,) = source.parent.glob('*.whl')
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def files(folder):
    paths = (path.relative_to(folder) for path in folder.rglob('*') if path.is_file())
    return {path.as_posix() for path in paths if '__pycache__' not in path.parts}


def test_the_source_distribution_builds_what_the_checkout_does(source):
    shipped = files(source)
    for folder in ('srtrack', 'configs', 'tools', 'requirements'):
        assert {f'{folder}/{name}' for name in files(ROOT / folder)} <= shipped
    assert {'LICENSE', 'README.md', 'CHANGELOG.md', 'CITATION.cff', 'model-index.yml'} <= shipped


def test_the_wheel_holds_the_package_with_configs_and_tools(installed):
    shipped = files(installed)
    assert {f'srtrack/{name}' for name in files(ROOT / 'srtrack')} <= shipped
    for folder in ('configs', 'tools'):
        assert {f'srtrack/.mim/{folder}/{name}' for name in files(ROOT / folder)} <= shipped
    assert 'srtrack/.mim/model-index.yml' in shipped
    tops = {name.split('/')[0] for name in shipped}
    assert tops == {'srtrack', f'srtrack-{srtrack.__version__}.dist-info'}


def test_metadata(installed):
    (folder,) = installed.glob('*.dist-info')
    metadata = Parser().parsestr((folder / 'METADATA').read_text())
    assert metadata['Version'] == srtrack.__version__
    assert metadata['Requires-Python'] == '>=3.9'
    needed = [re.split(r'[\W]', each)[0] for each in metadata.get_all('Requires-Dist')]
    assert {'torch', 'timm', 'mmengine', 'mmcv'} <= set(needed)
    extras = {path.stem for path in (ROOT / 'requirements').glob('*.txt')} - {'runtime'}
    assert set(metadata.get_all('Provides-Extra')) == extras
    assert list(folder.rglob('LICENSE'))
    scripts = ConfigParser()
    scripts.read(folder / 'entry_points.txt')
    script = EntryPoint('srtrack', scripts['console_scripts']['srtrack'], 'console_scripts')
    assert script.load().__module__ == 'srtrack.__main__'


def test_installed_configs_and_tools_work_anywhere(installed, tmp_path):
    environment = dict(os.environ, PYTHONPATH=str(installed))
    find = (
        'import srtrack; from srtrack.configs import find_config, read_config; '
        f'print(srtrack.__file__, find_config("srtrack::{TINY}")); '
        f'assert read_config("srtrack::{LASHER}").optim_wrapper.type == "SensitivityOptimWrapper"'
    )
    for path in run('-c', find, cwd=tmp_path, env=environment).split():
        assert Path(path).is_relative_to(installed)
    tool = 'analysis_tools/evaluate_results'
    for arguments in (['--help'], []):
        listed = run('-m', 'srtrack', *arguments, cwd=tmp_path, env=environment)
        assert f'  {tool}\n' in listed
    usage = run('-m', 'srtrack', tool, '--help', cwd=tmp_path, env=environment)
    assert 'usage: evaluate_results.py' in usage


# --- metafiles, versions ---------------------------------------------------------------------------


def models():
    for name in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        content = yaml.safe_load((ROOT / name).read_text())
        collections = {each['Name']: each for each in content['Collections']}
        for collection in collections.values():
            assert (ROOT / collection['README']).is_file()
        for model in content['Models']:
            assert model['In Collection'] in collections
            yield model


def test_every_config_is_listed():
    configs = [*ROOT.glob('configs/srtrack/*.py'), *ROOT.glob('configs/one_stream/*.py')]
    listed = [model['Config'] for model in models()]
    assert sorted(listed) == sorted(path.relative_to(ROOT).as_posix() for path in configs)
    assert all(Path(model['Config']).stem == model['Name'] for model in models())


@cache
def count_parameters(model):
    with torch.device('meta'):
        return sum(each.numel() for each in MODELS.build(json.loads(model)).parameters())


@pytest.mark.parametrize('model', list(models()), ids=lambda model: model['Name'])
def test_listed_settings_are_those_of_the_config(model):
    init_default_scope('srtrack')
    config = Config.fromfile(str(ROOT / model['Config']))
    listed = model['Metadata']
    assert listed['Epochs'] == config.train_cfg.max_epochs
    assert listed['Parameters'] == count_parameters(json.dumps(config.model.to_dict()))
    assert listed['Batch Size'] == config.auto_scale_lr.base_batch_size


@pytest.mark.parametrize('model', list(models()), ids=lambda model: model['Name'])
def test_listed_results_are_those_in_the_config_and_said_to_be_the_papers(model):
    text = (ROOT / model['Config']).read_text()
    header = ' '.join(line.strip('# ') for line in text.splitlines() if line.startswith('#'))
    table = re.search(r'Table ([IVX]+): ', header)
    assert bool(table) == ('Results' in model)
    if table:
        said = re.findall(r'\d+\.\d', re.split('bash |python ', header[table.end() :])[0])
        listed = [value for each in model['Results'] for value in each['Metrics'].values()]
        assert sorted(map(float, said)) == sorted(listed)
        source = f"the paper's Table {table.group(1)}, not reproduced here"
        assert model['Metadata']['Results From'] == source


def test_one_version():
    assert re.search(r'^## ([\d.]+)', (ROOT / 'CHANGELOG.md').read_text(), re.M).group(1) == (
        srtrack.__version__
    )
    assert yaml.safe_load((ROOT / 'CITATION.cff').read_text())['version'] == srtrack.__version__
