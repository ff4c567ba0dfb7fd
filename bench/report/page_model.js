'use strict';
// The documents (bench/FORMAT.md) as rows: a row is one workload with an entry for every server that it ran against. Comparisons are
// rows as they are; single results of the same workload come together in one.

function largest(all) {
  const there = all.filter((value) => number(value) !== null);
  return there.length ? Math.max(...there) : null;
}

// How a figure is read from one RESULT.
const FIGURES = {
  run_ns_per_packet: (result) => result.cpu?.run_ns_per_packet,
  delivered_per_s: (result) => result.delivered_per_s,
  offered_per_s: (result) => result.offered_per_s,
  goodput_bit_per_s: (result) => result.goodput_bit_per_s,
  loss: (result) => result.loss,
  latency_p50_us: (result) => result.latency?.p50_us,
  latency_p90_us: (result) => result.latency?.p90_us,
  latency_p99_us: (result) => result.latency?.p99_us,
  latency_p99_9_us: (result) => result.latency?.p99_9_us,
  latency_max_us: (result) => result.latency?.max_us,
  jitter_p99_us: (result) => result.jitter?.p99_us,
  lateness_p99_us: (result) => result.lateness?.p99_us,
  system_calls_per_packet: (result) => result.system_calls?.per_packet,
  busy: (result) => result.cpu?.busy ?? result.busy,
  loader_busy: (result) => result.loader?.busy,
  rss_before_bytes: (result) => result.memory?.rss_before_bytes,
  rss_held_bytes: (result) => result.rss_held_bytes ?? result.memory?.rss_held_bytes,
  rss_bytes: (result) => result.memory?.rss_bytes,
  rss_peak_bytes: (result) => result.memory?.rss_peak_bytes,
  rss_idle_bytes: (result) => result.rss_idle_bytes,
  rss_after_bytes: (result) => result.rss_after_bytes,
  rss_bytes_per_allocation: (result) => result.rss_bytes_per_allocation,
  allocations_per_s: (result) => result.allocations_per_s,
  run_ns_per_allocation: (result) => result.run_ns_per_allocation,
  connections_per_s: (result) => result.connections_per_s,
  run_ns_per_connection: (result) => result.run_ns_per_connection,
  rss_bytes_per_connection: (result) => result.rss_bytes_per_connection,
  handshakes_per_core_s: (result) => result.full?.per_core_s,
  resumed_per_core_s: (result) => (result.resumed?.resumed === result.resumed?.done ? result.resumed?.per_core_s : null),
  found: (result) => result.found,
  victim_lost: (result) => result.call?.lost ?? largest(list(result.attacks).map((attack) => attack.lost)),
  victim_p99_ratio: (result) => result.call?.p99_ratio ?? largest(list(result.attacks).map((attack) => attack.p99_ratio)),
};

const NO_ROUND = 'no round of it was completed';
const NO_PROCESS = "the server's process was not known to the tool: --server-pid names it, where it runs on the same machine";

function values(entry, figure) {
  return entry.rounds.map((result) => number(FIGURES[figure](result))).filter((value) => value !== null);
}

// The document's own median where it has one, else that of the rounds.
function figureOf(entry, figure) {
  if (entry.median && figure in entry.median) return number(entry.median[figure]);
  return median(values(entry, figure));
}

function spreadOf(entry, figure) {
  const all = values(entry, figure);
  return all.length < 2 ? { low: null, high: null } : { low: Math.min(...all), high: Math.max(...all) };
}

function whyMissing(entry, figure) {
  if (entry.rounds.length === 0) return entry.why ?? NO_ROUND;
  if (figure === 'system_calls_per_packet') {
    const reasons = new Set(entry.rounds.map((result) => text(result.system_calls?.why)).filter((why) => why));
    return [...reasons].join('; ') || 'system calls were not counted';
  }
  if (figure === 'run_ns_per_packet' && entry.rounds.some((result) => result.cpu)) return 'no packet arrived';
  if (figure === 'resumed_per_core_s' && entry.rounds.some((result) => number(result.resumed?.per_core_s) !== null))
    return 'the server did not resume all of them';
  if (/^(run_|rss_|busy)|_per_core_s$/.test(figure)) return NO_PROCESS;
  if (/latency|jitter/.test(figure)) return 'no packet arrived';
  if (figure === 'lateness_p99_us') return 'in closed loop no packet has a time at which it is due';
  return 'the document does not hold it';
}

// Percentile → median over the rounds, ascending.
function percentilesOf(rounds, pick) {
  const found = new Map();
  for (const result of rounds) {
    const points = pick(result)?.percentiles;
    for (const point of Array.isArray(points) ? points : []) {
      if (!Array.isArray(point) || number(point[0]) === null || number(point[1]) === null) continue;
      if (!found.has(point[0])) found.set(point[0], []);
      found.get(point[0]).push(point[1]);
    }
  }
  return [...found].map(([percent, all]) => ({ percent, us: median(all) })).sort((a, b) => a.percent - b.percent);
}

