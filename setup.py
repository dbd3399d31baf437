"""Packaging of srtrack."""

import shutil
import sysconfig
from importlib import metadata
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


def version() -> str:
    scope = {}
    exec((ROOT / 'srtrack/version.py').read_text(), scope)
    return scope['__version__']


def requirements(name: str) -> list:
    lines = (ROOT / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith(('#', '-'))]


def mmcv_requirement() -> list:
    """Full mmcv if it is installed already, else mmcv-lite; they own the same import package.

    Pip hides the environment from an isolated build, but not where it is.
    """
    site = [sysconfig.get_path(key) for key in ('purelib', 'platlib')]
    installed = {dist.metadata['Name'] for dist in metadata.distributions(path=site)}
    return ['mmcv>=2.0'] if 'mmcv' in installed else ['mmcv-lite>=2.0']


class BuildWithConfigs(build_py):
    """Puts configs and tools beside the package, as ``srtrack/.mim``, where OpenMMLab looks for them.

    An editable install needs no copies: the checkout is there.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / 'srtrack/.mim'
        shutil.rmtree(target, ignore_errors=True)
        for folder in ('configs', 'tools'):
            ignore = shutil.ignore_patterns('__pycache__')
            shutil.copytree(ROOT / folder, target / folder, ignore=ignore)
        shutil.copy(ROOT / 'model-index.yml', target)


setup(
    name='srtrack',
    version=version(),
    description='Sensitivity-aware regularized tuning of multi-modal trackers, on MMEngine',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='object tracking, multi-modal, RGB-T, RGB-D, RGB-E, fine-tuning, OpenMMLab',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3 :: Only',
        *(f'Programming Language :: Python :: 3.{minor}' for minor in range(9, 14)),
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['srtrack', 'srtrack.*']),
    package_data={'srtrack': ['weights/*'], 'srtrack.visualization': ['assets/*']},
    entry_points={'console_scripts': ['srtrack = srtrack.__main__:main']},
    cmdclass={'build_py': BuildWithConfigs},
    python_requires='>=3.9',
    install_requires=requirements('requirements/runtime.txt') + mmcv_requirement(),
    extras_require={
        name: requirements(f'requirements/{name}.txt')
        for name in ('test', 'events', 'vot', 'deploy', 'mmpretrain', 'docs')
    },
)
