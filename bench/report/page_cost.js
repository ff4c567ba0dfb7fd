'use strict';
// What it costs: run time, system calls, the cores' split, memory, allocations; and what became of the packets.

function runTimeAdd(model) {
  const rows = model.rows.filter(carries);
  const series = seriesOf(rows, model.servers, 'run_ns_per_packet');
  if (series.flatMap(({ cells }) => cells).filter((cell) => cell && cell.value !== null).length < 2) return;
  const section = sectionAdd(
    'run-time',
    'Run time per packet',
    "What the kernel accounts to the server's threads (/proc/PID/task/*/schedstat) during the window, divided by the packets " +
      'delivered. Median of the rounds; shorter is better.',
  );
  barsAdd(section, {
    title: 'Run time per delivered packet',
    unit: 'nanoseconds per packet',
    categories: categoriesOf(rows),
    series,
    how: format.ns,
  });
}

function systemCallsAdd(model) {
  const rows = model.rows.filter(carries);
  const series = seriesOf(rows, model.servers, 'system_calls_per_packet', (row, server) => ({
    ...boundOf(row, server, 'system_calls'),
    starred: false,
  }));
  const cells = series.flatMap(({ cells: all }) => all).filter(Boolean);
  if (cells.length < 2 && model.rows.every((row) => !row.comparison)) return;
  if (cells.length === 0) return;
  const section = sectionAdd(
    'system-calls',
    'System calls per packet',
    "System calls of the server's threads, counted by the kernel in a phase of its own after the window, divided by the packets " +
      'delivered in it. Shorter is better.',
  );
  const drawn = barsAdd(section, {
    title: 'System calls per delivered packet',
    unit: 'system calls per packet',
    categories: categoriesOf(rows),
    series,
    how: plain,
  });
  if (!drawn) section.append(element('p', {}, `Not measured: ${[...new Set(cells.map((cell) => cell.missing))].join('; ')}.`));
}

// --- the cores' split -------------------------------------------------------------------------------------------------------------

// Not the servers' colours: dark for the server's own work, light for the kernel's on its behalf, pale for idle.
const SPLIT = [
  ['user_s', 'user', ['#4b2e83', '#b79cf0']],
  ['system_s', 'system', ['#8c6bb1', '#7d5fc0']],
  ['softirq_s', 'softirq', ['#1b7f79', '#5cc8c0']],
  ['irq_s', 'irq', ['#8fd0cb', '#2f7f79']],
  ['other_s', 'other', ['#b8b08d', '#8a8362']],
  ['idle_s', 'idle', ['#e3e6ea', '#39404a']],
];

function splitOf(entry) {
  const sums = SPLIT.map(([member]) => sumOf(entry, (result) => result.cpu?.core_split?.[member]) ?? 0);
  const total = sums.reduce((a, b) => a + b, 0);
  return total > 0 ? sums.map((seconds) => seconds / total) : null;
}

function splitBuild(rows, shares) {
  return {
    type: 'bar',
    data: {
      labels: rows.map((row) => row.label),
      datasets: SPLIT.map(([, label, colours], i) => ({
        label,
        data: shares.map((split) => split[i] * 100),
        backgroundColor: shade(colours),
        borderColor: view.theme.page,
        borderWidth: { right: 1 },
        barThickness: 15,
      })),
    },
    options: {
      indexAxis: 'y',
      scales: {
        x: { stacked: true, min: 0, max: 100, title: axisTitle("share of the server's cores (%)"), ticks: { maxRotation: 0 } },
        y: {
          stacked: true,
          grid: { display: false },
          ticks: {
            ...categoryTicks(
              rows.map((row) => ({ name: row.label })),
              1,
            ),
          },
        },
      },
      plugins: {
        tooltip: tooltip(({ dataset, parsed, dataIndex }) => [
          rows[dataIndex].wide,
          `${dataset.label}: ${format.share(parsed.x / 100)}`,
        ]),
      },
    },
  };
}

function splitTable(rows, entries, shares) {
  const sum = (entry, pick, how) => ({ text: known(sumOf(entry, pick), how, '–') });
  const columns = [...SPLIT.map(([, label]) => label), 'Run time', 'Busy', 'ksoftirqd', 'Switches'].map((words) => ({
    text: words,
    number: true,
  }));
  return table(
    [{ text: 'Workload', name: true }, ...columns],
    rows.map((row, i) => [
      row.label,
      ...shares[i].map((share) => format.share(share)),
      sum(entries[i], (result) => result.cpu?.run_s, format.seconds),
      known(figureOf(entries[i], 'busy'), format.share, '–'),
      sum(entries[i], (result) => result.cpu?.ksoftirqd_s, format.seconds),
      sum(entries[i], (result) => result.cpu?.context_switches, format.count),
    ]),
  );
}

function splitAdd(model) {
  const parts = model.servers
    .map((server) => {
      const rows = model.rows.filter((row) => entryOf(row, server) && splitOf(entryOf(row, server)));
      const entries = rows.map((row) => entryOf(row, server));
      return { server, rows, entries, shares: entries.map(splitOf) };
    })
    .filter(({ rows }) => rows.length);
  if (parts.length === 0) return;
  const section = sectionAdd(
    'cores',
    "Where the server's cores spent their time",
    "From /proc/stat for the cores that the server is pinned to, all rounds together: it includes what is not the server's own. " +
      'Many kernels take samples at ticks only, which misleads at partial load; run time per packet is exact.',
  );
  const keys = SPLIT.map(([, label, colours]) => {
    const sign = element('span', { class: 'chip' });
    sign.style.background = shade(colours);
    return element('li', {}, sign, label);
  });
  view.signs = keys.map((key, i) => [key.firstChild, SPLIT[i][2]]);
  section.append(element('ul', { class: 'legend' }, keys));
  const grid = gridAdd(section, 480);
  for (const { server, rows, entries, shares } of parts) {
    plotAdd(grid, {
      title: server,
      height: rows.length * 23 + 78,
      build: () => splitBuild(rows, shares),
      data: splitTable(rows, entries, shares),
    });
  }
}

