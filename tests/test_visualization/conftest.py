"""Reports in a real browser."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest


@pytest.fixture(scope='session')
def browser(tmp_path_factory):
    """``browser(page, script)`` opens a page in Chromium, lets a reader's script act, and looks.

    The script runs after the page's own, under the page's own policy, and leaves what it saw in
    ``seen``. Returned are ``document`` (the HTML at the end), ``console`` (what the page said there)
    and ``seen``.
    """
    names = ('chromium', 'chromium-browser', 'google-chrome')
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        pytest.skip('needs Chromium')
    folder = tmp_path_factory.mktemp('browser')

    def look(page, script=''):
        read = f"""const seen = {{}};{script}
const out = document.createElement('pre');
out.id = 'seen';
out.textContent = JSON.stringify([...new TextEncoder().encode(JSON.stringify(seen))]);
document.body.append(out);"""
        digest = base64.b64encode(hashlib.sha256(read.encode()).digest()).decode()
        html = page.read_text(encoding='utf-8')
        html = html.replace("script-src 'sha256-", f"script-src 'sha256-{digest}' 'sha256-", 1)
        copy = folder / 'copy.html'
        copy.write_text(html.replace('</body>', f'<script>{read}</script></body>'), 'utf-8')
        command = [
            *(chromium, '--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr'),
            *(f'--user-data-dir={folder / "profile"}', '--virtual-time-budget=2000'),
            *('--window-size=1280,1000', '--dump-dom', copy.as_uri()),
        ]
        done = subprocess.run(command, capture_output=True, timeout=120, check=True)
        document = done.stdout.decode()
        numbers = json.loads(re.search(r'id="seen">(.*?)<', document)[1])
        return SimpleNamespace(
            document=document,
            console=[line for line in done.stderr.decode().splitlines() if 'CONSOLE' in line],
            seen=json.loads(bytes(numbers)),
        )

    return look
