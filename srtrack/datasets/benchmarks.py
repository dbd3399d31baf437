"""Public benchmarks as they lie on disk, one class each.

A config needs only ``dict(type='LasHeR', data_root='data/LasHeR', split='train')``. For re-packed
copies, pass the names that differ (see :class:`~srtrack.datasets.layout.Layout`)::

    dict(type='VisEvent', data_root='data/VisEvent', split='train', rgb='img', aux='evimg')

In real copies, streams and annotations of some sequences differ in length by a frame or two. All
classes use the frames that both have and warn once per sequence (``length_policy='shortest'``);
``length_policy='strict'`` refuses such sequences.
"""

from __future__ import annotations

from srtrack.registry import DATASETS

from .folder import FolderSequence
from .paths import natural_key
from .sequence_dataset import SequenceDataset
from .splits import Split


@DATASETS.register_module()
class LasHeR(SequenceDataset):
    """LasHeR, 979 + 245 aligned RGB-T sequences (Li et al., TIP 2021).

    Frames are named differently in ``visible`` and ``infrared`` and from sequence to sequence. A
    box without area means absent. The boxes of all three files are the same; a copy in which
    visible.txt is missing is known.
    """

    name = 'LasHeR'
    default_layout = dict(
        rgb='visible',
        aux='infrared',
        aux_kind='thermal',
        boxes=('visible.txt', 'init.txt', 'infrared.txt'),
        length_policy='shortest',
    )
    splits = dict(
        train=Split(
            ('train', 'trainingset', 'TrainingSet'),
            (
                'trainingsetList.txt',
                'List_for_Protocol2/trainingsetList.txt',
                'lasher_train.txt',
                'train.txt',
            ),
        ),
        test=Split(
            ('test', 'testingset', 'TestingSet'),
            (
                'testingsetList.txt',
                'List_for_Protocol2/testingsetList.txt',
                'lasher_test.txt',
                'test.txt',
            ),
        ),
    )


@DATASETS.register_module()
class RGBT234(SequenceDataset):
    """RGBT234, 234 RGB-T test sequences (Li et al., Pattern Recognition 2019).

    Both modalities have boxes of their own, and MPR and MSR take the better of both.
    """

    name = 'RGBT234'
    default_layout = dict(
        rgb='visible',
        aux='infrared',
        aux_kind='thermal',
        boxes='visible.txt',
        aux_boxes='infrared.txt',
        length_policy='shortest',
    )
    splits = dict(test=Split(('.',)))


@DATASETS.register_module()
class RGBT210(SequenceDataset):
    """RGBT210, 210 RGB-T test sequences (Li et al., ACM MM 2017), most of them RGBT234's.

    One box a frame, in init.txt; copies that others made have it in visible.txt.
    """

    name = 'RGBT210'
    default_layout = dict(
        rgb='visible',
        aux='infrared',
        aux_kind='thermal',
        boxes=('init.txt', 'visible.txt'),
        length_policy='shortest',
    )
    splits = dict(test=Split(('.',)))


@DATASETS.register_module()
class GTOT(SequenceDataset):
    """GTOT, 50 pairs of grey and thermal test sequences (Li et al., TIP 2016).

    Both modalities have boxes of their own, given as two corners; MPR and MSR take the better.
    """

    name = 'GTOT'
    default_layout = dict(
        rgb='v',
        aux='i',
        aux_kind='thermal',
        boxes='groundTruth_v.txt',
        aux_boxes='groundTruth_i.txt',
        box_format='xyxy',
        length_policy='shortest',
    )
    splits = dict(test=Split(('.',)))


@DATASETS.register_module()
class VTUAV(SequenceDataset):
    """VTUAV, 500 RGB-T sequences of drones, short-term and long-term (Zhang et al., CVPR 2022).

    Every tenth frame has a box in each modality, 0 0 0 0 where the target is absent. Archives unpack
    to ``train_ST_001``, ``test_LT_002`` and so on, side by side or in a folder of the split. Three
    sequences are in two of the archives of ``train_ST``.
    """

    name = 'VTUAV'
    has_copies = True
    default_layout = dict(
        rgb='rgb',
        aux='ir',
        aux_kind='thermal',
        boxes='rgb.txt',
        aux_boxes='ir.txt',
        annotation_stride=10,
        length_policy='shortest',
    )
    splits = dict(
        train=Split(('train', 'train_data'), parts='train_[SL]T_*'),
        train_ST=Split(('train_ST',), parts='train_ST_*'),
        train_LT=Split(('train_LT',), parts='train_LT_*'),
        test_ST=Split(('test_ST',), parts='test_ST_*'),
        test_LT=Split(('test_LT',), parts='test_LT_*'),
    )


