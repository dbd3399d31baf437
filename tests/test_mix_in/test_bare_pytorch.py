"""The method without MMEngine."""

from __future__ import annotations

import json
import subprocess
import sys


def test_the_example_holds_back_what_the_source_needs(repo_root):
    code = (
        'import json, sys\n'
        'from bare_pytorch import main\n'
        'prior, losses = main()\n'
        'print(json.dumps([prior, losses, sorted(sys.modules)]))'
    )
    run = subprocess.run(
        [sys.executable, '-W', 'error', '-c', code],
        cwd=repo_root / 'examples',
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    prior, losses, modules = json.loads(run.stdout.splitlines()[-1])
    packages = {name.split('.')[0] for name in modules}
    assert not packages.intersection({'mmengine', 'mmcv', 'timm', 'cv2'})
    ours = {'.'.join(name.split('.')[:2]) for name in modules if name.startswith('srtrack')}
    assert ours == {'srtrack', 'srtrack.version', 'srtrack.sensitivity'}

    assert prior['b.0.weight'] == 0 and prior['head.weight'] == 1
    source, target = losses['source'], losses['target']
    assert source['before'] < source['regularized'] < 0.8 * source['tuned']
    assert target['regularized'] < 0.3 * target['before']


def test_the_docs_show_the_example(repo_root):
    example = (repo_root / 'examples/bare_pytorch.py').read_text()
    assert f'```python\n{example}```' in (repo_root / 'docs/mix_in.md').read_text()
