'use strict';
// What all plots share: colours, the life of a chart, legends, the frame with its table.

// Okabe and Ito's colours, told apart with every kind of colour blindness: [light scheme, dark scheme].
const COLOURS = {
  blue: ['#0072b2', '#4aa3e0'],
  sky: ['#56b4e9', '#a5dcfa'],
  vermillion: ['#d55e00', '#ff8242'],
  orange: ['#e69f00', '#f7be4d'],
  purple: ['#b2558c', '#e39cc5'],
  green: ['#009e73', '#35c99d'],
  brown: ['#7a5c2e', '#c2a26b'],
  grey: ['#6b7280', '#9aa3af'],
};
// The servers that the tool starts by itself look the same in every report.
const FIXED = {
  'uturn-io_uring': 'blue',
  'uturn-epoll': 'sky',
  coturn: 'vermillion',
  'coturn-new': 'orange',
  'coturn-multiplex': 'purple',
  pion: 'green',
};
const SHAPES = ['circle', 'rect', 'triangle', 'rectRot', 'crossRot', 'star'];
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];

const view = { theme: null, colours: new Map(), hidden: new Set(), plots: [], signs: [], printing: false };

function coloursAssign(servers) {
  const used = new Set(servers.map((server) => lookUp(FIXED, server)).filter(Boolean));
  const free = Object.keys(COLOURS).filter((name) => !used.has(name));
  for (const server of servers) view.colours.set(server, lookUp(FIXED, server) ?? free.shift() ?? 'grey');
}

function themeRead() {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const dark = !view.printing && matchMedia('(prefers-color-scheme: dark)').matches;
  view.theme = {
    dark,
    page: read('page'),
    grid: read('grid'),
    line: read('line'),
    text: read('text'),
    muted: read('muted'),
    good: read('good'),
    bad: read('bad'),
  };
  Chart.defaults.color = view.theme.muted;
  Chart.defaults.borderColor = view.theme.grid;
}

const shade = (pair) => pair[view.theme.dark ? 1 : 0];
const colourOf = (server) => shade(COLOURS[view.colours.get(server)] ?? COLOURS.grey);
const placeOf = (server) => Math.max(0, [...view.colours.keys()].indexOf(server));
const shapeOf = (server) => SHAPES[placeOf(server) % SHAPES.length];
const dashOf = (server) => DASHES[placeOf(server) % DASHES.length];

function chartDefaults() {
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.plugins.legend.display = false;
}

function plotDraw(plot) {
  plot.chart?.destroy();
  const config = plot.build(plot.canvas.parentElement);
  config.options.devicePixelRatio = view.printing ? 2 : window.devicePixelRatio || 1;
  config.data.datasets.forEach((dataset) => {
    dataset.hidden = view.hidden.has(dataset.server);
  });
  plot.chart = new Chart(plot.canvas, config);
}

function plotsDraw() {
  themeRead();
  document.querySelectorAll('.chip[data-colour]').forEach((chip) => {
    chip.style.background = shade(COLOURS[chip.dataset.colour]);
  });
  view.signs.forEach(([sign, pair]) => {
    sign.style.background = shade(pair);
  });
  view.plots.forEach(plotDraw);
}

function serverToggle(server) {
  if (!view.hidden.delete(server)) view.hidden.add(server);
  for (const button of document.querySelectorAll('.legend button')) {
    if (button.dataset.server === server) button.setAttribute('aria-pressed', String(!view.hidden.has(server)));
  }
  for (const { chart } of view.plots) {
    chart.data.datasets.forEach((dataset, i) => {
      if (dataset.server === server) chart.setDatasetVisibility(i, !view.hidden.has(server));
    });
    chart.update('none');
  }
}

function chip(colour) {
  const made = element('span', { class: 'chip', 'data-colour': colour });
  made.style.background = shade(COLOURS[colour]);
  return made;
}

function serverName(server) {
  return element('span', { class: server.length > 28 ? null : 'server' }, chip(view.colours.get(server) ?? 'grey'), ` ${server}`);
}

