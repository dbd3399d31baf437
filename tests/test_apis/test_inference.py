"""init_model as a user of Python calls it."""

import subprocess
import sys


def test_a_model_without_a_checkpoint_prints_nothing(repo_root):
    config = repo_root / 'configs/one_stream/tiny_synthetic-source.py'
    code = f'from srtrack.apis import init_model; init_model({str(config)!r})'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == '' and 'init_weights' not in done.stderr
