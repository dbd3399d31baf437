"""Writes small AEDAT4 files: a header, and packets that are FlatBuffers, laid out by hand."""

from __future__ import annotations

import struct

STREAM = """<node name="{number}"><attr key="typeIdentifier">{kind}</attr><node name="info">
<attr key="sizeX">{width}</attr><attr key="sizeY">{height}</attr></node></node>"""


def event_packet(rows) -> bytes:
    """A packet of events; rows are t, x, y, on."""
    vector = b''.join(struct.pack('<qhhb3x', *row) for row in rows)
    head = struct.pack('<I4s', 16, b'EVTS')  # where the table begins, and the kind of packet
    vtable = struct.pack('<3H2x', 6, 8, 4)
    table = struct.pack('<iI', 8, 4)
    return _sized(head + vtable + table + struct.pack('<I', len(rows)) + vector)


def frame_packet(t: int, exposure_end: int, width: int, height: int) -> bytes:
    """A packet of a black frame."""
    head = struct.pack('<I4s', 40, b'FRME')
    vtable = struct.pack('<13H6x', 26, 60, 4, 12, 20, 28, 36, 44, 46, 48, 50, 52, 56)
    times = struct.pack('<5q', t, t, t, t, exposure_end)
    table = struct.pack('<i', 32) + times + struct.pack('<bx4h2xI', 0, width, height, 0, 0, 4)
    area = width * height
    return _sized(head + vtable + table + struct.pack('<I', area) + bytes(area))


def aedat4(packets, width: int, height: int) -> bytes:
    """A file of (stream number, packet); stream 0 holds events, stream 1 frames."""
    streams = ''.join(
        STREAM.format(number=number, kind=kind, width=width, height=height)
        for number, kind in enumerate(('EVTS', 'FRME'))
    )
    xml = f'<dv version="2.0"><node name="outInfo">{streams}</node></dv>'.encode()
    vtable = struct.pack('<5H2x', 10, 20, 4, 8, 16)
    table = struct.pack('<iiqI', 12, 0, -1, 4)
    header = struct.pack('<I', 16) + vtable + table + struct.pack('<I', len(xml)) + xml + b'\0'
    body = b''.join(struct.pack('<II', number, len(each)) + each for number, each in packets)
    return b'#!AER-DAT4.0\r\n' + struct.pack('<I', len(header)) + header + body


def _sized(buffer: bytes) -> bytes:
    return struct.pack('<I', len(buffer)) + buffer
