"""The tools, wherever srtrack is installed: ``srtrack train`` runs ``tools/train.py``.

``python -m srtrack`` does the same.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from srtrack.cli.command import run_command

_PACKAGE = Path(__file__).resolve().parent
#: Beside the package in a checkout, in it where it was installed from a wheel.
_FOLDERS = (_PACKAGE.parent / 'tools', _PACKAGE / '.mim/tools')


def main() -> None:
    """Run the tool that the first argument names, with the others, as if its file had been called."""
    folder = next((each for each in _FOLDERS if (each / 'train.py').is_file()), None)
    if folder is None:
        sys.exit(f'error: no tools beside {_PACKAGE}: install srtrack from a wheel or a checkout')
    names = sorted(
        path.relative_to(folder).with_suffix('').as_posix() for path in folder.rglob('*.py')
    )
    if len(sys.argv) < 2 or sys.argv[1] in ('-h', '--help'):
        usage = 'usage: srtrack TOOL [arguments], or python -m srtrack TOOL [arguments]'
        return run_command(
            lambda: print(usage, '', 'tools:', *(f'  {name}' for name in names), sep='\n')
        )
    name = sys.argv[1].removesuffix('.py')
    if name not in names:
        sys.exit(f'error: srtrack has no tool {name}; there are {", ".join(names)}')
    script = folder / f'{name}.py'
    sys.argv[:2] = [str(script)]
    runpy.run_path(str(script), run_name='__main__')


if __name__ == '__main__':
    main()
