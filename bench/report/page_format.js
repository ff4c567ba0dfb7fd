'use strict';
// Numbers as people read them, and elements. Text from documents goes through createTextNode only.

const number = (value) => (typeof value === 'number' && Number.isFinite(value) ? value : null);
const text = (value) => (typeof value === 'string' && value !== '' ? value : null);
const list = (value) => (Array.isArray(value) ? value.filter((item) => item !== null && typeof item === 'object') : []);

// An entry of a table of ours by a name that a document gave.
const lookUp = (names, name) => (Object.hasOwn(names, name) ? names[name] : undefined);

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

// Three significant digits without an exponent; large numbers in full.
function plain(value) {
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1000) return grouped.format(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, '');
  if (size >= 1) return value.toFixed(2).replace(/\.?0+$/, '');
  return String(Number(value.toPrecision(2)));
}

function scaled(value, steps) {
  const step = steps.find(([size]) => Math.abs(value) >= size) ?? steps[steps.length - 1];
  return `${plain(value / step[0])}\u00a0${step[1]}`;
}

const format = {
  count: (value) => grouped.format(value),
  plain,
  ns: (value) => (value >= 100 ? grouped.format(value) : plain(value)),
  us: (value) =>
    value === 0
      ? '0\u00a0µs'
      : scaled(value, [
          [1e6, 's'],
          [1e3, 'ms'],
          [1, 'µs'],
        ]),
  seconds: (value) => (value >= 1 || value === 0 ? `${plain(value)}\u00a0s` : `${plain(value * 1e3)}\u00a0ms`),
  rate: (value) =>
    value === 0
      ? '0\u00a0/s'
      : scaled(value, [
          [1e6, 'M/s'],
          [1e3, 'k/s'],
          [1, '/s'],
        ]),
  bits: (value) =>
    scaled(value, [
      [1e9, 'Gbit/s'],
      [1e6, 'Mbit/s'],
      [1e3, 'kbit/s'],
      [1, 'bit/s'],
    ]),
  bytes: (value) =>
    value === 0
      ? '0\u00a0B'
      : scaled(value, [
          [2 ** 30, 'GiB'],
          [2 ** 20, 'MiB'],
          [2 ** 10, 'KiB'],
          [1, 'B'],
        ]),
  share: (value) => `${plain(value * 100)}\u00a0%`,
  ratio: (value) => `${value >= 100 ? grouped.format(value) : value.toFixed(value >= 9.995 ? 1 : 2)}×`,
};

// A figure that misses its bound by less than the usual digits show is written with more of them.
function precise(value, bound, how) {
  const words = how(value);
  return number(bound) !== null && value !== bound && words === how(bound) && how === format.ratio ? `${value.toFixed(4)}×` : words;
}

// What is known, in this format; otherwise the given words.
const known = (value, how, otherwise = 'not measured') => (number(value) === null ? otherwise : how(value));

function plural(count, one, many = `${one}s`) {
  return `${grouped.format(count)} ${count === 1 ? one : many}`;
}

function joined(words) {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words[words.length - 1]}`;
}

function shortened(words, length) {
  return words.length > length ? `${words.slice(0, length - 1).trimEnd()}…` : words;
}

// Lines of at most so many columns, at most so many of them.
function wrapped(words, columns, lines) {
  const result = [''];
  for (const word of words.split(/[ \t\n]+/)) {
    const last = result.length - 1;
    if (result[last] === '') result[last] = word;
    else if (result[last].length + 1 + word.length <= columns) result[last] += ` ${word}`;
    else result.push(word);
  }
  if (result.length > lines) result.splice(lines - 1, result.length, `${result[lines - 1]}…`);
  return result.map((line) => shortened(line, columns + 2));
}

function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined) made.append(child);
  }
  return made;
}

// A table. Columns: {text, number, name, words}. A cell: text, a node, null, {missing: why} or {text, sub, class}.
// Reasons for what is missing stand below it as numbered notes.
function table(columns, rows, caption) {
  const reasons = [];
  const missing = (why) => {
    if (!why) return element('span', { class: 'missing' }, 'not measured');
    if (!reasons.includes(why)) reasons.push(why);
    return element('span', { class: 'missing' }, 'not measured', element('sup', {}, ` ${reasons.indexOf(why) + 1})`));
  };
  const content = (cell) => {
    if (cell === null || cell === undefined) return missing(null);
    if (cell instanceof Node || typeof cell !== 'object') return cell;
    if ('missing' in cell) return missing(cell.missing);
    return [cell.text, cell.sub ? element('span', { class: 'sub' }, cell.sub) : null];
  };
  const names = (column, cell) =>
    [column.number ? 'number' : null, column.name ? 'name' : null, column.words ? 'words' : null, cell?.class]
      .filter(Boolean)
      .join(' ') || null;
  const body = element(
    'table',
    {},
    caption ? element('caption', {}, caption) : null,
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        columns.map((column) => element('th', { scope: 'col', class: names(column) }, column.text)),
      ),
    ),
    element(
      'tbody',
      {},
      rows.map((row) =>
        element(
          'tr',
          {},
          row.map((cell, i) => element('td', { class: names(columns[i], cell) }, content(cell))),
        ),
      ),
    ),
  );
  const notes = reasons.map((why, i) => element('li', {}, `${i + 1}) ${why}`));
  return element(
    'div',
    {},
    element('div', { class: 'scroll' }, body),
    notes.length ? element('ul', { class: 'footnotes' }, notes) : null,
  );
}

function folded(summary, ...children) {
  return element('details', {}, element('summary', {}, summary), ...children);
}
