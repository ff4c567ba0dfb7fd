'use strict';
// At a glance: the figures that matter most, ratios against the peers, required bounds.

// What a bound is about: its words, how its numbers are written.
const BOUNDS = {
  run_time: [(bar) => `processor time per packet, ${bar.reference} ÷ ${bar.server}`, format.ratio],
  latency_p50: [(bar) => `p50 latency, ${bar.server} ÷ ${bar.reference}`, format.ratio],
  latency_p99: [(bar) => `p99 latency, ${bar.server} ÷ ${bar.reference}`, format.ratio],
  allocations: [(bar) => `allocations per second, ${bar.server} ÷ ${bar.reference}`, format.ratio],
  memory: [() => 'memory per allocation', format.bytes],
  memory_idle: [() => 'memory when idle', format.bytes],
  memory_held: [() => 'memory with all allocations held', format.bytes],
  system_calls: [() => 'system calls per packet', plain],
  memory_connection: [() => 'memory per idle connection', format.bytes],
  victim_loss: [() => 'packets that the call lost meanwhile, all rounds together', format.count],
  victim_p99: [() => 'p99 latency of the call, during ÷ before', format.ratio],
};

function verdictOf(bar) {
  return number(bar.value) === null || typeof bar.met !== 'boolean' ? 'unmeasured' : bar.met ? 'met' : 'missed';
}

function boundReason(row, bar) {
  if (text(bar.why)) return bar.why;
  for (const server of [bar.server, bar.reference].filter((name) => text(name))) {
    const entry = row.entries.find((one) => one.server === server);
    if (!entry) return `${server} is not in this run`;
    if (entry.rounds.length === 0) return `${server}: ${entry.why ?? NO_ROUND}`;
    const figures = { run_time: 'run_ns_per_packet', system_calls: 'system_calls_per_packet', memory: 'rss_held_bytes' };
    const figure = lookUp(figures, bar.figure);
    if (figure && figureOf(entry, figure) === null) return `${server}: ${whyMissing(entry, figure)}`;
  }
  return 'the rounds that it needs were not completed';
}

function boundRow({ row, bar }) {
  const [words, how] = lookUp(BOUNDS, bar.figure) ?? [() => text(bar.figure) ?? '–', plain];
  const verdict = verdictOf(bar);
  return [
    { text: row.label, sub: row.title === row.label ? null : row.title },
    { text: { met: '✓ met', missed: '✗ missed', unmeasured: '–' }[verdict], class: verdict },
    verdict === 'unmeasured' ? { missing: boundReason(row, bar) } : { text: precise(bar.value, bar.bound, how) },
    { text: known(bar.bound, (value) => `${bar.at_least === true ? '≥' : '≤'} ${how(value)}`, '–') },
    text(bar.server) ? serverName(bar.server) : '–',
    { text: words(bar), sub: bar.best_quartile === true ? `${bar.reference} by the better quartile of its rounds` : null },
  ];
}

function boundsAdd(section, bars) {
  const columns = [
    { text: 'Workload', name: true },
    { text: 'Verdict' },
    { text: 'Measured', number: true },
    { text: 'Required', number: true },
    { text: 'Server' },
    { text: 'Figure', words: true },
  ];
  const of = (verdict) => bars.filter(({ bar }) => verdictOf(bar) === verdict);
  const [missed, unmeasured, met] = ['missed', 'unmeasured', 'met'].map(of);
  section.append(
    element('h3', {}, 'Required bounds'),
    element('p', {}, `${met.length} met, ${missed.length} missed, ${unmeasured.length} not measured.`),
  );
  if (missed.length + unmeasured.length) section.append(table(columns, [...missed, ...unmeasured].map(boundRow)));
  if (met.length) section.append(folded(`Those that are met (${met.length})`, table(columns, met.map(boundRow))));
}

function tile(what, value, ...more) {
  return element(
    'div',
    { class: 'tile' },
    element('div', { class: 'what' }, what),
    element('div', { class: 'value' }, value),
    element('div', { class: 'more' }, more),
  );
}

function boundsTile(bars) {
  const count = (verdict) => bars.filter(({ bar }) => verdictOf(bar) === verdict).length;
  const [met, missed, unmeasured] = ['met', 'missed', 'unmeasured'].map(count);
  return tile(
    'Required bounds met',
    `${met} of ${bars.length}`,
    element('span', { class: missed ? 'missed' : met ? 'met' : null }, missed ? `✗ ${missed} missed` : 'none missed'),
    unmeasured ? ` · ${unmeasured} not measured` : '',
  );
}

