"""The counts of one or more runs of the campaign as a Markdown table.

``SRTRACK_ROBUSTNESS_SUMMARY=FILE pytest tests/robustness`` writes a file;
``python tests/robustness/summary.py FILE [FILE ...]`` adds files up and prints the table.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

REFUSED, WENT_ON, FINDING = 'clear error', 'correct continuation', 'finding'


def table(summaries: list[dict]) -> str:
    """Cases of each kind by how they ended; the sum is the last row."""
    counts: dict[str, Counter] = {}
    for summary in summaries:
        for kind, found in summary['kinds'].items():
            counts.setdefault(kind, Counter()).update(
                {name: number for name, number in found.items() if name != 'seconds'}
            )
    rows = [
        '| what | case | clear error | correct continuation | finding |',
        '|---|---|--:|--:|--:|',
    ]
    last = None
    for kind in sorted(counts):
        room, case = (part.replace('_', ' ') for part in kind.split('/'))
        rows.append(_row('' if room == last else room, case, counts[kind]))
        last = room
    total = sum(counts.values(), Counter())
    rows.append(_row('**all**', f'{sum(total.values())} cases', total))
    return '\n'.join(rows)


def _row(what: str, case: str, found: Counter) -> str:
    numbers = ' | '.join(str(found[name] or '') for name in (REFUSED, WENT_ON, FINDING))
    return f'| {what} | {case} | {numbers} |'


if __name__ == '__main__':
    print(table([json.loads(Path(path).read_text()) for path in sys.argv[1:]]))
