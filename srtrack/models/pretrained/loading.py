"""Checkpoints of any family, wherever MMEngine takes one, checked before and while loading."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping

import torch
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .conversion import convert
from .downloading import downloaded, is_url
from .families import FAMILIES
from .reading import CheckpointError, read_foreign_checkpoint, sha256, unreadable
from .shipped import SHIPPED, find_shipped


def split_source(source: str) -> tuple[str | None, str]:
    """Family (None for our checkpoints) and path of a checkpoint ``[family:]path``.

    Raises:
        CheckpointError: There are no shipped weights of that name (``srtrack::name``).
    """
    if source.startswith(SHIPPED):
        return None, find_shipped(source)
    family, _, path = source.partition(':')
    return (family, path) if family in FAMILIES else (None, source)


def describe_source(source: str) -> dict[str, str] | None:
    """Path and SHA-256 of a checkpoint ``[family:]path``; None if it is not a file."""
    path = split_source(source)[1]
    path = downloaded(path) if is_url(path) else path
    return dict(path=path, sha256=sha256(path)) if os.path.isfile(path) else None


def convert_state_dict(state_dict: dict[str, Tensor], family: str) -> dict[str, Tensor]:
    """Rename a foreign state dict to our names; see :func:`~.conversion.convert`."""
    return convert(state_dict, FAMILIES[family])[0]


def _register_family(family: str) -> None:
    prefix = f'{family}:'

    @CheckpointLoader.register_scheme(prefixes=prefix, force=True)
    def load(filename: str, map_location='cpu') -> dict:
        path = filename[len(prefix) :]
        path = downloaded(path) if is_url(path) else path
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


@CheckpointLoader.register_scheme(prefixes=SHIPPED, force=True)
def _load_shipped(filename: str, map_location='cpu') -> dict:
    path = find_shipped(filename)
    content = torch.load(path, map_location=map_location, weights_only=True)
    # They are stored in half precision and used in single precision.
    weights = {
        name: value.float() if value.is_floating_point() else value
        for name, value in content['state_dict'].items()
    }
    return {**content, 'state_dict': weights}


def check_checkpoint(source: str) -> dict | None:
    """Make sure that a checkpoint exists and is whole, before anything expensive starts.

    Args:
        source (str): A file or a URL, with or without the prefix of its family, or shipped weights
            (``srtrack::tiny-rgb``). HTTP URLs are downloaded (see
            :func:`~.downloading.downloaded`); other URLs are not checked.

    Returns:
        dict: Content of the file, with tensors on the device ``meta``; None if it is not known.

    Raises:
        CheckpointError: The file does not exist, cannot be read, or is damaged (the checksum of
            every part is compared).
    """
    family, path = split_source(source)
    if is_url(path):
        path = downloaded(path)
    elif '://' in path:
        return None
    _check_sums(path)
    if family:
        return read_foreign_checkpoint(path, map_location='meta')
    if not os.path.isfile(path):
        raise CheckpointError(f'there is no checkpoint {source}')
    try:
        mmap = zipfile.is_zipfile(path)  # then only the index is read
        return torch.load(path, map_location='meta', weights_only=True, mmap=mmap)
    except Exception as error:
        raise CheckpointError(unreadable(source, error)) from error


def _check_sums(path: str) -> None:
    # PyTorch ignores them: a bit that flipped on a disk would end up in a weight.
    if not (os.path.isfile(path) and zipfile.is_zipfile(path)):  # a pipe would wait for its writer
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except Exception as error:
        raise CheckpointError(unreadable(path, error)) from error
    if damaged is not None:
        raise CheckpointError(
            f'{path} is damaged: the checksum of {damaged} in it is wrong; copy or train it again'
        )


def read_checkpoint(source: str) -> dict[str, Tensor]:
    """State dict of a checkpoint ``[family:]path`` in our names, on the CPU.

    Raises:
        CheckpointError: The file does not exist, cannot be read, or is not of that family.
    """
    check_checkpoint(source)
    content = CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    return state_dict_of(content)


def state_dict_of(content) -> dict[str, Tensor]:
    """The weights in the content of a checkpoint: its entry ``state_dict``, or all of it."""
    return content.get('state_dict', content) if isinstance(content, Mapping) else content


def load_weights(model: nn.Module, state_dict: dict[str, Tensor], source: str) -> None:
    """Load ``state_dict`` into ``model``; the entries of both must match exactly.

    A model composed of a pre-trained one (:class:`DualBranch`) also loads that one's checkpoint.

    Args:
        source (str): Where the weights come from, for error messages.

    Raises:
        CheckpointError: ``state_dict`` holds no named tensors; entries are missing, left over or of
            another shape; or a weight is not finite.
    """
    if not isinstance(state_dict, Mapping):
        raise CheckpointError(f'{source} holds no state dict, but a {type(state_dict).__name__}')
    odd = [
        name
        for name, value in state_dict.items()
        if not isinstance(value, Tensor) or value.is_complex()
    ]
    if odd:
        raise CheckpointError(f'{source}: entry {odd[0]} is not a tensor of real numbers')
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
    infinite = first_not_finite(model.state_dict())
    if infinite:
        raise CheckpointError(f'{source}: {infinite} holds a NaN or an infinity')


def first_not_finite(state_dict: Mapping[str, Tensor]) -> str | None:
    """Name of the first entry that holds a NaN or an infinity; None if none does."""
    for name, value in state_dict.items():
        if not value.is_meta and not torch.isfinite(value.detach()).all():
            return name
    return None