// One figure of the first of our servers beside the reference's, from the first workload that has it.
function figureTile(model, what, figure, how) {
  const [server, peer] = [model.ours[0], model.peers[0]];
  const row = model.rows.find((one) => one.comparison && entryOf(one, server) && figureOf(entryOf(one, server), figure) !== null);
  if (!row) return null;
  const other = peer && entryOf(row, peer);
  return tile(
    what,
    how(figureOf(entryOf(row, server), figure)),
    server,
    other ? ` · ${peer} ${known(figureOf(other, figure), how)}` : '',
  );
}

function ratioTile(model) {
  const [server, peer] = [model.ours[0], model.peers[0]];
  const all = model.rows.map((row) => runTimeRatio(row, server, peer)?.value ?? null).filter((value) => value !== null);
  if (!server || !peer || all.length === 0) return null;
  const words =
    all.length > 1
      ? `median of ${all.length} workloads; ${format.ratio(Math.min(...all))} to ${format.ratio(Math.max(...all))}`
      : '';
  return tile(
    `Processor time per packet: ${peer} takes`,
    format.ratio(median(all)),
    `as much as ${server}`,
    words ? element('br') : null,
    words,
  );
}

function ratioPlots(section, model) {
  const rows = model.rows.filter((row) => row.comparison);
  const peers = model.peers.filter((peer) => rows.some((row) => entryOf(row, peer)));
  const plots = peers
    .map((peer) => ({
      peer,
      series: model.ours
        .filter((server) => server !== peer)
        .map((server) => ({ server, cells: rows.map((row) => runTimeRatio(row, server, peer)) })),
    }))
    .filter(({ series }) => series.some(({ cells }) => cells.some((cell) => cell?.value > 0)));
  const parent = plots.length > 1 ? gridAdd(section, 520) : section;
  for (const { peer, series } of plots) {
    const quartile = rows.some((row) =>
      row.bars.some((bar) => bar.figure === 'run_time' && bar.reference === peer && bar.best_quartile === true),
    );
    barsAdd(parent, {
      title: `Against ${peer}: how many times less processor time`,
      note: `Longer is better; at the dashed line (1×) both cost the same. ${
        quartile
          ? `The bar counts ${peer} by the better quartile of its rounds, the whisker shows round against round.`
          : "Median of the rounds' ratios."
      }`,
      unit: `run time per packet: ${peer} ÷ server (×)`,
      categories: categoriesOf(rows),
      series,
      how: format.ratio,
      axis: (value) => `${plain(value)}×`,
      baseline: 1,
    });
  }
}

function glanceAdd(model) {
  const bars = model.rows.flatMap((row) => row.bars.map((bar) => ({ row, bar })));
  const compared = model.rows.some((row) => row.comparison);
  if (!compared) return;
  const section = sectionAdd('glance', 'At a glance');
  section.append(
    element(
      'div',
      { class: 'tiles' },
      bars.length ? boundsTile(bars) : null,
      ratioTile(model),
      figureTile(model, 'Memory per allocation', 'rss_bytes_per_allocation', format.bytes),
      figureTile(model, 'Allocations per second', 'allocations_per_s', format.rate),
      figureTile(model, 'Packets of a call lost under attack', 'victim_lost', format.count),
    ),
  );
  ratioPlots(section, model);
  if (bars.length) boundsAdd(section, bars);
}

// --- results that stand alone ---------------------------------------------------------------------------------------------------

// The tiles of one result. `figure` names what is missing, where it is.
function loadTiles(result, add) {
  const { cpu, memory, latency, packets } = result;
  const lost = known(packets?.lost, (count) => `${format.count(count)} of ${known(packets?.sent, format.count)} packets`, '');
  add(
    'Delivered',
    'delivered_per_s',
    format.rate,
    known(result.goodput_bit_per_s, (bits) => `${format.bits(bits)} of payload`, ''),
  );
  add('Lost', 'loss', format.share, lost);
  add(
    'Latency p50',
    'latency_p50_us',
    format.us,
    known(latency?.mean_us, (mean) => `mean ${format.us(mean)}`, ''),
  );
  add(
    'Latency p99',
    'latency_p99_us',
    format.us,
    known(latency?.p99_9_us, (us) => `p99.9 ${format.us(us)}`, ''),
  );
  const busy = known(cpu?.busy, (share) => `its cores ${format.share(share)} busy`, '');
  add("Server's run time per packet", 'run_ns_per_packet', (ns) => `${format.ns(ns)}\u00a0ns`, busy);
  add('System calls per packet', 'system_calls_per_packet', plain);
  const before = known(memory?.rss_before_bytes, (bytes) => `${format.bytes(bytes)} before`, '');
  add("Memory with the load's allocations", 'rss_held_bytes', format.bytes, before);
}

