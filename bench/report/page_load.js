'use strict';
// Throughput, loss, the search for the largest load.

const carries = (row) => row.kind === 'flood' || row.kind === 'replay';

function pointStyle(server, filled = true) {
  const colour = colourOf(server);
  return {
    borderColor: colour,
    backgroundColor: filled ? colour : view.theme.page,
    pointStyle: shapeOf(server),
    pointRadius: 5,
    pointHoverRadius: 7,
    pointBorderWidth: 1.5,
  };
}

function diagonal(limits) {
  return {
    label: 'nothing lost',
    type: 'line',
    data: [
      { x: limits.min, y: limits.min },
      { x: limits.max, y: limits.max },
    ],
    borderColor: view.theme.muted,
    borderDash: [4, 3],
    borderWidth: 1.5,
    pointRadius: 0,
    pointHitRadius: 0,
  };
}

function offeredBuild(rows, servers) {
  const points = servers.map((server) =>
    rows
      .map((row) => {
        const entry = entryOf(row, server);
        return entry && { x: figureOf(entry, 'offered_per_s'), y: figureOf(entry, 'delivered_per_s'), row, entry };
      })
      .filter((point) => point && point.x > 0 && point.y > 0),
  );
  const limits = logLimits(points.flat().flatMap(({ x, y }) => [x, y]));
  const says = ({ raw, dataset }) =>
    raw.row
      ? [
          raw.row.wide,
          `${dataset.label}: offered ${format.rate(raw.x)}, delivered ${format.rate(raw.y)}`,
          ...(raw.entry.loaderBound ? ['hollow: the load was the limit in some rounds'] : []),
        ]
      : [''];
  const axis = (words) => logAxis(limits, words, format.rate);
  return {
    type: 'scatter',
    data: {
      datasets: [
        ...servers.map((server, i) => ({
          label: server,
          server,
          data: points[i],
          ...pointStyle(server),
          pointBackgroundColor: points[i].map(({ entry }) => (entry.loaderBound ? view.theme.page : colourOf(server))),
        })),
        diagonal(limits),
      ],
    },
    options: {
      scales: { x: axis('offered (packets per second, log scale)'), y: axis('delivered (packets per second, log scale)') },
      plugins: { tooltip: tooltip(says) },
    },
  };
}

function offeredTable(rows) {
  const cell = (entry, figure, how) => {
    const value = figureOf(entry, figure);
    return value === null ? { missing: whyMissing(entry, figure) } : { text: how(value) };
  };
  const columns = ['Offered', 'Delivered', 'Lost', 'Payload', 'Loader busy', 'Load was the limit'].map((words) => ({
    text: words,
    number: true,
  }));
  return table(
    [{ text: 'Workload', name: true }, { text: 'Server' }, ...columns],
    rows.flatMap((row) =>
      row.entries
        .filter((entry) => entry.rounds.length)
        .map((entry) => [
          row.label,
          serverName(entry.server),
          cell(entry, 'offered_per_s', format.rate),
          cell(entry, 'delivered_per_s', format.rate),
          cell(entry, 'loss', format.share),
          cell(entry, 'goodput_bit_per_s', format.bits),
          cell(entry, 'loader_busy', format.share),
          `${entry.loaderBound} of ${entry.rounds.length}`,
        ]),
    ),
  );
}

function offeredAdd(grid, rows, servers) {
  const isBound = rows.some((row) => row.entries.some((entry) => entry.loaderBound));
  plotAdd(grid, {
    title: 'Delivered versus offered load',
    note: 'One point per workload and server. On the dashed line nothing is lost; below it, packets are.',
    legend: legend(
      servers.filter((server) => rows.some((row) => entryOf(row, server))),
      isBound ? [[null, 'hollow: the load was the limit in some rounds']] : [],
    ),
    height: 380,
    build: () => offeredBuild(rows, servers),
    data: offeredTable(rows),
  });
}

