'use strict';
// Horizontal bars with what Chart.js does not have: whiskers from the lowest to the highest round, marks of required bounds, and the
// values in words.

const BAR = { thickness: 13, gap: 24, font: 11.5 };

// A cell: null (does not belong here) or {value, low, high, bound, atLeast, met, starred, missing: why, words}.
function cellWords(cell, how) {
  if (cell.value === null) return 'not measured';
  const verdict = number(cell.bound) === null || typeof cell.met !== 'boolean' ? '' : cell.met ? '✓ ' : '✗ ';
  return `${verdict}${cell.words ?? precise(cell.value, cell.bound, how)}${cell.starred ? ' *' : ''}`;
}

const boundWords = (cell, how) => (number(cell.bound) === null ? '' : `required ${cell.atLeast ? '≥' : '≤'} ${how(cell.bound)}`);
const spreadWords = (cell, how) => (number(cell.low) === null ? '' : `${how(cell.low)} – ${how(cell.high)}`);

function cellTable(cell, how) {
  if (!cell) return { text: '–' };
  if (cell.value === null) return { missing: cell.missing };
  const sub = [spreadWords(cell, how), boundWords(cell, how)].filter(Boolean).join('; ');
  return {
    text: cellWords(cell, how),
    sub: sub || null,
    class: typeof cell.met === 'boolean' && number(cell.bound) !== null ? (cell.met ? 'met' : 'missed') : null,
  };
}

// Where a cell's words begin: right of its bar, its whisker, and of the mark of its bound where they would meet.
function wordsDraw(ctx, scale, bar, cell, how) {
  const words = cellWords(cell, how);
  const pixel = (value) => scale.getPixelForValue(value);
  let x = pixel(Math.max(cell.value ?? 0, cell.high ?? 0, scale.min)) + 6;
  const mark = number(cell.bound) === null ? null : pixel(cell.bound);
  if (mark !== null && mark > x - 8 && mark < x + ctx.measureText(words).width + 4) x = mark + 7;
  ctx.fillStyle = cell.value === null ? view.theme.muted : view.theme.text;
  if (number(cell.bound) !== null && typeof cell.met === 'boolean') ctx.fillStyle = cell.met ? view.theme.good : view.theme.bad;
  ctx.fillText(words, x, bar.y + 0.5);
}

function whiskerDraw(ctx, scale, bar, cell) {
  const [low, high] = [scale.getPixelForValue(cell.low), scale.getPixelForValue(cell.high)];
  for (const [colour, width] of [
    [view.theme.page, 3.5],
    [view.theme.text, 1.3],
  ]) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.beginPath();
    ctx.moveTo(low, bar.y);
    ctx.lineTo(high, bar.y);
    for (const x of [low, high]) {
      ctx.moveTo(x, bar.y - 3);
      ctx.lineTo(x, bar.y + 3);
    }
    ctx.stroke();
  }
}

function boundDraw(ctx, scale, bar, cell) {
  const x = scale.getPixelForValue(cell.bound);
  const half = bar.height / 2 + 1;
  ctx.fillStyle = view.theme.page;
  ctx.fillRect(x - 3, bar.y - half, 6, 2 * half);
  ctx.fillStyle = view.theme.text;
  ctx.fillRect(x - 1.5, bar.y - half, 3, 2 * half);
}

const marksPlugin = {
  id: 'marks',
  beforeDatasetsDraw(chart, _, { baseline }) {
    if (number(baseline) === null) return;
    const x = chart.scales.x.getPixelForValue(baseline);
    chart.ctx.save();
    chart.ctx.strokeStyle = view.theme.muted;
    chart.ctx.lineWidth = 1.5;
    chart.ctx.setLineDash([4, 3]);
    chart.ctx.beginPath();
    chart.ctx.moveTo(x, chart.chartArea.top);
    chart.ctx.lineTo(x, chart.chartArea.bottom);
    chart.ctx.stroke();
    chart.ctx.restore();
  },
  afterDatasetsDraw(chart) {
    const {
      ctx,
      scales: { x: scale },
    } = chart;
    ctx.save();
    ctx.font = `${BAR.font}px ${Chart.defaults.font.family}`;
    ctx.textBaseline = 'middle';
    chart.data.datasets.forEach((dataset, i) => {
      if (!dataset.cells || !chart.isDatasetVisible(i)) return;
      chart.getDatasetMeta(i).data.forEach((bar, j) => {
        const cell = dataset.cells[j];
        if (!cell) return;
        if (number(cell.low) !== null && cell.high > cell.low) whiskerDraw(ctx, scale, bar, cell);
        if (number(cell.bound) !== null) boundDraw(ctx, scale, bar, cell);
        wordsDraw(ctx, scale, bar, cell, dataset.how);
      });
    });
    ctx.restore();
  },
};

function wordsWidth(series, how) {
  const ctx = document.createElement('canvas').getContext('2d');
  ctx.font = `${BAR.font}px ${Chart.defaults.font.family}`;
  const words = series.flatMap(({ cells }) => cells.filter(Boolean).map((cell) => cellWords(cell, how)));
  return Math.ceil(Math.max(0, ...words.map((one) => ctx.measureText(one).width))) + 18;
}

// The names of categories: in words where the plot is wide enough, else the short name.
function categoryTicks(categories, lines) {
  return {
    autoSkip: false,
    color: view.theme.text,
    crossAlign: 'far',
    font: { size: 12, lineHeight: 1.15 },
    callback(_, i) {
      const { width } = this.chart;
      const { name, wide } = categories[i];
      return width >= 520 ? wrapped(wide ?? name, width >= 900 ? 46 : 32, lines) : wrapped(name, width >= 420 ? 22 : 16, lines);
    },
  };
}