@DATASETS.register_module()
class DepthTrack(SequenceDataset):
    """DepthTrack, 150 + 50 RGB-D sequences (Yan et al., ICCV 2021).

    Depth is 16-bit PNG in millimetres, drawn by
    :class:`~srtrack.datasets.transforms.DecodeDepth` like for this benchmark's trackers; for other
    images use ``aux_loader=dict(type='DecodeDepth', ...)``. A row of NaN means absent.
    """

    name = 'DepthTrack'
    default_layout = dict(
        rgb='color',
        aux='depth',
        aux_kind='depth',
        aux_loader=dict(type='srtrack.DecodeDepth'),
        length_policy='shortest',
    )
    splits = dict(
        train=Split(
            ('train', 'DepthTrackTraining', 'DepthTrackTrain'),
            ('depthtrack_train.txt', 'train.txt'),
        ),
        test=Split(
            ('test', 'DepthTrackTest', 'DepthTrackTesting', 'sequences'),
            ('depthtrack_test.txt', 'test.txt'),
        ),
    )


@DATASETS.register_module()
class CDTB(SequenceDataset):
    """CDTB, 80 RGB-D test sequences (Lukezic et al., ICCV 2019), also VOT-RGBD2019's to 2021's.

    Scored as DepthTrack (protocol ``depthtrack``: Pr, Re, F). ``data_root`` may be a workspace of
    the VOT toolkit.
    """

    name = 'CDTB'
    default_layout = dict(
        rgb='color',
        aux='depth',
        aux_kind='depth',
        aux_loader=dict(type='srtrack.DecodeDepth'),
        length_policy='shortest',
    )
    splits = dict(test=Split(('sequences', '.'), ('list.txt',)))


@DATASETS.register_module()
class VOTRGBD2022(SequenceDataset):
    """VOT-RGBD2022, 127 RGB-D test sequences (Kristan et al., ECCVW 2022), in a toolkit workspace.

    ``data_root`` is the toolkit's workspace, or its folder ``sequences``. For the official measures
    (protocol ``vot-rgbd2022``) the toolkit starts a tracker at several anchors of each sequence; this
    class only reads the frames.
    """

    name = 'VOT-RGBD2022'
    default_layout = dict(
        rgb='color',
        aux='depth',
        aux_kind='depth',
        aux_loader=dict(type='srtrack.DecodeDepth'),
        length_policy='shortest',
    )
    splits = dict(test=Split(('sequences', '.'), ('list.txt',)))


@DATASETS.register_module()
class VisEvent(SequenceDataset):
    """VisEvent, 500 + 320 RGB-E sequences (Wang et al., IEEE Trans. Cybernetics 2023).

    In absent_label.txt of the data set 1 means present, in the annotations of its evaluation toolkit
    1 means absent. Some sequences begin absent. Their frames before the target appears are left out
    (``start='visible'``), as its evaluation toolkit's annotations and published results leave them out.
    """

    name = 'VisEvent'
    default_layout = dict(
        rgb='vis_imgs',
        aux='event_imgs',
        aux_kind='event',
        presence=dict(file='absent_label.txt', present=1),
        start='visible',
        length_policy='shortest',
    )
    splits = dict(
        train=Split(
            ('train', 'train_subset', 'training_subset', 'trainingset'),
            ('trainlist.txt', 'train_list.txt', 'VisEvent_train_subset_ALL.txt'),
        ),
        test=Split(
            ('test', 'test_subset', 'testing_subset', 'testingset'),
            ('testlist.txt', 'test_list.txt', 'VisEvent_testing_subset.txt'),
        ),
    )


@DATASETS.register_module()
class COESOT(SequenceDataset):
    """COESOT, 827 + 528 RGB-E sequences (Tang et al., arXiv 2211.11010).

    In absent.txt 1 means present. Frames are PNG in most sequences and BMP in some. Some sequences
    begin with the target absent and the box 0, 0, 0, 0.
    """

    name = 'COESOT'
    default_layout = dict(
        rgb='{name}_aps',
        aux='{name}_dvs',
        aux_kind='event',
        presence=dict(file='absent.txt', present=1),
        length_policy='shortest',
    )
    splits = dict(
        train=Split(
            ('train', 'Training Subset', 'training_subset', 'trainingset'),
            ('trainlist.txt', 'train_list.txt'),
        ),
        test=Split(
            ('test', 'Testing Subset', 'testing_subset', 'testingset'),
            ('testlist.txt', 'test_list.txt'),
        ),
    )


@DATASETS.register_module()
class FE108(SequenceDataset):
    """FE108, 76 + 32 RGB-E sequences (Zhang et al., ICCV 2021).

    Frames are grey; users draw event images from ``events.aedat4``, most often to ``evimg``. The
    authors' stacks have three images per frame; use the last with ``aux='inter3_stack',
    frames=dict(aux='*_3.jpg')``. Boxes can leave the image.
    """

    name = 'FE108'
    default_layout = dict(
        rgb='img',
        aux='evimg',
        aux_kind='event',
        boxes='groundtruth_rect.txt',
        length_policy='shortest',
    )
    splits = dict(
        train=Split(('train',), ('eotb_train_split.txt', 'train_list.txt')),
        test=Split(('test',), ('eotb_val_split.txt', 'test_list.txt')),
    )


