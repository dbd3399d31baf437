"""COCO's objects as sequences of one frame: images among the source data of RGB trackers."""

from __future__ import annotations

import json

import numpy as np
from mmengine import fileio

from srtrack.registry import DATASETS

from .sequence import FrameError, Sequence, Window
from .transforms.decode import DecodePicture, load_crop


class PictureSequence(Sequence):
    """One object in one image.

    Args:
        name: Its name.
        path: File of the image.
        box: x, y, w, h in pixels.
        backend_args: Arguments of MMEngine's file backend.
    """

    modalities = ('rgb',)

    def __init__(self, name: str, path: str, box, backend_args: dict | None = None) -> None:
        self.name = name
        self.path = path
        self.boxes = np.array(box, dtype=np.float64).reshape(1, 4)
        self.present = np.array([True])
        self.backend_args = backend_args

    def read(self, index: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read`."""
        return dict(rgb=self._load(DecodePicture()))

    def read_crop(self, index: int, window: Window, size: int) -> dict[str, np.ndarray]:
        """See :meth:`Sequence.read_crop`."""
        return dict(rgb=self._load(lambda data: load_crop(DecodePicture(), data, window, size)[0]))

    def _load(self, decode) -> np.ndarray:
        try:
            return decode(fileio.get(self.path, self.backend_args))
        except (OSError, ValueError) as error:
            raise FrameError(f'object {self.name}: cannot read {self.path}: {error}') from error


@DATASETS.register_module()
class COCO:
    """The annotated objects of COCO, each a sequence of one frame (Lin et al., ECCV 2014).

    Template and search region of a training pair then come from the same image. Crowds and small
    objects are left out: the public trackers use objects larger than 50 pixels both ways.

    Args:
        data_root: The folder of ``annotations/instances_<split><year>.json``; images lie in
            ``images/<split><year>`` or ``<split><year>``.
        split: ``'train'`` or ``'val'``.
        year: 2017 or 2014.
        min_size: Width and height have to exceed it, in pixels.
        name: Name of the data set.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        FileNotFoundError: The annotations or the images are missing.
        ValueError: The annotations are no COCO instances, or no object is large enough.
    """

    def __init__(
        self,
        data_root,
        split: str = 'train',
        year: int = 2017,
        min_size: float = 50,
        name: str = 'COCO',
        backend_args: dict | None = None,
    ) -> None:
        self.name = name
        self.backend_args = backend_args
        subset = f'{split}{year}'
        self.folder = self._picture_folder(str(data_root), subset)
        path = self._join(str(data_root), 'annotations', f'instances_{subset}.json')
        if not fileio.isfile(path, backend_args):
            raise FileNotFoundError(f'{name}: no annotations {path}')
        try:
            content = json.loads(fileio.get(path, backend_args))
            self._index(content['images'], content['annotations'], min_size)
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
            raise ValueError(f'{name}: {path} are no COCO instances ({error!r})') from error
        if not len(self._boxes):
            raise ValueError(f'{name}: no object of {path} exceeds min_size={min_size} px')

    @property
    def metainfo(self) -> dict:
        """Name and modalities of the data set."""
        return dict(dataset=self.name, modalities=PictureSequence.modalities)

    def __len__(self) -> int:
        return len(self._boxes)

    def __getitem__(self, index: int) -> PictureSequence:
        """The object ``index``, named by the number of its annotation."""
        file = self._files[self._picture_of[index]].decode()
        return PictureSequence(
            str(self._ids[index]),
            f'{self.folder}/{file}',
            self._boxes[index],
            self.backend_args,
        )

    def _index(self, images: list[dict], annotations: list[dict], min_size: float) -> None:
        # Arrays, not objects: forked workers then share their memory.
        self._files = np.array([image['file_name'].encode() for image in images])
        numbers = {image['id']: number for number, image in enumerate(images)}
        boxes = np.array([each['bbox'] for each in annotations], np.float64).reshape(-1, 4)
        crowd = np.array([each.get('iscrowd', 0) for each in annotations], bool)
        kept = np.flatnonzero(~crowd & (boxes[:, 2:] > min_size).all(axis=1))
        self._boxes = boxes[kept]
        self._ids = np.array([annotations[i]['id'] for i in kept], np.int64)
        self._picture_of = np.array([numbers[annotations[i]['image_id']] for i in kept], np.int32)

    def _picture_folder(self, data_root: str, subset: str) -> str:
        places = [self._join(data_root, *parts) for parts in (('images', subset), (subset,))]
        for folder in places:
            if fileio.isdir(folder, self.backend_args):
                return folder
        raise FileNotFoundError(f'{self.name}: no folder {" or ".join(places)}')

    def _join(self, *parts: str) -> str:
        return str(fileio.join_path(*parts, backend_args=self.backend_args))