// Steps of an axis of bytes: powers of two.
const bytesStep = (most) => 2 ** Math.ceil(Math.log2(most / 4));

function barsBuild({ categories, series, unit, how, axis = how, baseline, lines }) {
  const all = series.flatMap(({ cells }) => cells.filter(Boolean).flatMap((cell) => [cell.value, cell.high, cell.bound]));
  const most = Math.max(0, ...all.filter((value) => number(value) !== null)) || 1;
  const dataset = ({ server, cells }) => ({
    label: server,
    server,
    cells,
    how,
    data: cells.map((cell) => (cell ? (cell.value ?? 0) : null)),
    backgroundColor: colourOf(server),
    barThickness: BAR.thickness,
    skipNull: true,
  });
  const says = (item) => {
    const cell = item.dataset.cells[item.dataIndex];
    const rows = [
      categories[item.dataIndex].wide ?? categories[item.dataIndex].name,
      `${item.dataset.server}: ${cellWords(cell, how)}`,
    ];
    if (cell.value === null && cell.missing) rows.push(...wrapped(cell.missing, 60, 4));
    if (number(cell.low) !== null) rows.push(`lowest – highest round: ${spreadWords(cell, how)}`);
    if (number(cell.bound) !== null) rows.push(boundWords(cell, how));
    if (cell.starred) rows.push('* the load was the limit in some rounds');
    return rows;
  };
  return {
    type: 'bar',
    data: { labels: categories.map(({ name }) => name), datasets: series.map(dataset) },
    plugins: [marksPlugin],
    options: {
      indexAxis: 'y',
      layout: { padding: { right: wordsWidth(series, how) } },
      scales: {
        x: {
          beginAtZero: true,
          suggestedMax: most,
          title: axisTitle(unit),
          ticks: {
            maxRotation: 0,
            autoSkipPadding: 14,
            stepSize: how === format.bytes ? bytesStep(most) : undefined,
            callback: (value) => axis(value),
          },
        },
        y: { grid: { display: false }, ticks: categoryTicks(categories, lines) },
      },
      plugins: { marks: { baseline: baseline ?? null }, tooltip: tooltip(says) },
    },
  };
}

// A plot of bars: categories [{name, wide}], series [{server, cells}] with a cell for each category.
// Categories without any cell fall away; nothing is drawn, and false returned, when nothing is left.
function barsAdd(parent, { title, note, unit, categories, series, how, axis, baseline, heading = 'Workload', spread = true }) {
  const keep = categories.map((_, i) => series.some(({ cells }) => cells[i]));
  const rest = {
    categories: categories.filter((_, i) => keep[i]),
    series: series.map((one) => ({ ...one, cells: one.cells.filter((_, i) => keep[i]) })),
  };
  rest.series = rest.series.filter(({ cells }) => cells.some(Boolean));
  const cells = rest.series.flatMap((one) => one.cells.filter(Boolean));
  if (!cells.some(({ value }) => value !== null)) return false;
  const bars = Math.max(...rest.categories.map((_, i) => rest.series.filter((one) => one.cells[i]).length));
  const group = Math.max(bars * BAR.thickness, 28) + BAR.gap;
  const keys = [];
  if (spread && cells.some(({ low, high }) => number(low) !== null && high > low))
    keys.push(['chip-spread', 'lowest to highest round']);
  if (cells.some(({ bound }) => number(bound) !== null)) keys.push(['chip-mark', 'required bound (✓ met, ✗ missed)']);
  if (cells.some(({ starred }) => starred)) keys.push([null, '* the load was the limit in some rounds']);
  const columns = [{ text: heading, name: true }, ...rest.series.map(({ server }) => ({ text: server, number: true }))];
  const rows = rest.categories.map(({ name, wide }, i) => [
    { text: name, sub: wide && wide !== name ? wide : null },
    ...rest.series.map((one) => cellTable(one.cells[i], how)),
  ]);
  plotAdd(parent, {
    title,
    note,
    legend: legend(
      rest.series.map(({ server }) => server),
      keys,
    ),
    height: rest.categories.length * group + 62,
    build: () => barsBuild({ ...rest, unit, how, axis, baseline, lines: Math.max(2, Math.floor((group - 2) / 13.8)) }),
    data: table(columns, rows, unit),
  });
  return true;
}

// The usual series: a figure of every server in every one of these rows. Servers that a row has no entry for have no cell there.
function seriesOf(rows, servers, figure, more = () => ({})) {
  return servers.map((server) => ({
    server,
    cells: rows.map((row) => {
      const entry = entryOf(row, server);
      if (!entry) return null;
      const value = figureOf(entry, figure);
      if (value === null) return { value, missing: whyMissing(entry, figure), ...more(row, server, entry) };
      return { value, ...spreadOf(entry, figure), starred: entry.loaderBound > 0, ...more(row, server, entry) };
    }),
  }));
}

const categoriesOf = (rows) => rows.map((row) => ({ name: row.label, wide: row.wide }));

// The bound that a server's figure is held against in a row, where there is one without a reference.
function boundOf(row, server, figure) {
  const bar = row.bars.find((one) => one.figure === figure && one.server === server && !text(one.reference));
  return bar
    ? {
        bound: number(bar.bound),
        atLeast: bar.at_least === true,
        met: typeof bar.met === 'boolean' && number(bar.value) !== null ? bar.met : null,
      }
    : {};
}
