"""What the docs name is there: links, anchors, files, commands, flags, settings, imports."""

from __future__ import annotations

import argparse
import ast
import importlib
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch
import yaml
from mmengine.registry import Registry

from srtrack import registry
from srtrack.cli.arguments import add_config_arguments, load_config
from srtrack.configs import find_config
from srtrack.registry import HOOKS, OPTIM_WRAPPERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / 'docs').glob('*.md'))
TEXTS = [ROOT / 'README.md', *PAGES]
#: Stands for CONFIG and for configs that a page lets readers put together.
LASHER = ROOT / 'configs/srtrack/srtrack_ostrack-b256_lasher.py'
TINY = ROOT / 'configs/srtrack/srtrack_tiny_synthetic-rgbt.py'
#: The others' configs are of other projects.
OUR_COMMANDS = [page for page in TEXTS if page.name != 'mix_in.md']
FOLDERS = 'configs|tools|docs|tests|examples|requirements|srtrack'
#: Stand for a name, or for what users have at their place.
PLACEHOLDER = re.compile(r'[A-Z]{3,}|[{}<>]|\.mim')

by_page = pytest.mark.parametrize('page', TEXTS, ids=lambda page: page.name)


def without_code(text):
    return re.sub(r'```.*?```|`[^`\n]*`', '', text, flags=re.S)


def code(text):
    """Blocks and spans of code; a command that goes over several lines is one."""
    parts = re.findall(r'```\w*\n(.*?)```|`([^`\n]+)`', text, re.S)
    return '\n'.join(block or span for block, span in parts).replace('\\\n', ' ')


def anchors(path):
    """Anchors of a page's headings, as both GitHub and the site make them."""
    headings = re.findall(r'^#+ (.*)$', path.read_text(), re.M)
    return {re.sub(r'[^\w\- ]', '', each.lower()).strip().replace(' ', '-') for each in headings}


@by_page
def test_links(page):
    """Of links to other places the form alone: tests have no net."""
    text = without_code(page.read_text())
    assert not re.search(r'\]\[|^\[[^\]]+\]: ', text, re.M), 'links by name are not looked at here'
    for url in re.findall(r'\w+://[^\s)>]+', text):
        scheme, host, *_ = urlsplit(url)
        assert scheme == 'https', f'{page.name} links to {url}'
        assert re.fullmatch(r'[a-z0-9-]+(\.[a-z0-9-]+)+', host), f'{page.name} links to {url}'
    for target in re.findall(r'\]\(([^)\s]+)', text):
        if '://' in target:
            continue
        name, _, anchor = target.partition('#')
        path = page.parent / name if name else page
        assert path.exists(), f'{page.name} links to {target}'
        if anchor:
            assert anchor in anchors(path), f'{page.name} links to {target}'


@by_page
def test_files(page):
    text = code(page.read_text())
    for name in re.findall(rf'(?<![\w./:-])((?:{FOLDERS})/[\w./*{{}}<>,-]*[\w*/}}>])', text):
        if not PLACEHOLDER.search(name):
            assert list(ROOT.glob(name)), f'{page.name} names {name}'
    for name in re.findall(r'srtrack::[\w/.-]+\.py', text):
        assert Path(find_config(name)).is_file()


@by_page
def test_commands(page):
    for line in code(page.read_text()).splitlines():
        command = re.search(r'(?:python|bash) ((?:tools|examples)/[\w/]+\.(?:py|sh))(.*)', line)
        if not command:
            continue
        tool, arguments = command.groups()
        source = ''.join(path.read_text() for path in called_by(ROOT / tool))
        for flag in re.findall(r'(?<=\s)--[\w-]+', arguments.split('#')[0]):
            assert f"'{flag}'" in source, f'{page.name}: {tool} takes no {flag}'


@pytest.mark.parametrize('page', OUR_COMMANDS, ids=lambda page: page.name)
def test_options_of_commands(page):
    """What stands after ``--cfg-options`` can be set in the config before it."""
    for line in code(page.read_text()).splitlines():
        command, found, options = line.partition('--cfg-options ')
        if not found or ('tools/' in command and not re.search(r'CONFIG|configs/', command)):
            continue  # a tool that has its own config
        names = re.findall(r'configs/[\w./-]+\.py', command)
        config = ROOT / names[0] if names and not PLACEHOLDER.search(names[0]) else LASHER
        assert parse_options(config, shlex.split(options.split('#')[0]))[1], line