// `keys`: what the marks mean, as [class of the sign, words].
function legend(servers, keys = []) {
  const button = (server) => {
    const shown = String(!view.hidden.has(server));
    const attributes = { type: 'button', 'data-server': server, 'aria-pressed': shown, title: 'show or hide in all plots' };
    const made = element('button', attributes, chip(view.colours.get(server)), server);
    made.addEventListener('click', () => serverToggle(server));
    return made;
  };
  return element(
    'ul',
    { class: 'legend' },
    servers.map((server) => element('li', {}, button(server))),
    keys.map(([sign, words]) => element('li', { class: 'muted' }, sign ? element('span', { class: sign }) : null, words)),
  );
}

// The frame of a plot, in the page at once, so that the chart knows its width. `build` gets the element around it and returns
// the chart's configuration in the present theme.
function plotAdd(parent, { title, note, legend: key, height, build, data, summary = 'The same numbers as a table' }) {
  const canvas = element('canvas', { role: 'img', 'aria-label': `Plot: ${title}. The same numbers stand in the table below it.` });
  const box = element('div', { class: 'canvas-box' }, canvas);
  box.style.height = `${height}px`;
  parent.append(
    element(
      'figure',
      {},
      element('figcaption', {}, element('h3', {}, title), note ? element('p', { class: 'note' }, note) : null),
      key ?? null,
      box,
      data ? folded(summary, data) : null,
    ),
  );
  const plot = { canvas, build, chart: null };
  view.plots.push(plot);
  plotDraw(plot);
  return plot;
}

function sectionAdd(id, title, ...words) {
  const section = element(
    'section',
    { id },
    element('h2', {}, title),
    words.map((sentence) => element('p', { class: 'note' }, sentence)),
  );
  document.getElementById('main').append(section);
  return section;
}

function gridAdd(parent, cell) {
  const grid = element('div', { class: 'grid' });
  grid.style.setProperty('--cell', `${cell}px`);
  parent.append(grid);
  return grid;
}

function axisTitle(words) {
  return {
    display: true,
    text: window.innerWidth < 600 ? wrapped(words, 26, 3) : words,
    color: view.theme.muted,
    font: { size: 12 },
  };
}

// A logarithmic axis: ticks at round numbers only, as many as there is room for.
function logAxis(limits, words, how) {
  const digits = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 5], [1]];
  const ticksOf = ({ min, max }, some) => {
    const found = [];
    for (let decade = Math.floor(Math.log10(min)); decade <= Math.ceil(Math.log10(max)); decade += 1) {
      for (const digit of some) found.push(Number(`${digit}e${decade}`));
    }
    return found.filter((value) => value >= min && value <= max);
  };
  return {
    type: 'logarithmic',
    ...limits,
    title: axisTitle(words),
    afterBuildTicks(axis) {
      const { width, height, options } = axis.chart;
      const pixels = axis.isHorizontal() ? width - 190 - (options.layout.padding.right ?? 0) : height - 80;
      const least = axis.isHorizontal() ? 56 : 20;
      const fits = (found) =>
        found.every((value, i) => i === 0 || pixels * (Math.log(value / found[i - 1]) / Math.log(axis.max / axis.min)) >= least);
      const all = digits.map((some) => ticksOf(axis, some));
      const fitting = all.slice(1).find(fits) ?? all[3];
      const thinned = all[0].filter((_, i) => i % Math.ceil((all[0].length * least) / pixels) === 0);
      axis.ticks = (fitting.length < 2 ? thinned : fitting).map((value) => ({ value }));
    },
    ticks: { autoSkip: false, maxRotation: 0, callback: (value) => how(value) },
  };
}

// The limits of a logarithmic axis around values, with air at both ends.
function logLimits(all, air = 1.25) {
  const positive = all.filter((value) => value > 0);
  if (positive.length === 0) return { min: 0.1, max: 10 };
  return { min: Math.min(...positive) / air, max: Math.max(...positive) * air };
}

function tooltip(lines) {
  return {
    displayColors: false,
    callbacks: { title: (items) => (items.length ? lines(items[0])[0] : ''), label: (item) => lines(item).slice(1) },
  };
}
