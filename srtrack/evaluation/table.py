"""Tables of plain text."""

from __future__ import annotations


def format_table(header: list[str], rows: list[list[str]]) -> str:
    """Columns aligned: the first to the left, the others to the right, a rule below the header."""
    widths = [max(map(len, column)) for column in zip(header, *rows)]

    def line(cells: list[str]) -> str:
        others = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:])]
        return '  '.join([cells[0].ljust(widths[0]), *others])

    rule = '-' * (sum(widths) + 2 * (len(widths) - 1))
    return '\n'.join([line(header), rule, *map(line, rows)])
