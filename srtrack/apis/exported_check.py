"""Which ``.pt2`` files are let in: those with the kinds of entries that our exporter writes.

``torch.export.load`` trusts its file. It unpickles inputs and constants, evaluates the conditions on
shapes as Python, looks operators up by any path below ``torch``, and writes names of tensors into
code that it runs. So every part of a file is compared with what a network of tensor operations
consists of, before PyTorch sees it.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

# Before 2.8 PyTorch wrote another format, and only that one.
_OLD_FORMAT = torch.__version__ < (2, 8)
_ENTRIES = re.compile(
    r'(version|serialized_exported_program\.json|serialized_\w+\.pt)'
    if _OLD_FORMAT
    else r'archive_format|archive_version|byteorder|\.data/(version|serialization_id)|models/model\.json'
    r'|data/weights/(weight_\d+|model_weights_config\.json)|data/sample_inputs/model\.pt'
    r'|data/constants/(tensor_\d+|model_constants_config\.json)'
)
_OPERATOR = re.compile(
    r'torch\.ops\.(aten|prims)\.\w+(\.\w+)?|torch\.sym_(int|float|max|min|not)'
    r'|_operator\.(add|sub|mul|truediv|floordiv|mod|neg|pow|eq|ne|lt|le|gt|ge|and_|or_|getitem)'
)
_NAME = re.compile(r'[\w.]*')
#: Texts that operators take: options, and the equation of an einsum. Some would take names of files.
_OPTION = re.compile(r'floor|trunc|none|tanh|[a-z,]+->[a-z]*')
#: Arguments and classes that are no tensors, numbers or lists of them.
_FOREIGN = (
    'as_custom_obj', 'as_operator', 'as_graph', 'custom_obj_values', 'treespec_namedtuple_fields',
)  # fmt: skip
_CONTAINERS = (None, 'builtins.tuple', 'builtins.list', 'builtins.dict')
_ARITHMETIC = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
#: Of SymPy, by which sizes are written.
_SIZES = ('Symbol', 'Integer', 'Add', 'Mul', 'Pow', 'Mod', 'FloorDiv', 'Max', 'Min')


class _RefusedError(Exception):
    """What in a file is none of our exporter's."""


def check_program(path: str | Path) -> None:
    """Make sure that a ``.pt2`` file holds a network and nothing else.

    Raises:
        ValueError: It is no such file, is damaged, or holds something that is not data of a network
            of tensor operations.
    """
    try:
        _check_entries(path)
    except _RefusedError as error:
        raise ValueError(
            f'{path} was refused: {error}, which tools/deployment/export.py never writes. '
            'Export the network again, with this version of PyTorch'
        ) from None
    except Exception as error:
        raise ValueError(
            f'{path} is no network of tools/deployment/export.py, or damaged: '
            f'{" ".join(str(error).split()) or type(error).__name__}'
        ) from error


def _check_entries(path: str | Path) -> None:
    names, read = _reader(path)
    for name in names:
        if not _ENTRIES.fullmatch(name):
            raise _RefusedError(f'it has the entry {name}')
        if name.endswith('.pt'):
            _check_tensors(name, read(name))
        elif name.endswith('_config.json'):
            _check_payload(name, json.loads(read(name)))
        elif name.endswith('.json'):
            for key, value in _leaves(json.loads(read(name))):
                _check_value(key, value)


def _reader(path: str | Path) -> tuple[list[str], Callable[[str], bytes]]:
    """Names of a file's entries, and what reads one, by the code that will load it."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(set(names)) < len(names):
            raise _RefusedError('it has two entries of one name')
        if _OLD_FORMAT:
            entries = {name: archive.read(name) for name in names}
            return names, entries.__getitem__
    reader = torch._C.PyTorchFileReader(str(path))
    records = reader.get_all_records()
    if {name.partition('/')[2] for name in names} != set(records):
        raise _RefusedError('it has entries outside of its folder')
    return records, reader.get_record


def _check_tensors(name: str, data: bytes) -> None:
    try:
        torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)
    except Exception:
        raise _RefusedError(f'its entry {name} holds more than tensors') from None


def _check_payload(name: str, content: dict) -> None:
    for key, entry in content['config'].items():
        if entry['use_pickle'] or not re.fullmatch(r'(weight|tensor)_\d+', entry['path_name']):
            raise _RefusedError(f'{key} in {name} is pickled')


def _leaves(node, key: str = '') -> Iterator[tuple[str, object]]:
    """Key and value of all but the containers; keys themselves come as values of the key ``name``."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield 'name', name
            if name in _FOREIGN and value:
                raise _RefusedError(f'it has {name}')
            if name != 'metadata':  # where in the source an operation was; never run
                yield from _leaves(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, key)
    else:
        yield key, node


def _check_value(key: str, value) -> None:
    if not isinstance(value, str):
        return
    if key == 'expr_str':
        _check_expression(value, functions=_SIZES)
    elif key == 'guards_code':
        _check_expression(value, methods=('size',))
    elif key in ('in_spec', 'out_spec'):
        _check_containers(json.loads(value))
    elif key == 'target':
        if not _OPERATOR.fullmatch(value):
            raise _RefusedError(f'it calls {value}')
    elif key == 'as_string':
        if not _OPTION.fullmatch(value):
            raise _RefusedError(f'an operation gets the text {value!r}')
    elif key == 'torch_version':
        return
    elif not _NAME.fullmatch(value):
        raise _RefusedError(f'{value!r} is used as a name')


def _check_expression(text: str, functions: tuple = (), methods: tuple = ()) -> None:
    """Sizes and their arithmetic: ``Symbol('s0', integer=True)``, ``L['x'].size()[0] == 3``."""
    for node in ast.walk(ast.parse(text, mode='eval')):
        if isinstance(node, ast.Call):
            function = node.func
            allowed = (isinstance(function, ast.Name) and function.id in functions) or (
                isinstance(function, ast.Attribute) and function.attr in methods
            )
        elif isinstance(node, ast.Name):
            allowed = node.id in (functions or ('L',))
        elif isinstance(node, ast.Attribute):
            allowed = node.attr in methods
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            allowed = re.fullmatch(r'\w+', node.value)  # SymPy evaluates some of its arguments
        else:
            extra = (ast.keyword,) if functions else (ast.Subscript,)
            allowed = isinstance(node, (*_ARITHMETIC, *extra))
        if not allowed:
            raise _RefusedError(f'it evaluates {text!r}')


def _check_containers(node) -> None:
    if isinstance(node, list):
        for each in node:
            _check_containers(each)
    elif isinstance(node, dict):
        if node['type'] not in _CONTAINERS:
            raise _RefusedError(f'it takes or gives a {node["type"]}')
        _check_containers(node['children_spec'])
