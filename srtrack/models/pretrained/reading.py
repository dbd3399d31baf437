"""Read checkpoints of other projects without running pickled code."""

from __future__ import annotations

import hashlib
import os
import pickletools
import re
import tarfile
import zipfile
from collections import OrderedDict

import torch
from torch import Tensor

#: Code of the pytracking family, and a dict with attributes that some of its files contain.
_HARMLESS = ('lib.', 'easydict.EasyDict')
#: Names used to pickle tensors and their containers; PyTorch's unpickler judges each of these.
_TENSORS = ('torch.', 'collections.OrderedDict', '_codecs.encode')
#: A file of torch < 1.6 is a sequence of pickles; the fourth one holds the object.
_LEGACY_PICKLES = 4


class CheckpointError(RuntimeError):
    """A checkpoint cannot be read safely, or does not fit the model."""


def read_foreign_checkpoint(path: str, map_location='cpu') -> dict[str, Tensor]:
    """Read a training checkpoint of the pytracking family without running its pickled code.

    Besides tensors, such files hold objects of classes ``lib.train.admin...`` that exist only in
    their authors' repositories. These become plain dicts; a file that needs any other class is
    refused. Both the zip files of torch >= 1.6 and the bare pickles before it are read; tar archives
    are not (``.pth.tar`` is only a name).

    Returns:
        dict: The network's state dict (entry ``net``, or the file itself if it is one).

    Raises:
        CheckpointError: The file is missing, is no checkpoint, or would run code.
    """
    if not os.path.isfile(path):
        raise CheckpointError(f'no checkpoint at {path}')
    try:
        stand_ins = [_stand_in(name) for name in _foreign_names(path)]
        with torch.serialization.safe_globals(stand_ins):
            content = torch.load(path, map_location=map_location, weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(unreadable(path, error)) from error
    state_dict = content.get('net', content) if isinstance(content, dict) else None
    if not state_dict or not all(isinstance(value, Tensor) for value in state_dict.values()):
        raise CheckpointError(f"{path} holds no state dict, neither as entry 'net' nor by itself")
    return dict(state_dict)


def unreadable(source: str, error: Exception) -> str:
    """Error message for a file that PyTorch cannot load.

    PyTorch's own message advises to switch off the protection against code in the file.
    """
    text = str(error).strip() or type(error).__name__
    reason, foreign = text.splitlines()[0], re.search(r'GLOBAL (\S+)', text)
    if foreign:
        reason = (
            f'it holds {foreign[1]}, and only tensors are loaded. A checkpoint of another project needs '
            'the prefix of its family, such as ostrack:FILE'
        )
    elif reason.startswith('Weights only load failed') or isinstance(error, (EOFError, ValueError)):
        reason = 'it is cut off, garbled, or no file of PyTorch'
    return f'{source} is not a checkpoint that can be read: {reason}'


def _foreign_names(path: str) -> list[str]:
    """Names of the classes that a file pickles besides tensors, all known and harmless."""
    if zipfile.is_zipfile(path):
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    elif tarfile.is_tarfile(path):
        raise CheckpointError(
            f'{path} is a tar archive, which PyTorch no longer reads safely: '
            'unpack it and give the checkpoint in it'
        )
    else:
        names = _names_in_legacy_file(path)
    refused = sorted(name for name in names if not name.startswith(_HARMLESS))
    if refused:
        raise CheckpointError(
            f'{path} was refused: loading it would run {", ".join(refused)}. '
            'Ask its author for a file that holds tensors only'
        )
    return names


def _names_in_legacy_file(path: str) -> list[str]:
    """Classes named in a file of torch < 1.6, found without running anything."""
    names = set()
    with open(path, 'rb') as file:
        for _ in range(_LEGACY_PICKLES):
            for opcode, argument, _ in pickletools.genops(file):
                if opcode.name == 'GLOBAL':
                    names.add(argument.replace(' ', '.', 1))
    return sorted(name for name in names if not name.startswith(_TENSORS))


class _StandIn:
    """Accepts any arguments and becomes a dict, which can hold any object's items and attributes."""

    def __new__(cls, *args, **kwargs) -> OrderedDict:
        return OrderedDict()


def _stand_in(name: str) -> type:
    module, _, qualname = name.rpartition('.')
    return type(qualname, (_StandIn,), {'__module__': module, '__qualname__': qualname})


def sha256(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(1 << 20), b''):
            digest.update(chunk)
    return digest.hexdigest()
