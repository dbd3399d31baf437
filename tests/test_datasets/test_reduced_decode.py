"""Crops of partly decoded pictures against crops of whole ones."""

import cv2
import numpy as np
import pytest

from srtrack.datasets import DecodePicture, FrameError, SequenceDataset
from srtrack.datasets.crops import crop, target_window
from srtrack.datasets.sequence import Window
from srtrack.datasets.transforms import decode as decode_module
from srtrack.datasets.transforms.decode import read_jpeg_header, reduced_scale

SAMPLING = {
    '420': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    '444': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    '440': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440,
    '411': cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411,
}
decode = DecodePicture()


def encode(picture, *options, suffix='.jpg'):
    return cv2.imencode(suffix, picture[..., ::-1] if picture.ndim == 3 else picture, options)[1]


def jpeg(picture, *options):
    return encode(picture, cv2.IMWRITE_JPEG_QUALITY, 92, *options).tobytes()


@pytest.fixture(scope='module')
def scene():
    """Smooth colours with edges and noise; no side is a multiple of 8."""
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[0:467, 0:621].astype(np.float32)
    waves = [120 + 70 * np.sin(xx / (9 + 4 * c) + yy / (14 - 3 * c)) for c in range(3)]
    picture = np.stack(waves, -1) + rng.normal(0, 4, (467, 621, 3))
    picture[100:180, 200:330] = (220, 40, 90)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.fixture
def decoded_sizes(monkeypatch):
    """Shapes of what OpenCV has been made to decode."""
    shapes, imdecode = [], cv2.imdecode

    def record(*arguments):
        picture = imdecode(*arguments)
        shapes.append(picture.shape[:2])
        return picture

    monkeypatch.setattr(decode_module.cv2, 'imdecode', record)
    return shapes


def windows(seed, count, size, ratios):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        x, y = rng.uniform(-60, 680), rng.uniform(-60, 520)
        yield Window(x, y, float(rng.integers(*np.multiply(ratios, size))))


@pytest.mark.parametrize('sampling', [*SAMPLING, 'grey'])
def test_ending_early_changes_no_pixel(scene, decoded_sizes, capfd, sampling):
    if sampling == 'grey':
        data = jpeg(scene[..., 0])
    else:
        data = jpeg(scene, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, SAMPLING[sampling])
    whole = decode(data)
    decoded_sizes.clear()
    for window in windows(1, 40, 48, (0.4, 6)):
        got, size = decode.crop(data, window, 48, reduce=False)
        assert size == (467, 621)
        np.testing.assert_array_equal(got, crop(whole, window, 48), err_msg=str(window))
    rows = [height for height, _ in decoded_sizes]
    assert np.mean(rows) < 0.8 * 467 and min(rows) < 100
    # libjpeg would complain on stderr of bytes behind the last row.
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('scale', [2, 4, 8])
def test_reduced_crop_shows_the_same_place(scale):
    """The centroid of a blob, in pixels of the crop, at odd corners and sides."""
    size, rng = 64, np.random.default_rng(scale)
    yy, xx = np.mgrid[0:1035, 0:1283].astype(np.float64)
    for _ in range(6):
        x, y = rng.uniform(300, 1283 - 300), rng.uniform(300, 1035 - 300)
        side = int(rng.integers(scale * size, 1.5 * scale * size)) | 1
        window = Window(x + rng.uniform(-20, 20), y + rng.uniform(-20, 20), side)
        step = side / size
        blob = np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / (2 * (2.5 * step) ** 2))
        picture = (20 + 220 * blob).round().astype(np.uint8)
        data = jpeg(np.dstack([picture] * 3), cv2.IMWRITE_JPEG_QUALITY, 100)
        assert read_jpeg_header(data)[:3] == (1035, 1283, 3)
        assert reduced_scale(side, size) == scale
        left, top = (round(c - side / 2) for c in (window.center_x, window.center_y))
        expected = np.array([(x - left + 0.5) / step - 0.5, (y - top + 0.5) / step - 0.5])
        centroids = []
        for reduce in (False, True):
            weights = decode.crop(data, window, size, reduce)[0][..., 0] - 20.0
            weights[weights < 8] = 0
            total = weights.sum()
            centroids.append(
                np.array([(weights.sum(axis) * np.arange(size)).sum() for axis in (0, 1)]) / total
            )
        np.testing.assert_allclose(centroids[1], expected, atol=0.03)
        np.testing.assert_allclose(centroids[1], centroids[0], atol=0.03)


@pytest.mark.parametrize('center', [(3, 240), (618, 200), (300, -9), (301, 466), (620, 466)])
@pytest.mark.parametrize('side', [129, 200, 301, 519])
def test_edge_of_the_picture_is_where_it_was(center, side):
    data = jpeg(np.full((467, 621, 3), 255, np.uint8))
    window = Window(*center, float(side))
    expected = crop(decode(data), window, 64).astype(int)
    got = decode.crop(data, window, 64)[0]
    assert 0 < (expected == 0).mean() < 1
    # OpenCV's resize keeps its weights to 11 bits, ours are exact.
    np.testing.assert_allclose(got, expected, atol=1)


@pytest.mark.parametrize(
    ('ratio', 'scale'), [(1.9, 1), (2, 2), (3.9, 2), (4, 4), (7.9, 4), (8, 8), (40, 8)]
)
def test_scale_never_loses_resolution(ratio, scale):
    assert reduced_scale(int(ratio * 256), 256) == scale


