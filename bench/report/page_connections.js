'use strict';
// Clients over TCP, TLS and DTLS: what an idle connection takes, what a handshake costs, and what a call suffers beside handshakes.

const TRANSPORTS = { tcp: 'TCP', tls: 'TLS', dtls: 'DTLS' };
const transportOf = (row) => lookUp(TRANSPORTS, row.workload.transport) ?? 'UDP';

function connectionCategories(rows) {
  return rows.map((row) => ({ name: rows.filter((one) => transportOf(one) === transportOf(row)).length > 1 ? row.label : transportOf(row) }));
}

function connectionsAdd(model) {
  const rows = model.rows.filter((row) => row.kind === 'connect');
  if (rows.length === 0) return;
  const section = sectionAdd(
    'connections',
    'Idle connections',
    "Resident memory of the server's process with all connections held, less that before, per connection. Each has shaken hands and " +
      'has had a Binding request answered; none has an allocation. What the kernel holds for its sockets is not in it.',
  );
  const grid = gridAdd(section, 320);
  const plot = (title, unit, figure, how, bar) =>
    barsAdd(grid, {
      title,
      unit,
      how,
      heading: 'Clients',
      categories: connectionCategories(rows),
      series: seriesOf(rows, model.servers, figure, (row, server) => ({ ...(bar ? boundOf(row, server, bar) : {}), starred: false })),
    });
  plot(
    'Memory per idle connection (less is better)',
    'resident memory per connection',
    'rss_bytes_per_connection',
    format.bytes,
    'memory_connection',
  );
  plot('Connections per second (more is better)', 'connections per second', 'connections_per_s', format.rate);
  plot('Run time per connection (less is better)', 'nanoseconds per connection', 'run_ns_per_connection', format.ns);
}

// Medians of the rounds of what became of the call.
function besideOf(entry) {
  const calls = entry.rounds.map((result) => result.call).filter((call) => call);
  const of = (pick) => median(calls.map((call) => number(pick(call))).filter((value) => value !== null));
  return calls.length === 0
    ? null
    : [
        [of((call) => call.handshakes), format.count],
        [of((call) => call.before?.latency?.p99_us), format.us],
        [of((call) => call.during?.latency?.p99_us), format.us],
        [of((call) => call.p99_ratio), format.ratio],
        [of((call) => call.lost), format.count],
        [of((call) => call.during?.packets?.sent), format.count],
      ];
}

function besideTable(row, servers) {
  const columns = ['Handshakes beside it', 'p99 before', 'p99 during', 'During ÷ before', 'Lost', 'Of sent'].map((words) => ({
    text: words,
    number: true,
  }));
  const lines = servers.map((server) => [server, besideOf(entryOf(row, server))]).filter(([, found]) => found);
  if (lines.length === 0) return null;
  return table(
    [{ text: 'Server' }, ...columns],
    lines.map(([server, found]) => [
      serverName(server),
      ...found.map(([value, how]) => (value === null ? { missing: 'no packet of the call arrived' } : { text: how(value) })),
    ]),
  );
}

function handshakesAdd(model) {
  const rows = model.rows.filter((row) => row.kind === 'handshakes');
  if (rows.length === 0) return;
  const section = sectionAdd(
    'handshakes',
    'Handshakes',
    "How many a core of the server's could make in a second, as its run time per handshake tells; the connection, a Binding request " +
      'and the end are in it. Then a call over UDP, alone and beside full handshakes.',
  );
  for (const row of rows) {
    const servers = model.servers.filter((server) => entryOf(row, server));
    if (rows.length > 1) section.append(element('h3', {}, row.wide));
    else section.append(element('p', { class: 'note' }, row.title));
    const grid = gridAdd(section, 480);
    const states = [
      ['handshakes_per_core_s', 'full'],
      ['resumed_per_core_s', 'resumed'],
    ];
    const parts = states.map(([figure]) => seriesOf([row], model.servers, figure, () => ({ starred: false })));
    barsAdd(grid, {
      title: 'Handshakes per second of one core (more is better)',
      unit: 'handshakes per second',
      how: format.rate,
      heading: 'Handshakes',
      categories: states.map(([, name]) => ({ name })),
      series: model.servers.map((server, i) => ({ server, cells: parts.map((part) => part[i].cells[0]) })),
    });
    const beside = besideTable(row, servers);
    if (beside) section.append(beside);
  }
}