@by_page
def test_imports(page):
    """Python blocks parse, and name what is there."""
    for block in re.findall(r'```python\n(.*?)```', page.read_text(), re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.partition('.')[0] == 'srtrack':
                module = importlib.import_module(node.module)
                assert all(hasattr(module, each.name) for each in node.names), ast.unparse(node)


def called_by(script):
    """A tool, what its shell script starts, and where the arguments that all tools share are."""
    yield script
    yield ROOT / 'srtrack/cli/arguments.py'
    for name in re.findall(r'\w+\.py', script.read_text() if script.suffix == '.sh' else ''):
        yield ROOT / 'tools' / name


#: Messages of Python, PyTorch, OpenCV and MMEngine.
FOREIGN = ('No module named', 'libGL', 'is not in the', 'Weights only load failed')


def test_messages():
    """Error messages in troubleshooting.md are what the code says."""
    files = [*ROOT.glob('srtrack/**/*.py'), *ROOT.glob('tools/*.py')]
    # Strings that go over several lines are one.
    said = re.sub(r"""['"]\s*\n\s*f?['"]""", '', '\n'.join(path.read_text() for path in files))
    page = (ROOT / 'docs/troubleshooting.md').read_text()
    messages = re.findall(r'^\*\*`([^`]+)`', page, re.M)
    ours = [each for each in messages if not any(word in each for word in FOREIGN)]
    assert len(ours) > 10
    for message in ours:
        for part in message.split('...'):
            assert part.strip(' ,') in said, message


@by_page
def test_registered_names(page):
    registries = [each for each in vars(registry).values() if isinstance(each, Registry)]
    for each in registries:
        each.import_from_location()
    registered = set().union(*(each.module_dict for each in registries))
    assert set(re.findall(r"'srtrack\.([A-Z]\w+)'", page.read_text())) <= registered


def test_symbols_of_the_walk_through_the_code():
    """Every name after a file in read_the_code.md is defined there."""
    text = (ROOT / 'docs/read_the_code.md').read_text()
    path, checked = None, 0
    for name in re.findall(r'`([^`\n]+)`', text):
        if '/' in name:
            path = ROOT / name
            assert path.exists(), name
        elif re.fullmatch(r'[A-Za-z_]+(\.[a-z_]+)?', name):
            assert name in defined_in(path), f'{path.relative_to(ROOT)} defines no {name}'
            checked += 1
    assert checked > 30


def defined_in(path):
    """Functions and classes at the top of a file, and methods after the name of their class."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each.name for each in node.body if isinstance(each, ast.FunctionDef))
            names.update(f'{node.name}.{method}' for method in methods)
    return names


def test_site_has_every_page():
    navigation = yaml.safe_load((ROOT / 'mkdocs.yml').read_text())['nav']
    assert sorted(pages_in(navigation)) == [page.name for page in PAGES]


def pages_in(navigation):
    for item in navigation:
        for entry in item.values() if isinstance(item, dict) else [item]:
            yield from [entry] if isinstance(entry, str) else pages_in(entry)


ROWS = re.findall(r'^\| `([^|]*=[^|]*)` \|', (ROOT / 'docs/configs.md').read_text(), re.M)


@pytest.mark.parametrize('options', ROWS)
def test_settings(options):
    """Settings in docs/configs.md are those of the wrapper and the hook, or in the config already."""
    config, changed = parse_options(LASHER, shlex.split(options))
    for key, value in changed.items():
        assert lookup(config, key) == value
        if not key.startswith(('optim_wrapper.', 'custom_hooks.')):
            for path in (LASHER, TINY):
                lookup(load_config(path), key)
    HOOKS.build(dict(config.custom_hooks[0], _scope_='srtrack'))
    wrapper = {key: value for key, value in config.optim_wrapper.items() if key != 'constructor'}
    wrapper['optimizer'] = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    OPTIM_WRAPPERS.build(dict(wrapper, _scope_='srtrack'))


def parse_options(path, words):
    """The config with these ``--cfg-options``, and these as a dict."""
    parser = argparse.ArgumentParser()
    add_config_arguments(parser)
    args = parser.parse_known_args([str(path), '--cfg-options', *words])[0]
    return load_config(path, args.cfg_options), args.cfg_options


def lookup(config, key):
    for part in key.split('.'):
        config = config[int(part)] if part.isdigit() else config[part]
    return config
