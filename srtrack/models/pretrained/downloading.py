"""Downloaded checkpoints: one file per URL, whatever the URL ends in."""

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
#: ``name-5c106cde.pth``: names that contain the first digits of the content's SHA-256.
_NAMED_BY_CONTENT = re.compile(r'-([0-9a-f]{8,64})\.')
_told: set[str] = set()


def is_url(source: str) -> bool:
    """Whether a checkpoint has to be downloaded."""
    return source.startswith(_PREFIXES)


def downloaded(url: str) -> str:
    """The file of a URL, downloaded if missing; logs once which file is used.

    Each URL has its own folder below ``checkpoints`` of PyTorch's hub (``TORCH_HOME``), named after
    the SHA-256 of the URL. PyTorch and MMEngine only look at the last part of a URL, and so mistake
    ``b.org/best.pth`` for ``a.org/best.pth``. Their files are reused only if the name contains
    digits of the SHA-256 (such as ``name-5c106cde.pth``) and they match.

    Raises:
        CheckpointError: The file cannot be downloaded.
    """
    name = os.path.basename(unquote(urlparse(url).path)) or 'checkpoint'
    shared = os.path.join(torch.hub.get_dir(), 'checkpoints')
    folder = os.path.join(shared, hashlib.sha256(url.encode()).hexdigest()[:16])
    path, digits = os.path.join(folder, name), _NAMED_BY_CONTENT.search(name)
    if digits and not os.path.isfile(path) and _has_digest(os.path.join(shared, name), digits[1]):
        path = os.path.join(shared, name)
    try:
        os.makedirs(folder, exist_ok=True)
        # The processes of a run arrive at the same time: one downloads the file.
        with FileLock(os.path.join(folder, '.lock')):
            if not os.path.isfile(path):
                torch.hub.download_url_to_file(url, path, progress=False)
    except Exception as error:
        raise CheckpointError(
            f'{unreadable(url, error)}. Without a network, put the file at {path}'
        ) from error
    if url not in _told:
        _told.add(url)
        print_log(f'{url} is {path} (SHA-256 {sha256(path)})', 'current')
    return path


def _has_digest(path: str, digits: str) -> bool:
    return os.path.isfile(path) and sha256(path).startswith(digits)


@CheckpointLoader.register_scheme(prefixes=_PREFIXES, force=True)
def load_from_url(filename: str, map_location=None) -> dict:
    """Replacement of MMEngine's loader of URLs; loads only tensors."""
    path = downloaded(filename)
    try:
        return torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise CheckpointError(unreadable(f'{filename} ({path})', error)) from error
