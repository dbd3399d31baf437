"""These tests work in scopes of other projects, and leave MMEngine's default scope as it was."""

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def default_scope():
    with DefaultScope.overwrite_default_scope('mmengine'):
        yield