function lossAdd(grid, rows, servers) {
  const lossy = rows.filter((row) => row.entries.some((entry) => figureOf(entry, 'loss') > 0));
  const clean = rows.length - lossy.length;
  const others = clean === 1 ? 'other workload' : `other ${clean} workloads`;
  const drawn = barsAdd(grid, {
    title: 'Lost packets',
    note: `Shorter is better.${clean ? ` Nothing was lost in the ${others}.` : ''}`,
    unit: 'lost, of the packets sent',
    categories: categoriesOf(lossy),
    series: seriesOf(lossy, servers, 'loss'),
    how: format.share,
  });
  if (drawn) return;
  const isKnown = rows.some((row) => row.entries.some((entry) => figureOf(entry, 'loss') !== null));
  const words = isKnown ? 'Nothing was lost in any workload.' : 'Not measured.';
  grid.append(element('figure', {}, element('h3', {}, 'Lost packets'), element('p', {}, words)));
}

function throughputAdd(model) {
  const rows = model.rows.filter(carries);
  if (rows.length === 0) return;
  const section = sectionAdd(
    'throughput',
    'Throughput and loss',
    'Packets that arrived at the other end per second of the measured window, median of the rounds. In closed-loop workloads ' +
      'this is the most that passes; paced ones offer every server the same.',
  );
  if (rows.reduce((count, row) => count + row.entries.length, 0) < 2) {
    section.append(offeredTable(rows));
    return;
  }
  barsAdd(section, {
    title: 'Delivered packets per second',
    note: 'Longer is better, except where the load is paced: there all should be equal.',
    unit: 'packets per second',
    categories: categoriesOf(rows),
    series: seriesOf(rows, model.servers, 'delivered_per_s'),
    how: format.rate,
  });
  const grid = gridAdd(section, 480);
  const isOffered = (entry) => figureOf(entry, 'offered_per_s') > 0 && figureOf(entry, 'delivered_per_s') > 0;
  if (rows.some((row) => row.entries.some(isOffered))) offeredAdd(grid, rows, model.servers);
  lossAdd(grid, rows, model.servers);
}

// --- the largest load -------------------------------------------------------------------------------------------------------------

function stepsOf(row) {
  return row.entries.flatMap((entry) =>
    entry.rounds.map((result, i) => ({
      entry,
      result,
      label: entry.rounds.length > 1 ? `${entry.server}, run ${i + 1}` : entry.server,
      steps: list(result.steps)
        .filter((step) => number(step.load) !== null)
        .sort((a, b) => a.load - b.load),
    })),
  );
}

function stepsBuild(runs, x, y, more) {
  const datasets = runs.map(({ entry, label, steps }) => {
    const points = steps
      .map((step) => ({ x: number(x(step)), y: number(y(step)), step }))
      .filter((point) => point.x > 0 && point.y > 0);
    return {
      label,
      server: entry.server,
      data: points,
      ...pointStyle(entry.server),
      borderDash: dashOf(entry.server),
      borderWidth: 2,
      tension: 0,
      pointBackgroundColor: points.map(({ step }) => (step.passed === true ? colourOf(entry.server) : view.theme.page)),
    };
  });
  const says = ({ raw, dataset }) =>
    raw.step
      ? [
          `${dataset.label}: load ${format.count(raw.step.load)}`,
          `offered ${known(raw.step.offered_per_s, format.rate)}, delivered ${known(raw.step.delivered_per_s, format.rate)}`,
          `lost ${known(raw.step.loss, format.share)}`,
          `p50 ${known(raw.step.latency_p50_us, format.us)}, p99 ${known(raw.step.latency_p99_us, format.us)}`,
          raw.step.passed === true
            ? 'within the bounds'
            : raw.step.loader_bound === true
              ? 'the loader was the limit'
              : 'out of bounds',
        ]
      : [dataset.label];
  return {
    type: 'line',
    data: { datasets: [...datasets, ...more(datasets.flatMap(({ data }) => data))] },
    options: { parsing: false, plugins: { tooltip: tooltip(says) } },
  };
}

function stepsOfferedBuild(runs) {
  const config = stepsBuild(
    runs,
    (step) => step.offered_per_s ?? step.load,
    (step) => step.delivered_per_s,
    (points) => [{ ...diagonal({ min: 0, max: Math.max(1, ...points.map(({ x }) => x)) }) }],
  );
  const axis = (words) => ({
    type: 'linear',
    beginAtZero: true,
    title: axisTitle(words),
    ticks: { maxRotation: 0, callback: (value) => format.rate(value) },
  });
  config.options.scales = { x: axis('offered (packets per second)'), y: axis('delivered (packets per second)') };
  return config;
}

