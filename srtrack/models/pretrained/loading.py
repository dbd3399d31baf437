"""Checkpoints of any family wherever MMEngine takes one, checked before and while loading."""

from __future__ import annotations

import os
import re
import zipfile

import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .conversion import convert
from .families import FAMILIES
from .reading import CheckpointError, read_foreign_checkpoint, sha256


def split_source(source: str) -> tuple[str | None, str]:
    """Family (None for checkpoints of ours) and path of a checkpoint ``[family:]path``."""
    family, _, path = source.partition(':')
    return (family, path) if family in FAMILIES else (None, source)


def describe_source(source: str) -> dict[str, str] | None:
    """Path and SHA-256 of a checkpoint ``[family:]path``; None where it is no local file."""
    path = split_source(source)[1]
    return dict(path=path, sha256=sha256(path)) if os.path.isfile(path) else None


def convert_state_dict(state_dict: dict[str, Tensor], family: str) -> dict[str, Tensor]:
    """Rename a foreign state dict to our names; see :func:`~.conversion.convert`."""
    return convert(state_dict, FAMILIES[family])[0]


def _register_family(family: str) -> None:
    prefix = f'{family}:'

    @CheckpointLoader.register_scheme(prefixes=prefix, force=True)
    def load(filename: str, map_location='cpu') -> dict:
        path = filename[len(prefix) :]
        state_dict = read_foreign_checkpoint(path, map_location)
        try:
            converted, report = convert(state_dict, FAMILIES[family])
        except CheckpointError as error:
            raise CheckpointError(f'{path}: {error}') from None
        digest = sha256(path)
        print_log(f'{filename} (SHA-256 {digest}): {report}', 'current')
        return dict(state_dict=converted, meta=dict(source=path, sha256=digest))


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
    family, path = split_source(source)
    if family:
        read_foreign_checkpoint(path, map_location='meta')
        return
    if not os.path.isfile(source):
        raise CheckpointError(f'there is no checkpoint {source}')
    try:
        mmap = zipfile.is_zipfile(source)  # then nothing but the index is read
        torch.load(source, map_location='meta', weights_only=True, mmap=mmap)
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f'{source} is not a checkpoint that can be read: {reason}') from error


def read_checkpoint(source: str) -> dict[str, Tensor]:
    """State dict of a checkpoint ``[family:]path`` in our names, on the CPU.

    Raises:
        CheckpointError: There is no such file, it cannot be read, or is not of that family.
    """
    check_checkpoint(source)
    content = CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    return content.get('state_dict', content)


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
