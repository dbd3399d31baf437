'use strict';

// Sort a table by the clicked column; a second click turns the order around.
for (const button of document.querySelectorAll('table.sortable th button')) {
  button.addEventListener('click', () => {
    const head = button.parentElement;
    const body = head.closest('table').tBodies[0];
    const column = head.cellIndex;
    const texts = [...body.rows].map((row) => row.cells[column].dataset.sort).filter((text) => text !== '');
    const numeric = texts.every((text) => !Number.isNaN(Number(text)));
    // The best number comes first, but words start at A.
    const first = numeric ? 'descending' : 'ascending';
    const second = numeric ? 'ascending' : 'descending';
    const order = head.getAttribute('aria-sort') === first ? second : first;
    const sign = order === 'ascending' ? 1 : -1;
    const compare = (a, b) => {
      const [x, y] = [a, b].map((row) => row.cells[column].dataset.sort);
      if (x === '' || y === '') return (x === '') - (y === '');
      return sign * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
    };
    for (const other of head.parentElement.cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', order);
    body.append(...[...body.rows].sort(compare));
  });
}

// Hide or show one tracker in all figures and tables.
for (const button of document.querySelectorAll('[data-toggle]')) {
  button.addEventListener('click', () => {
    const shown = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(shown));
    for (const element of document.querySelectorAll(`[data-series="${button.dataset.toggle}"]`)) {
      element.toggleAttribute('hidden', !shown);
    }
  });
}

for (const button of document.querySelectorAll('.copy')) {
  button.addEventListener('click', async () => {
    const code = button.parentElement.querySelector('code');
    getSelection().selectAllChildren(code);
    // Not every browser lets a local file use the clipboard; the text is selected either way.
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = 'copied';
    } catch {
      button.textContent = 'selected';
    }
  });
}

document.getElementById('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
});