function stepsLatencyBuild(runs, unit, bound) {
  const line = (points) =>
    bound === null
      ? []
      : [
          {
            label: `bound: ${format.us(bound)}`,
            data: [
              { x: 0, y: bound },
              { x: Math.max(1, ...points.map(({ x }) => x)) * 1.02, y: bound },
            ],
            borderColor: view.theme.bad,
            borderDash: [5, 4],
            borderWidth: 1.5,
            pointRadius: 0,
            pointHitRadius: 0,
          },
        ];
  const config = stepsBuild(
    runs,
    (step) => step.load,
    (step) => step.latency_p99_us,
    line,
  );
  config.options.scales = {
    x: {
      type: 'linear',
      beginAtZero: true,
      title: axisTitle(`load (${unit})`),
      ticks: { maxRotation: 0, callback: (value) => plain(value) },
    },
    y: logAxis(
      logLimits([...runs.flatMap(({ steps }) => steps.map((step) => number(step.latency_p99_us) ?? 0)), bound ?? 0], 1.6),
      'p99 latency (log scale)',
      format.us,
    ),
  };
  return config;
}

function stepsTable(runs, unit) {
  const columns = [`Load (${unit})`, 'Offered', 'Delivered', 'Lost', 'p50', 'p99', 'Core busy'].map((words) => ({
    text: words,
    number: true,
  }));
  const verdict = (step) =>
    step.passed === true
      ? { text: '✓ within', class: 'met' }
      : step.loader_bound === true
        ? { text: "loader's limit" }
        : { text: '✗ out of bounds', class: 'missed' };
  return table(
    [{ text: 'Server' }, ...columns, { text: 'Verdict' }],
    runs.flatMap(({ entry, label, steps }) =>
      steps.map((step) => [
        label === entry.server ? serverName(label) : label,
        format.count(step.load),
        known(step.offered_per_s, format.rate),
        known(step.delivered_per_s, format.rate),
        known(step.loss, format.share),
        known(step.latency_p50_us, format.us),
        known(step.latency_p99_us, format.us),
        known(step.busy, format.share),
        verdict(step),
      ]),
    ),
  );
}

function findMaxAdd(model) {
  const rows = model.rows.filter((row) => row.kind === 'find-max');
  if (rows.length === 0) return;
  const section = sectionAdd(
    'largest',
    'Largest load',
    'The load is doubled until loss or p99 latency passes its bound, then halved in to 5 %. Hollow points are out of bounds.',
  );
  for (const row of rows) {
    const runs = stepsOf(row);
    const { result } = runs[0];
    const unit = text(result.unit) ?? 'load';
    const bounds = [
      known(result.loss_max, (loss) => `at most ${format.share(loss)} lost`, null),
      known(result.latency_p99_max_us, (us) => `p99 at most ${format.us(us)}`, null),
    ];
    section.append(
      element('h3', {}, row.label),
      element('p', { class: 'note' }, [row.title, ...bounds].filter(Boolean).join(' · ')),
    );
    const series = seriesOf([row], model.servers, 'found', (_, server, entry) => ({
      words: entry.rounds.some((one) => one.at_least === true) ? `at least ${format.count(figureOf(entry, 'found'))}` : null,
      starred: false,
    }));
    if (runs.length > 1)
      barsAdd(section, {
        title: 'Largest load within the bounds',
        unit,
        categories: categoriesOf([row]),
        series,
        how: format.count,
      });
    if (!runs.some(({ steps }) => steps.length)) continue;
    const grid = gridAdd(section, 480);
    const servers = row.entries.map((entry) => entry.server);
    plotAdd(grid, {
      title: 'Delivered versus offered load',
      note: 'On the dashed line nothing is lost.',
      legend: legend(servers),
      height: 330,
      build: () => stepsOfferedBuild(runs),
      data: stepsTable(runs, unit),
    });
    plotAdd(grid, {
      title: 'p99 latency by load',
      note: number(result.latency_p99_max_us) === null ? null : 'The dashed line is the bound.',
      legend: legend(servers),
      height: 330,
      build: () => stepsLatencyBuild(runs, unit, number(result.latency_p99_max_us)),
      data: stepsTable(runs, unit),
    });
  }
}
