"""Other people's checkpoints: read safely, renamed to our names, checked against the model.

``load_from='ostrack:path/to/OSTrack_ep0300.pth.tar'`` works wherever MMEngine takes a checkpoint:
each family below is a prefix of its checkpoint loader.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path
from typing import Callable

import torch
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

#: Layers of OSTrack's head (``conv1_ctr.0`` and so on) become ``score.0.conv`` and so on.
_HEAD_LAYER = re.compile(r'box_head\.conv(\d)_(ctr|offset|size)(?:\.([01]))?\.(\w+)$')
_HEAD_TOWER = dict(ctr='score', offset='offset', size='size')
_HEAD_PART = {'0': 'conv.', '1': 'bn.', None: ''}
#: Position of the public SRTrack code's fusion blocks, by their order in ``blocks_cross``.
_SRTRACK_FUSION = ('2', '5', '8', '11')


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read safely, or does not fit the model."""


def _rename_head(name: str) -> str | None:
    match = _HEAD_LAYER.match(name)
    if match is None:
        return None
    layer, tower, part, leaf = match.groups()
    return f'head.{_HEAD_TOWER[tower]}.{int(layer) - 1}.{_HEAD_PART[part]}{leaf}'


def _rename_ostrack(name: str) -> list[str]:
    """Our names for an entry of OSTrack; none if we have no use for it."""
    if name in ('backbone.cls_token', 'backbone.pos_embed'):
        return []  # remains of the ImageNet classifier, unused by the tracker
    return [name] if name.startswith('backbone.') else [_rename_head(name)]


def _rename_srtrack(name: str) -> list[str]:
    """Our names for an entry of the public SRTrack code's dual-branch checkpoints."""
    if name == 'backbone.cls_token':
        return []
    if not name.startswith('backbone.'):
        return [_rename_head(name)]
    name = name[len('backbone.') :]
    if 'pos_embed' in name:
        return [f'backbone.rgb.{name}', f'backbone.aux.{name}']  # one parameter, shared there
    if name.startswith('blocks_cross.'):
        _, index, rest = name.split('.', 2)
        return [f'backbone.fusion.{_SRTRACK_FUSION[int(index)]}.{rest}']
    match = re.match(r'(patch_embed|blocks|norm)_(rgb|event)\.(.+)$', name)
    if match is None:
        return [None]
    part, branch, rest = match.groups()
    return [f'backbone.{"aux" if branch == "event" else branch}.{part}.{rest}']


#: Family -> function from a foreign name to our names ([] = ignored on purpose, [None] = unknown).
FAMILIES: dict[str, Callable[[str], list]] = dict(ostrack=_rename_ostrack, srtrack=_rename_srtrack)


def convert_state_dict(state_dict: dict[str, Tensor], family: str) -> dict[str, Tensor]:
    """Rename a foreign state dict to our names.

    Raises:
        CheckpointError: An entry is not one that trackers of this family have.
    """
    converted, unknown = {}, []
    for name, value in state_dict.items():
        for new_name in FAMILIES[family](name):
            if new_name is None:
                unknown.append(name)
            else:
                converted[new_name] = value
    if unknown or not converted:
        raise CheckpointError(
            f'this is not a checkpoint of family {family!r}: '
            f'{len(unknown)} of {len(state_dict)} entries are unknown, such as {unknown[:3]}'
        )
    return converted


def read_foreign_checkpoint(path: str, map_location='cpu') -> dict:
    """Read a training checkpoint of the pytracking family without running its pickled code.

    Such files hold, beside the tensors, objects of classes ``lib.train.admin...`` that exist only
    in their authors' repositories. These become empty stand-ins; any other class is refused.

    Returns:
        dict: The network's state dict (entry ``net``, or the file itself if it is one).

    Raises:
        CheckpointError: The file is missing, is no checkpoint, or asks for code to be run.
    """
    if not Path(path).is_file():
        raise CheckpointError(f'no checkpoint at {path}')
    try:
        names = _foreign_classes(path)
        with torch.serialization.safe_globals([_stand_in(name) for name in names]):
            content = torch.load(path, map_location=map_location, weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f'{path} is not a checkpoint that can be read: {reason}') from error
    state_dict = content.get('net', content) if isinstance(content, dict) else None
    if not state_dict or not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise CheckpointError(f"{path} holds no state dict, neither as entry 'net' nor by itself")
    return state_dict


_LEGACY_CLASSES = (
    'settings.Settings',
    'stats.AverageMeter',
    'stats.StatValue',
    'local.EnvironmentSettings',
)


def _foreign_classes(path: str) -> list[str]:
    """Names of the classes that a file pickles beside tensors, all of them harmless stand-ins."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except ValueError:  # a file of torch < 1.6 is no zip archive and cannot be inspected
        return [f'lib.train.admin.{leaf}' for leaf in _LEGACY_CLASSES]
    refused = [name for name in names if not name.startswith('lib.')]
    if refused:
        raise CheckpointError(
            f'{path} was refused: loading it would run {", ".join(refused)}. '
            'Ask its author for a file that holds tensors only'
        )
    return names


def _stand_in(name: str) -> type:
    module, _, qualname = name.rpartition('.')
    return type(qualname, (), {'__module__': module, '__qualname__': qualname})


def sha256(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''):
            digest.update(chunk)
    return digest.hexdigest()


def _register_family(family: str) -> None:
    prefix = f'{family}:'

    @CheckpointLoader.register_scheme(prefixes=prefix, force=True)
    def load(filename: str, map_location='cpu') -> dict:
        path = filename[len(prefix) :]
        state_dict = convert_state_dict(read_foreign_checkpoint(path, map_location), family)
        return dict(state_dict=state_dict, meta=dict(source=path, sha256=sha256(path)))


for _family in FAMILIES:
    _register_family(_family)


def check_checkpoint(source: str) -> None:
    """Make sure that a checkpoint is there and whole, before anything expensive starts.

    Args:
        source (str): A file, a file with the prefix of its family, or a URL, which is not checked.

    Raises:
        CheckpointError: There is no such file, or it cannot be read.
    """
    if '://' in source:
        return
    family, _, path = source.rpartition(':')
    if family in FAMILIES:
        read_foreign_checkpoint(path, map_location='meta')
        return
    if not Path(source).is_file():
        raise CheckpointError(f'there is no checkpoint {source}')
    try:
        mmap = zipfile.is_zipfile(source)  # then nothing but the index is read
        torch.load(source, map_location='meta', weights_only=True, mmap=mmap)
    except Exception as error:
        reason = str(error).strip().splitlines()[0]
        raise CheckpointError(f'{source} is not a checkpoint that can be read: {reason}') from error


def load_weights(model: nn.Module, state_dict: dict[str, Tensor], source: str) -> None:
    """Load ``state_dict`` into ``model``, every entry of it and of the model.

    A model that composes a pre-trained one (:class:`DualBranch`) takes its checkpoint, too.

    Args:
        source (str): Where the weights come from, for the error message.

    Raises:
        CheckpointError: Entries are missing, left over, or of another shape.
    """
    try:
        missing, unexpected = model.load_state_dict(state_dict, strict=False)
    except RuntimeError as error:
        mismatch = re.search(r'size mismatch for .*', str(error))
        reason = mismatch.group(0) if mismatch else str(error)
        raise CheckpointError(f'{source} is of another architecture: {reason}') from error
    if missing or unexpected:
        parts = [
            f'{len(names)} entries {what}, such as {names[0]}'
            for what, names in (('missing', missing), ('not in the model', unexpected))
            if names
        ]
        raise CheckpointError(f'{source} is of another architecture: {"; ".join(parts)}')