// --- memory and allocations --------------------------------------------------------------------------------------------------------

function memoryAdd(model) {
  const rows = model.rows.filter((row) => row.kind === 'allocate');
  if (rows.length) {
    const section = sectionAdd(
      'memory',
      'Memory and allocations',
      "Resident memory of the server's process: when idle, and with all allocations held, each with a permission and a channel. " +
        'Allocations per second count whole transactions: challenge and success.',
    );
    for (const row of rows) {
      if (rows.length > 1) section.append(element('h3', {}, row.wide));
      const held =
        number(row.workload.held) ??
        median(row.entries.flatMap((entry) => entry.rounds.map((result) => number(result.held)).filter((n) => n !== null)));
      const heldWords = held === null ? 'all held' : `${format.count(held)} held`;
      const grid = gridAdd(section, 320);
      const plot = (title, unit, figure, how, bar, axis) =>
        barsAdd(grid, {
          title,
          unit,
          how,
          axis,
          categories: [{ name: heldWords }],
          series: seriesOf([row], model.servers, figure, (_, server) => ({
            ...(bar ? boundOf(row, server, bar) : {}),
            starred: false,
          })),
        });
      plot(
        'Memory per allocation (less is better)',
        'resident memory per allocation',
        'rss_bytes_per_allocation',
        format.bytes,
        'memory',
      );
      const states = [
        ['rss_idle_bytes', 'idle', 'memory_idle'],
        ['rss_held_bytes', heldWords, 'memory_held'],
        ['rss_after_bytes', 'after they ended', null],
      ];
      const parts = states.map(([figure, , bar]) =>
        seriesOf([row], model.servers, figure, (_, server) => ({ ...(bar ? boundOf(row, server, bar) : {}), starred: false })),
      );
      barsAdd(grid, {
        title: 'Resident memory (less is better)',
        unit: 'resident memory',
        how: format.bytes,
        heading: 'State',
        categories: states.map(([, name]) => ({ name })),
        series: model.servers.map((server, i) => ({ server, cells: parts.map((part) => part[i].cells[0]) })),
      });
      plot('Allocations per second (more is better)', 'allocations per second', 'allocations_per_s', format.rate);
      plot('Run time per allocation (less is better)', 'nanoseconds per allocation', 'run_ns_per_allocation', format.ns);
    }
  }
  loadMemoryAdd(model);
}

// Memory of a load's run, where nothing else tells of memory.
function loadMemoryAdd(model) {
  const rows = model.rows.filter(
    (row) => carries(row) && !row.comparison && row.entries.some((entry) => figureOf(entry, 'rss_held_bytes') !== null),
  );
  if (rows.length === 0) return;
  const section = sectionAdd('load-memory', 'Memory under load', "Resident memory of the server's process.");
  const states = [
    ['rss_before_bytes', 'before the allocations'],
    ['rss_held_bytes', 'allocations made'],
    ['rss_bytes', 'after the load'],
    ['rss_peak_bytes', 'largest'],
  ];
  const grid = gridAdd(section, 480);
  for (const row of rows) {
    const parts = states.map(([figure]) => seriesOf([row], model.servers, figure, () => ({ starred: false })));
    barsAdd(grid, {
      title: row.label,
      unit: 'resident memory',
      how: format.bytes,
      heading: 'State',
      categories: states.map(([, name]) => ({ name })),
      series: model.servers.map((server, i) => ({ server, cells: parts.map((part) => part[i].cells[0]) })),
    });
  }
}

// --- packets ----------------------------------------------------------------------------------------------------------------------

const PACKETS = ['sent', 'delivered', 'lost', 'duplicated', 'reordered', 'corrupted', 'stale', 'unsent'];

function packetsTable(rows) {
  const line = (row, entry, words, pick) => [
    words ? `${row.label}, ${words}` : row.label,
    serverName(entry.server),
    ...PACKETS.map((member) => ({
      text: known(
        sumOf(entry, (result) => pick(result)?.[member]),
        format.count,
        '–',
      ),
    })),
  ];
  return table(
    [{ text: 'Workload', name: true }, { text: 'Server' }, ...PACKETS.map((words) => ({ text: words, number: true }))],
    rows.flatMap((row) =>
      row.entries
        .filter((entry) => entry.rounds.length)
        .flatMap((entry) => {
          const parts = ['up', 'down'].filter((part) => entry.rounds.some((result) => result[part]?.packets));
          return [
            line(row, entry, null, (result) => result.packets),
            ...(parts.length > 1 ? parts.map((part) => line(row, entry, part, (result) => result[part]?.packets)) : []),
          ];
        }),
    ),
  );
}

function packetsAdd(model) {
  const rows = model.rows.filter(
    (row) => carries(row) && row.entries.some((entry) => sumOf(entry, (result) => result.packets?.sent) !== null),
  );
  if (rows.length === 0) return;
  const section = sectionAdd(
    'packets',
    'What became of the packets',
    'All rounds together. Each payload carries a number and a checksum. Stale: of the warm-up, arrived in the window. ' +
      "Unsent: due, but the loader's socket was full.",
  );
  section.append(
    rows.some((row) => row.comparison) ? folded('Packets by workload and server', packetsTable(rows)) : packetsTable(rows),
  );
}
