"""What importing brings along, and what it must not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings

IMPORT_ALL = """
import importlib, json, pkgutil, sys, warnings

def loaded(*packages):
    return [name for name in packages if name in sys.modules]

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('always')
    import srtrack.events, srtrack.evaluation.functional
    found = dict(numpy_rooms=loaded('torch', 'mmengine', 'mmcv', 'cv2'))
    import srtrack.sensitivity
    found['method'] = loaded('mmengine', 'mmcv', 'cv2', 'timm')
    missing = {}
    for module in pkgutil.walk_packages(srtrack.__path__, 'srtrack.'):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            missing[module.name] = error.name.split('.')[0]
root = srtrack.__path__[0]
found['warnings'] = [str(each) for each in caught if each.filename.startswith(root)]
found['missing'] = missing
found['package_manager'] = loaded('mim')
print(json.dumps(found))
"""


def test_every_module(tmp_path):
    """Rooms on the ground stand on little, and nothing of ours warns."""
    run = subprocess.run(
        [sys.executable, '-c', IMPORT_ALL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    assert found['numpy_rooms'] == []
    assert found['method'] == []
    assert found['warnings'] == []
    assert found['package_manager'] == []
    assert set(found['missing'].values()) <= {'triton', 'vot'}  # extras, and what comes with GPUs


def test_sources_compile_without_warnings(repo_root):
    """Imports do not tell: what is compiled already is not compiled again."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for folder in ('srtrack', 'tools', 'configs', 'examples'):
            for path in repo_root.glob(f'{folder}/**/*.py'):
                compile(path.read_text(), str(path), 'exec')
    assert not [str(warning) for warning in caught]


def test_nothing_needs_what_setuptools_dropped(repo_root):
    for path in [*repo_root.glob('srtrack/**/*.py'), *repo_root.glob('tools/**/*.*')]:
        if path.suffix in ('.py', '.sh'):
            assert 'pkg_resources' not in path.read_text(), path
    for path in [
        *repo_root.glob('docs/*.md'),
        repo_root / 'README.md',
        *repo_root.glob('tools/*.sh'),
    ]:
        assert not re.search(r'\bopenmim\b|\bmim (install|download|train)\b', path.read_text()), (
            path
        )
