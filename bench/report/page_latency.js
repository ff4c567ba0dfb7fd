'use strict';
// Latency: the distribution of every workload as in an HDR plot, p50 and p99 as a table.

// Percentiles as in an HDR plot: each step to the right is ten times rarer. The largest one stands one step after 99.99.
const PERCENT_TICKS = [
  [50, '50'],
  [90, '90'],
  [99, '99'],
  [99.9, '99.9'],
  [99.99, '99.99'],
  [100, 'max'],
];
const percentPlace = (percent) => (percent >= 100 ? 5 : -Math.log10(1 - percent / 100));

// The lines of a row: one per server; where there is a single server, its directions and the jitter.
function latencyLines(row) {
  const entries = row.entries.filter((entry) => entry.rounds.length);
  if (entries.length !== 1 || row.comparison) {
    return entries.map((entry) => ({
      server: entry.server,
      label: entry.server,
      dash: dashOf(entry.server),
      points: percentilesOf(entry.rounds, (result) => result.latency),
    }));
  }
  const [{ server, rounds }] = entries;
  const both = rounds.some((result) => result.up && result.down);
  const of = (label, colour, dash, pick) => ({ server, label, colour, dash, points: percentilesOf(rounds, pick) });
  return [
    of('latency', null, [], (result) => result.latency),
    both ? of('up: client to peer', 'orange', [6, 3], (result) => result.up?.latency) : null,
    both ? of('down: peer to client', 'green', [2, 3], (result) => result.down?.latency) : null,
    of('added jitter', 'purple', [8, 3, 2, 3], (result) => result.jitter),
  ].filter((line) => line?.points.length);
}

function latencyBuild(lines, single) {
  const shown = lines.map((line) => ({ ...line, points: line.points.filter(({ percent, us }) => percent > 0 && us > 0) }));
  const limits = logLimits(shown.flatMap(({ points }) => points.map(({ us }) => us)));
  const says = ({ raw, dataset }) => [
    `${raw.percent === 100 ? 'largest' : `${raw.percent} % of the packets`}`,
    `${dataset.label}: ${raw.percent === 100 ? '' : 'at most '}${format.us(raw.y)}`,
  ];
  return {
    type: 'line',
    data: {
      datasets: shown.map(({ server, label, colour, dash, points }) => {
        const own = colour ? shade(COLOURS[colour]) : colourOf(server);
        return {
          label,
          server,
          data: points.map(({ percent, us }) => ({ x: percentPlace(percent), y: us, percent })),
          borderColor: own,
          backgroundColor: own,
          borderDash: dash,
          borderWidth: 2,
          pointRadius: 2,
          pointHoverRadius: 5,
          pointStyle: shapeOf(server),
          tension: 0,
        };
      }),
    },
    options: {
      parsing: false,
      interaction: { mode: 'nearest', intersect: false },
      scales: {
        x: {
          type: 'linear',
          min: 0,
          max: 5,
          title: axisTitle('percentile of the packets'),
          ticks: { autoSkip: false, maxRotation: 0, callback: (_, i) => PERCENT_TICKS[i]?.[1] ?? '' },
          afterBuildTicks: (axis) => {
            axis.ticks = PERCENT_TICKS.map(([percent]) => ({ value: percentPlace(percent) }));
          },
        },
        y: logAxis(limits, 'latency (log scale)', format.us),
      },
      plugins: { legend: { display: single, labels: { usePointStyle: true, pointStyle: 'line' } }, tooltip: tooltip(says) },
    },
  };
}

function latencyTable(lines) {
  const percents = [...new Set(lines.flatMap(({ points }) => points.map(({ percent }) => percent)))].sort((a, b) => a - b);
  const name = (percent) => (percent === 0 ? 'smallest' : percent === 100 ? 'largest' : `p${percent}`);
  return table(
    [{ text: 'Percentile' }, ...lines.map(({ label }) => ({ text: label, number: true }))],
    percents.map((percent) => [
      name(percent),
      ...lines.map(({ points }) => ({ text: known(points.find((point) => point.percent === percent)?.us, format.us, '–') })),
    ]),
  );
}

// p50 and p99 of every workload and server in one table; the smallest p99 of a row in bold.
function latencySummary(rows, servers) {
  const cells = (row) => {
    const figures = servers.map((server) => {
      const entry = entryOf(row, server);
      return entry ? { entry, p50: figureOf(entry, 'latency_p50_us'), p99: figureOf(entry, 'latency_p99_us') } : null;
    });
    const best = Math.min(...figures.map((one) => one?.p99 ?? Infinity));
    return figures.map((one) => {
      if (!one) return { text: '–' };
      if (one.p50 === null && one.p99 === null) return { missing: whyMissing(one.entry, 'latency_p50_us') };
      const more = [
        ['p99.9', 'latency_p99_9_us'],
        ['jitter p99', 'jitter_p99_us'],
      ].map(([words, figure]) => known(figureOf(one.entry, figure), (us) => `${words} ${format.us(us)}`, null));
      return {
        text: `${known(one.p50, format.us)} / ${known(one.p99, format.us)}`,
        sub: more.filter(Boolean).join(', '),
        class: servers.length > 1 && one.p99 === best ? 'best' : null,
      };
    });
  };
  return table(
    [{ text: 'Workload', name: true }, ...servers.map((server) => ({ text: server, number: true }))],
    rows.map((row) => [{ text: row.label, sub: isPaced(row) ? 'paced' : 'closed loop' }, ...cells(row)]),
  );
}

function latencyAdd(model) {
  const rows = model.rows.filter((row) => carries(row) && latencyLines(row).some(({ points }) => points.length));
  if (rows.length === 0) return;
  rows.sort((a, b) => isPaced(b) - isPaced(a));
  const section = sectionAdd(
    'latency',
    'Latency',
    'One way through the relay, from just before a packet is sent until it is received; each percentile is the median of the ' +
      'rounds. Lower is better; each step to the right is ten times rarer.',
    rows.some((row) => !isPaced(row))
      ? 'Closed-loop workloads keep a window of packets under way: latency there is mostly the queue that the load itself makes. ' +
          'Judge latency by the paced ones.'
      : null,
  );
  const servers = model.servers.filter((server) => rows.some((row) => entryOf(row, server)));
  if (servers.length > 1) section.append(legend(servers));
  const grid = gridAdd(section, 320);
  for (const row of rows) {
    const lines = latencyLines(row);
    const single = !row.comparison && row.entries.length === 1;
    plotAdd(grid, {
      title: row.label,
      note: `${row.title}${isPaced(row) ? '' : ' · closed loop'}`,
      height: 270,
      build: () => latencyBuild(lines, single),
      data: latencyTable(lines),
    });
  }
  if (rows.length === 1 && servers.length === 1) return;
  section.append(
    element('h3', {}, 'p50 and p99 by workload'),
    element(
      'p',
      { class: 'note' },
      `p50 / p99 of the one-way latency, median of the rounds${servers.length > 1 ? '; the smallest p99 in bold' : ''}.`,
    ),
    latencySummary(rows, servers),
  );
}
