'use strict';

// Order the rows of a table by one column; empty cells stay last.
function sortRows(head, order) {
  const body = head.closest('table').tBodies[0];
  const column = head.cellIndex;
  const texts = [...body.rows].map((row) => row.cells[column].dataset.sort).filter((text) => text !== '');
  const numeric = texts.every((text) => !Number.isNaN(Number(text)));
  // The best number comes first, but words start at A.
  const first = numeric ? 'descending' : 'ascending';
  const second = numeric ? 'ascending' : 'descending';
  const chosen = order ?? (head.getAttribute('aria-sort') === first ? second : first);
  const sign = chosen === 'ascending' ? 1 : -1;
  const compare = (a, b) => {
    const [x, y] = [a, b].map((row) => row.cells[column].dataset.sort);
    if (x === '' || y === '') return (x === '') - (y === '');
    return sign * (numeric ? x - y : x.localeCompare(y, undefined, { numeric: true }));
  };
  for (const other of head.parentElement.cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', chosen);
  body.append(...[...body.rows].sort(compare));
}

// A click on a column's head sorts, a second click turns the order around.
for (const button of document.querySelectorAll('table.sortable th button')) {
  button.addEventListener('click', () => sortRows(button.parentElement));
}

const tableBeside = (element) => element.closest('section').querySelector('table');

// Show the rows whose first cell holds what the reader types.
for (const input of document.querySelectorAll('[data-find]')) {
  input.addEventListener('input', () => {
    const wanted = input.value.trim().toLowerCase();
    for (const row of tableBeside(input).tBodies[0].rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
    }
  });
}

// Fill the column of the gap with the difference of the two chosen trackers, and sort by it.
for (const box of document.querySelectorAll('[data-gap]')) {
  const table = tableBeside(box);
  const column = Number(box.dataset.gap);
  const menus = [...box.querySelectorAll('select')];
  const update = () => {
    for (const row of table.tBodies[0].rows) {
      const [a, b] = menus.map((menu) => row.cells[Number(menu.value)].dataset.sort);
      const known = a !== '' && b !== '';
      const percent = 100 * (a - b);
      row.cells[column].dataset.sort = known ? a - b : '';
      row.cells[column].textContent = known ? (percent < 0 ? '' : '+') + percent.toFixed(1) : '–';
    }
    sortRows([...table.tHead.rows].at(-1).cells[column], 'descending');
  };
  for (const menu of menus) menu.addEventListener('change', update);
}

for (const strip of document.querySelectorAll('.strip')) {
  strip.addEventListener('click', () => strip.classList.toggle('large'));
}

// Hide or show one tracker in all figures and tables.
for (const button of document.querySelectorAll('[data-toggle]')) {
  button.addEventListener('click', () => {
    const shown = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(shown));
    for (const element of document.querySelectorAll(`[data-series="${button.dataset.toggle}"]`)) {
      element.toggleAttribute('hidden', !shown);
      if (element.tagName !== 'TH') continue;
      for (const row of element.closest('table').tBodies[0].rows) {
        row.cells[element.cellIndex].hidden = !shown;
      }
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
