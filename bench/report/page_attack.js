'use strict';
// A call's loss and latency before and while others flood the server.

const ATTACKS = {
  unauthenticated: 'Allocate requests without credentials',
  unpermitted: 'packets from peers without a permission',
  client: 'one allowed client at full rate',
};
const PAIR = { row: 21, gap: 14, wide: 480 };

// Kind → figures of one server, medians of the rounds.
function attackOf(entry, name) {
  const all = entry.rounds.flatMap((result) => list(result.attacks).filter((attack) => attack.name === name));
  const of = (pick) => median(all.map((attack) => number(pick(attack))).filter((value) => value !== null));
  return all.length === 0
    ? null
    : {
        before: of((attack) => attack.before?.latency?.p99_us),
        during: of((attack) => attack.during?.latency?.p99_us),
        ratio: of((attack) => attack.p99_ratio),
        lost: of((attack) => attack.lost),
        sent: of((attack) => attack.during?.packets?.sent),
        packets: of((attack) => attack.attack_packets),
      };
}

const pairsPlugin = {
  id: 'pairs',
  afterDatasetsDraw(chart) {
    const {
      ctx,
      scales: { x: scale },
    } = chart;
    ctx.save();
    ctx.font = `${BAR.font}px ${Chart.defaults.font.family}`;
    ctx.textBaseline = 'middle';
    chart.data.datasets.forEach((dataset, i) => {
      if (!chart.isDatasetVisible(i)) return;
      chart.getDatasetMeta(i).data.forEach(({ y }, j) => {
        const pair = dataset.pairs[j];
        if (!pair) return;
        if (pair.before === null || pair.during === null) {
          ctx.fillStyle = view.theme.muted;
          ctx.fillText('not measured', chart.chartArea.left + 6, y);
          return;
        }
        const [before, during] = [scale.getPixelForValue(pair.before), scale.getPixelForValue(pair.during)];
        ctx.strokeStyle = dataset.colour;
        ctx.lineWidth = 4;
        ctx.beginPath();
        ctx.moveTo(before, y);
        ctx.lineTo(during, y);
        ctx.stroke();
        ctx.lineWidth = 2;
        for (const [x, fill] of [
          [before, view.theme.page],
          [during, dataset.colour],
        ]) {
          ctx.beginPath();
          ctx.arc(x, y, 5, 0, 2 * Math.PI);
          ctx.fillStyle = fill;
          ctx.fill();
          ctx.stroke();
        }
        ctx.fillStyle = view.theme.text;
        ctx.fillText(
          chart.width < PAIR.wide && pair.ratio !== null ? format.ratio(pair.ratio) : pairWords(pair),
          Math.max(before, during) + 11,
          y + 0.5,
        );
      });
    });
    ctx.restore();
  },
};

const pairWords = (pair) =>
  `${format.us(pair.before)} → ${format.us(pair.during)}${pair.ratio === null ? '' : ` (${format.ratio(pair.ratio)})`}`;

function pairsBuild(kinds, series, narrow) {
  const limits = logLimits(
    series.flatMap(({ pairs }) => pairs.filter(Boolean).flatMap(({ before, during }) => [before ?? 0, during ?? 0])),
    1.5,
  );
  const says = ({ dataset, dataIndex }) => [
    lookUp(ATTACKS, kinds[dataIndex]) ?? kinds[dataIndex],
    `${dataset.label}: p99 ${pairWords(dataset.pairs[dataIndex])}`,
  ];
  return {
    type: 'bar',
    data: {
      labels: kinds,
      datasets: series.map(({ server, pairs }) => ({
        label: server,
        server,
        pairs,
        colour: colourOf(server),
        backgroundColor: 'transparent',
        barThickness: PAIR.row,
        data: pairs.map((pair) => pair && [pair.before ?? limits.min, pair.during ?? limits.min]),
        skipNull: true,
      })),
    },
    plugins: [pairsPlugin],
    options: {
      indexAxis: 'y',
      layout: { padding: { right: narrow ? 50 : 150 } },
      scales: {
        x: logAxis(limits, 'p99 latency of the call (log scale)', format.us),
        y: {
          grid: { display: false },
          ticks: categoryTicks(
            kinds.map((name) => ({ name, wide: lookUp(ATTACKS, name) ?? name })),
            3,
          ),
        },
      },
      plugins: { tooltip: tooltip(says) },
    },
  };
}

function attackTable(kinds, servers, row) {
  const columns = ['p99 before', 'p99 during', 'During ÷ before', 'Lost', 'Of sent', "Attack's packets"].map((words) => ({
    text: words,
    number: true,
  }));
  const lines = kinds
    .flatMap((kind) => servers.map((server) => [kind, server, entryOf(row, server) && attackOf(entryOf(row, server), kind)]))
    .filter(([, , found]) => found);
  return table(
    [{ text: 'Attack' }, { text: 'Server' }, ...columns],
    lines.map(([kind, server, found]) => [
      { text: kind, sub: lookUp(ATTACKS, kind) ?? null },
      serverName(server),
      ...[
        [found.before, format.us],
        [found.during, format.us],
        [found.ratio, format.ratio],
        [found.lost, format.count],
        [found.sent, format.count],
        [found.packets, format.count],
      ].map(([value, how]) => (value === null ? { missing: 'no packet of the call arrived' } : { text: how(value) })),
    ]),
  );
}

function attackAdd(model) {
  const rows = model.rows.filter((row) => row.entries.some((entry) => entry.rounds.some((result) => list(result.attacks).length)));
  if (rows.length === 0) return;
  const section = sectionAdd(
    'attack',
    'Under attack',
    'A call at a steady pace while another sender floods the server; before each attack the same call is measured alone. ' +
      'It should lose nothing, and its p99 should hardly grow.',
  );
  for (const row of rows) {
    const kinds = [
      ...new Set(
        row.entries.flatMap((entry) => entry.rounds.flatMap((result) => list(result.attacks).map((attack) => String(attack.name)))),
      ),
    ];
    const servers = model.servers.filter((server) => entryOf(row, server));
    const found = servers.map((server) => ({ server, pairs: kinds.map((kind) => attackOf(entryOf(row, server), kind)) }));
    if (rows.length > 1) section.append(element('h3', {}, row.wide));
    else section.append(element('p', { class: 'note' }, row.title));
    const grid = gridAdd(section, 480);
    if (found.some(({ pairs }) => pairs.some((pair) => pair && pair.before !== null && pair.during !== null))) {
      plotAdd(grid, {
        title: 'p99 latency of the call, before → during',
        note: 'Hollow: before. Filled: during the attack.',
        legend: legend(servers),
        height: kinds.length * (servers.length * PAIR.row + PAIR.gap) + 62,
        build: ({ clientWidth }) => pairsBuild(kinds, found, clientWidth < PAIR.wide),
        data: attackTable(kinds, servers, row),
      });
    }
    barsAdd(grid, {
      title: 'Packets that the call lost',
      note: 'Shorter is better; the aim is none.',
      unit: 'packets lost during the attack',
      heading: 'Attack',
      how: format.count,
      categories: kinds.map((name) => ({ name, wide: lookUp(ATTACKS, name) ?? name })),
      series: found.map(({ server, pairs }) => ({
        server,
        cells: pairs.map((pair) => pair && (pair.lost === null ? { value: null, missing: 'not counted' } : { value: pair.lost })),
      })),
    });
  }
}