function sumOf(entry, pick) {
  const all = entry.rounds.map((result) => number(pick(result))).filter((value) => value !== null);
  return all.length ? all.reduce((a, b) => a + b, 0) : null;
}

const DIRECTIONS = { up: 'client to peer', down: 'peer to client', both: 'both directions' };

// What a workload is when it has no title: said from its parameters.
function describe(kind, workload) {
  const parts = [];
  const add = (value, words) => {
    if (number(value) !== null) parts.push(words(value));
  };
  const direction = lookUp(DIRECTIONS, workload.direction);
  if (direction) parts.push(direction);
  add(workload.calls, (n) => plural(n, 'call'));
  add(workload.flows, (n) => plural(n, 'flow'));
  if (number(workload.size) !== null)
    parts.push(`${number(workload.burst) > 1 ? `bursts of ${workload.burst} × ` : ''}${format.count(workload.size)} B`);
  add(workload.held, (n) => `${plural(n, kind === 'connect' ? 'idle connection' : 'allocation')} held`);
  add(workload.count, (n) => `up to ${format.count(n)} of each kind`);
  const transport = lookUp({ tcp: 'TCP', tls: 'TLS', dtls: 'DTLS' }, workload.transport);
  if (transport) parts.push(`clients over ${transport}`);
  add(workload.parallel, (n) => `${n} at a time`);
  if (workload.indications === true) parts.push('in indications');
  if (workload.gso === true) parts.push('GRO aggregates');
  const captures = Array.isArray(workload.captures) ? workload.captures.filter((name) => text(name)) : [];
  if (captures.length) parts.push(`of ${joined(captures.map((path) => path.split('/').pop()))}`);
  if (kind !== 'find-max') add(workload.rate_per_s, (rate) => (rate > 0 ? `paced at ${format.rate(rate)}` : 'closed loop'));
  add(workload.window, (n) => `${n} packets under way per flow`);
  return `${kind}${parts.length ? ': ' : ''}${parts.join(', ')}`;
}

// In closed loop a packet waits behind the others of its window: latency is the load's own queue there.
function isPaced(row) {
  if (row.kind === 'replay') return true;
  return number(row.workload.rate_per_s) > 0 || number(row.comparison?.calibration?.rate_per_s) > 0;
}

function serverLabel(server) {
  if (text(server?.name)) return server.name;
  return text(server?.address) ? `server at ${server.address}` : 'the server';
}

function comparisonRow(source, comparison) {
  const workload = comparison.workload ?? {};
  const entries = list(comparison.servers).map((server) => ({
    server: serverLabel(server),
    version: text(server.version),
    rounds: list(server.results),
    median: server.median ?? null,
    ratio: server.ratio ?? null,
    loaderBound: number(server.loader_bound_rounds) ?? list(server.results).filter((result) => result.loader_bound === true).length,
    why: text(server.why),
  }));
  const kind =
    entries
      .flatMap((entry) => entry.rounds)
      .map((result) => text(result.kind))
      .find((name) => name) ?? (number(workload.held) !== null ? 'allocate' : 'flood');
  return {
    document: source,
    comparison,
    kind,
    workload,
    entries,
    name: text(workload.name) ?? kind,
    title: text(workload.title) ?? describe(kind, workload),
    reference: text(comparison.reference),
    bars: list(comparison.bars),
    interrupted: comparison.interrupted === true,
  };
}

// Puts a single result into the row of its workload: as another round of its server where that is of the same document, else as a
// server more.
function resultAdd(rows, source, result) {
  const kind = text(result.kind) ?? 'flood';
  const workload = result.workload ?? {};
  const identity = JSON.stringify([kind, workload]);
  const server = serverLabel(result.server);
  const fits = (row) =>
    row.identity === identity && !row.entries.some((entry) => entry.server === server && entry.document !== source);
  let row = rows.find(fits);
  if (!row) {
    row = {
      document: source,
      comparison: null,
      kind,
      workload,
      identity,
      entries: [],
      name: text(workload.name) ?? kind,
      title: text(workload.title) ?? describe(kind, workload),
      reference: null,
      bars: [],
      interrupted: false,
    };
    rows.push(row);
  }
  let entry = row.entries.find((one) => one.server === server);
  if (!entry) {
    entry = {
      server,
      document: source,
      version: text(result.server?.version),
      rounds: [],
      median: null,
      ratio: null,
      loaderBound: 0,
      why: null,
    };
    row.entries.push(entry);
  }
  entry.rounds.push(result);
  if (result.loader_bound === true || result.at_least === true) entry.loaderBound += 1;
  if (result.interrupted === true) row.interrupted = true;
}