@DATASETS.register_module()
class LaSOT(SequenceDataset):
    """LaSOT, 1120 + 280 RGB sequences of 70 classes (Fan et al., CVPR 2019).

    Sequences lie in folders of classes, ``airplane/airplane-1``, or side by side. The splits need
    the lists that come with it. Occluded and out-of-view frames are flagged in two files of one
    comma-separated line.
    """

    name = 'LaSOT'
    nested = True
    default_layout = dict(
        rgb='img',
        modalities=('rgb',),
        presence=[
            dict(file='full_occlusion.txt', present=0),
            dict(file='out_of_view.txt', present=0),
        ],
        length_policy='shortest',
    )
    # No folders: `train` is one of the classes.
    splits = dict(
        train=Split(lists=('training_set.txt', 'lasot_train_split.txt')),
        test=Split(lists=('testing_set.txt', 'lasot_test_split.txt')),
    )


@DATASETS.register_module()
class GOT10k(SequenceDataset):
    """GOT-10k, 9335 + 180 + 180 RGB sequences (Huang et al., TPAMI 2021).

    Frames lie beside groundtruth.txt. The test split has the box of the first frame alone.
    """

    name = 'GOT-10k'
    default_layout = dict(
        rgb='.',
        modalities=('rgb',),
        presence=dict(file='absence.label', present=0),
        length_policy='shortest',
    )
    splits = dict(
        train=Split(('train', 'train_data')),
        val=Split(('val', 'val_data')),
        test=Split(('test', 'test_data'), layout=dict(presence=None, length_policy='pad')),
    )


@DATASETS.register_module()
class TrackingNet(SequenceDataset):
    """TrackingNet, 30132 + 511 RGB sequences (Mueller et al., ECCV 2018).

    Chunks ``TRAIN_0`` to ``TRAIN_11`` and ``TEST`` hold ``frames/<sequence>`` and
    ``anno/<sequence>.txt``; the test split has the box of the first frame alone. Without a split
    ``data_root`` may be a single chunk. Public trackers train on the first four chunks:
    ``chunks=['TRAIN_0', 'TRAIN_1', 'TRAIN_2', 'TRAIN_3']``.

    Args:
        data_root: The folder of the chunks.
        chunks: Names of the chunks to use. Default: all that begin with ``TRAIN_``.
        **arguments: See :class:`~srtrack.datasets.sequence_dataset.SequenceDataset`.
    """

    name = 'TrackingNet'
    default_layout = dict(
        rgb='frames/{name}',
        boxes='anno/{name}.txt',
        modalities=('rgb',),
        length_policy='shortest',
    )
    splits = dict(
        train=Split(('.',)),
        test=Split(('TEST',), layout=dict(length_policy='pad')),
    )

    def __init__(self, data_root, chunks=None, **arguments) -> None:
        self.chunks = chunks
        super().__init__(data_root, **arguments)

    def _sequence(self, entry: str) -> FolderSequence:
        # The entry is <chunk>/<sequence>, the chunk is the folder that the layout starts from.
        chunk, _, name = entry.rpartition('/')
        return FolderSequence(self._path(chunk or '.'), name, self.layout)

    def _find(self) -> list[str]:
        folders = self._folders('.')
        if 'frames' in folders:
            return self._folders('frames')
        chunks = self.chunks
        if chunks is None:
            chunks = [folder for folder in folders if folder.startswith('TRAIN_')]
        missing = sorted(set(chunks) - set(folders), key=natural_key)
        if missing or not chunks:
            raise FileNotFoundError(
                f'{self.name}: no folder {", ".join(missing) or "TRAIN_<number>"} in '
                f'{self.data_root}'
            )
        return [f'{chunk}/{name}' for chunk in chunks for name in self._folders(f'{chunk}/frames')]


@DATASETS.register_module()
class MultiModalFolder(SequenceDataset):
    """Own data in the smallest layout: two folders of frames and one box file per sequence.

    ``<sequence>/rgb/*`` and ``<sequence>/aux/*`` are images of the same size, paired in the order
    of the numbers in their names, ``<sequence>/groundtruth.txt`` has ``x,y,w,h`` in pixels, a row a
    frame, ``nan,nan,nan,nan`` where the target is absent. A split is a folder of sequences, or a
    list file: ``split='train'`` is ``train/`` or ``train.txt``. Unequal lengths are an error.
    """

    default_layout = dict(rgb='rgb', aux='aux')