def test_reduction_only_where_it_pays(scene, decoded_sizes):
    data, window = jpeg(scene), Window(310.0, 230.0, 400.0)
    decode.crop(data, window, 128)
    decode.crop(data, window, 200)  # 467 x 621 is less than 8 crops
    decode.crop(data, window, 128, reduce=False)
    decode.crop(jpeg(scene[..., 0]), window, 128)
    assert [width for _, width in decoded_sizes] == [311, 621, 621, 621]


def test_difference_on_real_frames(shared):
    """Mean absolute difference in grey levels, and less than half that of a half-pixel shift."""
    paths = sorted((shared / 'data/rgbt_vtuav_bus1/visible').glob('*.jpg'))[:3]
    reduced, shifted = [], []
    for path in paths:
        data = path.read_bytes()
        whole, size = decode(data), 96
        for window in (Window(300, 200, 2.6 * size), Window(401.5, 251.5, 2 * size)):
            expected = crop(whole, window, size).astype(float)
            reduced.append(np.abs(decode.crop(data, window, size)[0] - expected).mean())
            moved = window._replace(center_x=window.center_x + 0.5 * window.side / size)
            shifted.append(np.abs(crop(whole, moved, size) - expected).mean())
    assert np.mean(reduced) < 3
    assert np.mean(reduced) < 0.5 * np.mean(shifted)


def test_exif_rotation_is_ignored(scene):
    data = jpeg(scene)
    exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0'
    rotated = data[:2] + b'\xff\xe1' + (len(exif) + 2).to_bytes(2, 'big') + exif + data[2:]
    assert cv2.imdecode(np.frombuffer(rotated, np.uint8), cv2.IMREAD_COLOR).shape[:2] == (621, 467)
    for window in (Window(200, 100, 90.0), Window(300, 200, 333.0)):
        for reduce in (True, False):
            got, size = decode.crop(rotated, window, 64, reduce)
            assert size == (467, 621)
            np.testing.assert_array_equal(got, decode.crop(data, window, 64, reduce)[0])


@pytest.mark.parametrize(
    'kind', ['png', 'bmp', 'grey png', 'alpha png', 'progressive', 'restarts', 'padded']
)
def test_what_cannot_end_early_is_decoded_whole(scene, decoded_sizes, kind):
    data = {
        'png': lambda: encode(scene, suffix='.png').tobytes(),
        'bmp': lambda: encode(scene, suffix='.bmp').tobytes(),
        'grey png': lambda: encode(scene[..., 0], suffix='.png').tobytes(),
        'alpha png': lambda: encode(np.dstack([scene[..., 0], scene]), suffix='.png').tobytes(),
        'progressive': lambda: jpeg(scene, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        'restarts': lambda: jpeg(scene, cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
        'padded': lambda: jpeg(scene) + bytes(10),
    }[kind]()
    window = Window(310.3, 90.0, 120.0)
    got, size = decode.crop(data, window, 64)
    assert decoded_sizes == [(467, 621)] and size == (467, 621)
    np.testing.assert_array_equal(got, crop(decode(data), window, 64))


@pytest.mark.parametrize('junk', [b'', b'\xff\xd8', b'\xff\xd8\xff', b'\xff\xd8\xff\xda\0\0', b'x'])
def test_header_of_junk(junk):
    assert read_jpeg_header(junk) is None
    with pytest.raises(ValueError, match=r'empty|not an image'):
        decode.crop(junk, Window(5.0, 5.0, 4.0), 4)


@pytest.fixture
def sequence_of_jpegs(tmp_path, scene):
    for modality, picture in (('visible', scene), ('infrared', scene[..., 1])):
        (tmp_path / 'seq' / modality).mkdir(parents=True)
        for index in range(2):
            (tmp_path / 'seq' / modality / f'{index}.jpg').write_bytes(jpeg(picture))
    (tmp_path / 'seq' / 'groundtruth.txt').write_text('200,100,130,80\n200,100,130,80\n')
    return tmp_path


def test_switch(sequence_of_jpegs):
    window = target_window((200, 100, 130, 80), 4)
    exact = SequenceDataset(sequence_of_jpegs, reduced_decode=False)[0]
    expected = {name: crop(picture, window, 128) for name, picture in exact.read(0).items()}
    reduced = SequenceDataset(sequence_of_jpegs)[0].read_crop(0, window, 128)
    for name, pixels in exact.read_crop(0, window, 128).items():
        np.testing.assert_array_equal(pixels, expected[name])
    assert 0 < np.abs(reduced['rgb'].astype(int) - expected['rgb']).mean() < 4
    np.testing.assert_array_equal(reduced['aux'], expected['aux'])


@pytest.mark.parametrize('left', [0, 2, 0.5, -1])
def test_a_cut_off_file_is_named(sequence_of_jpegs, left):
    path = sequence_of_jpegs / 'seq/infrared/1.jpg'
    data = path.read_bytes()
    path.write_bytes(data[: int(left * len(data)) if left == 0.5 else left])
    sequence = SequenceDataset(sequence_of_jpegs)[0]
    # The window ends far above the damage: a broken file is an error all the same.
    with pytest.raises(FrameError, match=r'sequence seq, frame 1: cannot read .*infrared/1\.jpg'):
        sequence.read_crop(1, Window(100.0, 20.0, 30.0), 32)
    sequence.read_crop(0, Window(100.0, 20.0, 30.0), 32)


def test_modalities_of_different_size(sequence_of_jpegs, scene):
    (sequence_of_jpegs / 'seq/infrared/0.jpg').write_bytes(jpeg(scene[:-1, :, 0]))
    sequence = SequenceDataset(sequence_of_jpegs)[0]
    with pytest.raises(FrameError, match='rgb 621 x 467, aux 621 x 466'):
        sequence.read_crop(0, Window(100.0, 20.0, 30.0), 32)