// Rows of the same name are told apart by their document's letter, and by a number where even that is the same.
function labelsGive(rows) {
  for (const row of rows) {
    const same = rows.filter((other) => other.name === row.name);
    const together = same.filter((other) => other.document === row.document);
    row.label = row.name;
    if (same.length > together.length) row.label += ` (${row.document.letter})`;
    if (together.length > 1) row.label += ` ${together.indexOf(row) + 1}`;
    row.wide = row.label === row.name ? row.title : `${row.label.slice(row.name.length).trim()} ${row.title}`;
  }
}

function roles(model) {
  const barServers = new Set(model.rows.flatMap((row) => row.bars.map((bar) => bar.server)));
  model.isOurs = (server) => barServers.has(server) || /^uturn\b/.test(server);
  model.servers.sort((a, b) => model.isOurs(b) - model.isOurs(a));
  model.ours = model.servers.filter(model.isOurs);
  const references = [...new Set(model.rows.map((row) => row.reference).filter((name) => name !== null))];
  model.peers = [...new Set([...references, ...model.servers])].filter(
    (name) => !model.isOurs(name) && model.servers.includes(name),
  );
  if (model.ours.length === 0) {
    model.peers = references;
    model.ours = model.servers.filter((name) => !references.includes(name));
  }
}

function modelBuild(documents) {
  const model = { documents: [], rows: [], servers: [], versions: new Map(), absent: new Map() };
  const single = [];
  documents.forEach((data, i) => {
    const source = { data, machine: data.machine ?? {}, letter: i < 26 ? String.fromCharCode(65 + i) : String(i + 1) };
    model.documents.push(source);
    list(data.comparisons).forEach((comparison) => model.rows.push(comparisonRow(source, comparison)));
    list(data.results).forEach((result) => resultAdd(single, source, result));
  });
  // Workloads of several documents stand side by side, in the order of the first.
  const order = [...new Set(model.rows.map((row) => row.name))];
  model.rows.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  model.rows.push(...single);
  labelsGive(model.rows);
  for (const row of model.rows) {
    for (const entry of row.entries) {
      if (entry.rounds.length === 0) {
        if (!model.absent.has(entry.server)) model.absent.set(entry.server, entry.why ?? NO_ROUND);
        continue;
      }
      if (!model.servers.includes(entry.server)) model.servers.push(entry.server);
      const versions = model.versions.get(entry.server) ?? new Set();
      if (entry.version) versions.add(entry.version);
      model.versions.set(entry.server, versions);
    }
    for (const bar of row.bars) {
      for (const name of [bar.server, bar.reference]) {
        if (text(name) && !row.entries.some((entry) => entry.server === name) && !model.absent.has(name))
          model.absent.set(name, null);
      }
    }
  }
  for (const server of model.servers) model.absent.delete(server);
  roles(model);
  return model;
}

const entryOf = (row, server) => row.entries.find((entry) => entry.server === server && entry.rounds.length > 0);

// Each round of `server` beside the same round of `reference`: reference ÷ server.
function roundRatios(row, server, reference, figure) {
  const [own, other] = [entryOf(row, server), entryOf(row, reference)];
  if (!own || !other || own.rounds.length !== other.rounds.length) return [];
  return own.rounds
    .map((result, i) => {
      const [a, b] = [number(FIGURES[figure](result)), number(FIGURES[figure](other.rounds[i]))];
      return a && b !== null ? b / a : null;
    })
    .filter((value) => value !== null);
}

// The ratio of run times as a plot's cell: the document's own where it has one, else from the rounds. Null: does not belong into the
// plot.
function runTimeRatio(row, server, reference) {
  const bar = row.bars.find((one) => one.figure === 'run_time' && one.server === server && one.reference === reference);
  const [own, other] = [entryOf(row, server), entryOf(row, reference)];
  if (!bar && (!own || !other)) return null;
  const bound = { bound: number(bar?.bound), atLeast: true, met: bar?.met ?? null };
  const given = row.reference === reference ? own?.ratio?.run_time : null;
  const ratios = roundRatios(row, server, reference, 'run_ns_per_packet');
  const value = number(bar?.value) ?? number(given?.median) ?? median(ratios);
  if (value === null) {
    const entry = !own || figureOf(own, 'run_ns_per_packet') === null ? [own, server] : [other, reference];
    const why = entry[0] ? whyMissing(entry[0], 'run_ns_per_packet') : `${entry[1]} did not run in this workload`;
    return bar || row.kind === 'flood' || row.kind === 'replay' ? { value: null, missing: text(bar?.why) ?? why, ...bound } : null;
  }
  return {
    value,
    low: number(given?.low) ?? (ratios.length > 1 ? Math.min(...ratios) : null),
    high: number(given?.high) ?? (ratios.length > 1 ? Math.max(...ratios) : null),
    starred: own?.loaderBound > 0 || other?.loaderBound > 0,
    ...bound,
  };
}