function allocateTiles(result, add) {
  const all = known(result.rss_held_bytes, (bytes) => `${format.bytes(bytes)} with all held`, '');
  add('Allocations per second', 'allocations_per_s', format.rate);
  add(
    'Memory per allocation',
    'rss_bytes_per_allocation',
    format.bytes,
    known(result.held, (count) => `${format.count(count)} held`, ''),
  );
  add('Memory when idle', 'rss_idle_bytes', format.bytes, all);
  add('Run time per allocation', 'run_ns_per_allocation', (ns) => `${format.ns(ns)}\u00a0ns`);
}

function connectTiles(result, add) {
  const all = known(result.rss_held_bytes, (bytes) => `${format.bytes(bytes)} with all held`, '');
  add('Connections per second', 'connections_per_s', format.rate);
  const held = known(result.held, (count) => `${format.count(count)} held`, '');
  add('Memory per idle connection', 'rss_bytes_per_connection', format.bytes, held);
  add('Memory before them', 'rss_idle_bytes', format.bytes, all);
  add('Run time per connection', 'run_ns_per_connection', (ns) => `${format.ns(ns)}\u00a0ns`);
}

function handshakesTiles(result, add) {
  const made = (part) => known(part?.done, (count) => `${format.count(count)} made, ${known(part.per_s, format.rate, '–')}`, '');
  add('Full handshakes of one core', 'handshakes_per_core_s', format.rate, made(result.full));
  add('Resumed ones', 'resumed_per_core_s', format.rate, made(result.resumed));
  if (result.call) {
    const ratio = known(result.call.p99_ratio, (value) => `p99 ${format.ratio(value)} as long as before`, '');
    add('Lost of a call beside them', 'victim_lost', format.count, ratio);
  }
}

function attackTiles(result) {
  return list(result.attacks).map((attack) => {
    const lost = known(attack.lost, format.count);
    return tile(
      `Lost under attack: ${attack.name}`,
      lost,
      known(attack.p99_ratio, (ratio) => `p99 ${format.ratio(ratio)} as long as before`, ''),
    );
  });
}

function resultTiles(row, result) {
  const tiles = [];
  const entry = { rounds: [result], why: null };
  const add = (what, figure, how, ...more) => {
    const value = number(FIGURES[figure](result));
    if (value !== null) tiles.push(tile(what, how(value), ...more));
    else tiles.push(tile(what, element('span', { class: 'missing' }, 'not measured'), whyMissing(entry, figure)));
  };
  if (carries(row)) loadTiles(result, add);
  if (row.kind === 'allocate') allocateTiles(result, add);
  if (row.kind === 'connect') connectTiles(result, add);
  if (row.kind === 'handshakes') handshakesTiles(result, add);
  if (row.kind === 'find-max') {
    const words = `${text(result.unit) ?? ''}${result.at_least === true ? ' (the loader was the limit)' : ''}`;
    add(result.at_least === true ? 'Largest load: at least' : 'Largest load', 'found', format.count, words);
  }
  return [...tiles, ...attackTiles(result)];
}

function resultsAdd(model) {
  const rows = model.rows.filter((row) => !row.comparison);
  if (rows.length === 0) return;
  const section = sectionAdd('results', 'Results');
  for (const row of rows) {
    for (const entry of row.entries) {
      for (const result of entry.rounds) {
        const seconds = known(result.seconds, (s) => `${plain(s)} s measured`, null);
        const setup = known(result.setup_s, (s) => `set up in ${format.seconds(s)}`, null);
        section.append(
          element('h3', {}, `${row.label}: ${entry.server}`),
          element(
            'p',
            { class: 'note' },
            [row.title, seconds, setup, result.interrupted === true ? 'interrupted' : null].filter(Boolean).join(' · '),
          ),
          element('div', { class: 'tiles' }, resultTiles(row, result)),
        );
      }
    }
  }
}
