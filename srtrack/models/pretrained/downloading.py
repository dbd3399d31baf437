"""Checkpoints from the net: one file for each URL, whatever the URL ends in."""

from __future__ import annotations

import hashlib
import os
import re
from urllib.parse import unquote, urlparse

import torch
from filelock import FileLock
from mmengine.logging import print_log
from mmengine.runner import CheckpointLoader

from .reading import CheckpointError, sha256, unreadable

_PREFIXES = ('http://', 'https://')
#: ``name-5c106cde.pth``: names that hold the first digits of the content's SHA-256.
_NAMED_BY_CONTENT = re.compile(r'-([0-9a-f]{8,64})\.')
_told: set[str] = set()


def is_url(source: str) -> bool:
    """Whether a checkpoint is to be downloaded."""
    return source.startswith(_PREFIXES)


def downloaded(url: str) -> str:
    """The file of a URL, downloaded where it is not there yet; says once which file is used.

    It lies in a folder of its own below ``checkpoints`` of PyTorch's hub (``TORCH_HOME``), named
    after the SHA-256 of the URL. PyTorch and MMEngine look for the last part of a URL alone, and so
    take ``b.org/best.pth`` for ``a.org/best.pth``; of their files those are used whose name holds
    digits of their content's SHA-256 (as ``name-5c106cde.pth``) and is right.

    Raises:
        CheckpointError: It cannot be downloaded, or is not what its name says.
    """
    name = os.path.basename(unquote(urlparse(url).path)) or 'checkpoint'
    shared = os.path.join(torch.hub.get_dir(), 'checkpoints')
    folder = os.path.join(shared, hashlib.sha256(url.encode()).hexdigest()[:16])
    path, digits = os.path.join(folder, name), _NAMED_BY_CONTENT.search(name)
    if digits and not os.path.isfile(path) and _has_digest(os.path.join(shared, name), digits[1]):
        path = os.path.join(shared, name)
    try:
        os.makedirs(folder, exist_ok=True)
        # The processes of a run come at the same time: one fetches the file.
        with FileLock(os.path.join(folder, '.lock')):
            if not os.path.isfile(path):
                torch.hub.download_url_to_file(url, path, progress=False)
    except Exception as error:
        raise CheckpointError(
            f'{unreadable(url, error)}. Where there is no net, put the file at {path}'
        ) from error
    if url not in _told:
        _told.add(url)
        print_log(f'{url} is {path} (SHA-256 {sha256(path)})', 'current')
    return path


def _has_digest(path: str, digits: str) -> bool:
    return os.path.isfile(path) and sha256(path).startswith(digits)


@CheckpointLoader.register_scheme(prefixes=_PREFIXES, force=True)
def load_from_url(filename: str, map_location=None) -> dict:
    """MMEngine's loader of URLs, which knew the last part of them only; tensors alone are loaded."""
    path = downloaded(filename)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise CheckpointError(unreadable(f'{filename} ({path})', error)) from error
