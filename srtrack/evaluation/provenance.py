"""Origin of result files: checkpoint, settings, data. Results of different origin never mix."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from srtrack.evaluation.results import ResultFileError, result_paths
from srtrack.files import parse_json, read_bytes, write_text
from srtrack.version import __version__

#: File in the folder of a data set's results.
FILE = 'provenance.json'
#: Settings of a data set that change its place or reading speed, but no result.
_PLACES = ('data_root', 'backend_args', 'index_cache')
#: Number of differences that a message names.
_NAMED = 5
#: Frames are often on slow disks, so their times and sizes are read in parallel.
_THREADS = 16


@dataclass(frozen=True)
class Provenance:
    """Origin of the results on one data set.

    Attributes:
        checkpoint: ``path`` and ``sha256`` of the weights; no ``sha256`` if there is no file.
        settings: Setting (``'model.test_cfg.window'``) -> value, for all settings that affect boxes.
        sequences: Sequence -> fingerprint of its frames and annotations.
        dataset: Name of the data set.
        config: Name of the config.
        software: Package -> version; stored, not compared.
    """

    checkpoint: dict[str, str]
    settings: dict[str, Any]
    sequences: dict[str, str]
    dataset: str
    config: str
    software: dict[str, str]

    @classmethod
    def of(cls, config: Mapping, name: str, checkpoint: dict[str, str], dataset) -> Provenance:
        """Provenance of the results that a run of ``test.py`` is about to write.

        Args:
            config: The config, with ``model`` and ``test_dataloader`` as plain dicts.
            name: Name of the config.
            checkpoint: See above.
            dataset: The data set of sequences.
        """
        frames = dict(config['test_dataloader']['dataset'])
        frames.pop('skip', None)
        source = {key: each for key, each in frames['source'].items() if key not in _PLACES}
        deciding = dict(model=config['model'], dataset=dict(frames, source=source))
        sequences = [dataset[index] for index in range(len(dataset))]
        with ThreadPoolExecutor(_THREADS) as pool:
            fingerprints = list(pool.map(lambda sequence: sequence.fingerprint(), sequences))
        return cls(
            checkpoint=dict(checkpoint),
            # As they come back from the file.
            settings=json.loads(json.dumps(dict(_flat(deciding)), default=repr)),
            sequences={each.name: digest for each, digest in zip(sequences, fingerprints)},
            dataset=dataset.name,
            config=name,
            software={
                'srtrack': __version__,
                'python': platform.python_version(),
                **{package: version(package) for package in ('torch', 'numpy')},
            },
        )

    @classmethod
    def read(cls, folder: str | os.PathLike) -> Provenance | None:
        """Read the record that :meth:`write` wrote to a folder; None if there is none.

        Raises:
            ResultFileError: The file is not a record of srtrack.
        """
        path = Path(folder, FILE)
        try:
            return cls(**parse_json(read_bytes(path)))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ResultFileError(f'{path}: not a record of srtrack ({error}); delete it') from None

    def write(self, folder: str | os.PathLike) -> None:
        """Write the record beside the result files in ``folder``."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        write_text(Path(folder, FILE), text + '\n')

    def difference(self, other: Provenance, sequences: Iterable[str]) -> str | None:
        """How the results of ``sequences`` that ``other`` describes differ; None if they do not."""
        if self.checkpoint.get('sha256') != other.checkpoint.get('sha256') or (
            'sha256' not in self.checkpoint and self.checkpoint != other.checkpoint
        ):
            return f'checkpoint {_named(other.checkpoint)}, not {_named(self.checkpoint)}'
        changed = [
            f'{key}={other.settings.get(key)!r}, not {self.settings.get(key)!r}'
            for key in sorted({*self.settings, *other.settings})
            if self.settings.get(key) != other.settings.get(key)
        ]
        if changed:
            return f'other settings: {_some(changed, "; ")}'
        moved = [
            name for name in sequences if self.sequences.get(name) != other.sequences.get(name)
        ]
        return f'other frames or boxes of sequence {_some(sorted(moved))}' if moved else None

    def summary(self) -> dict:
        """For ``metrics.json``: settings and sequences as one SHA-256 each."""
        return dict(
            config=self.config,
            checkpoint=self.checkpoint,
            settings_sha256=_digest(self.settings),
            data_sha256=_digest(self.sequences),
            software=self.software,
        )


def check_names(names: Sequence[str], folder: str | os.PathLike) -> None:
    """Make sure that the results of all sequences can be written, before any sequence is run.

    Args:
        names: Names of the sequences.
        folder: Folder for their files; it need not exist.

    Raises:
        ValueError: A name is not UTF-8 or too long for the file system, or two sequences would write
            the same file. The message names them and the way out.
    """
    folder = Path(folder).absolute()
    there = next(each for each in (folder, *folder.parents) if each.is_dir())
    limit = os.pathconf(there, 'PC_NAME_MAX') if hasattr(os, 'pathconf') else 255
    all_names = set(names)
    for name in names:
        try:
            longest = max(len(path.name.encode('utf-8')) for path in _files(folder, name))
        except UnicodeEncodeError:
            raise ValueError(
                f'sequence {name!a}: its name is not UTF-8, so its results cannot be written: '
                'rename its folder'
            ) from None
        if longest > limit:
            raise ValueError(
                f'sequence {name}: its name is too long for a result file (of {longest} bytes; '
                f'{there} takes {limit}): shorten the name of its folder'
            )
        for path in _files(folder, name)[1:]:
            if path.stem in all_names:
                raise ValueError(
                    f'sequences {name} and {path.stem} would both write {path.name}: rename the '
                    'folder of one'
                )


def remove_results(folder: str | os.PathLike, names: Iterable[str]) -> int:
    """Delete the result files of sequences; return the number of sequences that had any."""
    count = 0
    for name in names:
        there = [path for path in _files(Path(folder), name) if path.is_file()]
        for path in there:
            path.unlink()
        count += bool(there)
    return count


def _files(folder: Path, name: str) -> list[Path]:
    """Result files of a sequence; the box file comes first."""
    return [*result_paths(folder, name), folder / f'{name}_time.txt']


def _flat(value: Any, key: str = '') -> Iterable[tuple[str, Any]]:
    """Nested dicts and lists as pairs of a dotted key and a plain value."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _flat(item, f'{key}.{name}' if key else str(name))
    elif isinstance(value, (list, tuple)) and any(isinstance(item, Mapping) for item in value):
        for index, item in enumerate(value):
            yield from _flat(item, f'{key}.{index}')
    else:
        yield key, value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode('utf-8')).hexdigest()


def _named(checkpoint: Mapping[str, str]) -> str:
    digest = checkpoint.get('sha256')
    return f'{checkpoint.get("path")}' + (f' (SHA-256 {digest[:12]}...)' if digest else '')


def _some(items: list[str], separator: str = ', ') -> str:
    more = f'{separator}and {len(items) - _NAMED} more' if len(items) > _NAMED else ''
    return separator.join(items[:_NAMED]) + more
