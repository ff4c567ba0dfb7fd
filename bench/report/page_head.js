'use strict';
// The head: what was measured, when, on what and how, and what to know before believing it.

function fact(name, ...content) {
  return [element('dt', {}, name), element('dd', {}, content)];
}

function when(created) {
  const time = new Date(created ?? NaN);
  if (Number.isNaN(time.getTime())) return text(created) ?? 'at an unknown time';
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function machineWords(machine) {
  const parts = [
    text(machine.processor),
    known(machine.cores, (n) => plural(n, 'core'), null),
    known(machine.memory_bytes, (n) => `${format.bytes(n)} of memory`, null),
  ];
  return parts.filter(Boolean).join(', ') || 'not recorded';
}

function kernelWords(machine) {
  const parts = [
    text(machine.kernel),
    text(machine.distribution),
    text(machine.clock_source) && `clock source ${machine.clock_source}`,
    known(machine.load_average, (n) => `load average ${plain(n)} before the run`, null),
  ];
  if (typeof machine.irq_time_accounting === 'boolean')
    parts.push(`interrupt time accounting ${machine.irq_time_accounting ? 'on' : 'off'}`);
  return parts.filter(Boolean).join(' · ') || 'not recorded';
}

function commandWords(command) {
  const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return Array.isArray(command) && command.length ? command.map((word) => quoted(String(word))).join(' ') : 'not recorded';
}

function range(all) {
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return least === most ? plain(least) : `${plain(least)} to ${plain(most)}`;
}

function documentFacts(model, source) {
  const { data, machine } = source;
  const rows = model.rows.filter((row) => row.document === source && row.comparison);
  const rounds = [...new Set(rows.map((row) => number(row.comparison.rounds)).filter((n) => n !== null))];
  const seconds = [...new Set(rows.map((row) => number(row.comparison.seconds)).filter((n) => n !== null))].sort((a, b) => a - b);
  const netns = new Set(rows.map((row) => row.comparison.netns));
  const how = [];
  if (rounds.length) how.push(`${range(rounds)} that count, after one that is thrown away`);
  if (seconds.length) how.push(`windows of ${range(seconds)} s`);
  if (netns.has(true)) how.push('over a veth pair between two network namespaces');
  else if (netns.has(false)) how.push('over loopback');
  return element(
    'dl',
    { class: 'facts' },
    fact('Measured', when(text(data.created))),
    fact('Machine', machineWords(machine)),
    fact('Kernel', kernelWords(machine)),
    how.length ? fact('Rounds', how.join(', ')) : null,
    fact('Command', element('code', {}, commandWords(data.command))),
    fact(
      'Tool',
      `uturn-bench ${text(data.version) ?? '(version not recorded)'}${number(data.seed) === null ? '' : `, seed ${data.seed}`}`,
    ),
  );
}

function serverFacts(model) {
  const words = (server) => [...model.versions.get(server)].join(' / ') || 'version not known';
  const items = model.servers.map((server) => [
    serverName(server),
    element('span', { class: 'muted' }, ` – ${words(server)}`),
    element('br'),
  ]);
  return element('dl', { class: 'facts' }, fact('Servers', items));
}

// The workloads behind the short names, with what calibration found.
function workloadTable(model) {
  const load = (row) => {
    const found = row.comparison?.calibration;
    if (!found) return '–';
    const amount =
      number(found.calls) !== null ? plural(found.calls, 'call') : known(found.rate_per_s, format.rate, 'unknown load');
    const share =
      number(found.busy) === null ? '' : `, which kept ${text(found.server) ?? 'the reference'} ${format.share(found.busy)} busy`;
    return `${amount}${share}${found.loader_bound === true ? " (the loader's limit)" : ''}`;
  };
  const way = (row) => (row.comparison ? (row.comparison.netns === true ? 'veth' : 'loopback') : '–');
  const rounds = (row) =>
    row.comparison ? known(row.comparison.rounds, (n) => `${n} × ${known(row.comparison.seconds, plain, '?')} s`, '–') : '–';
  return table(
    [
      { text: 'Workload', name: true },
      { text: 'What it is', words: true },
      { text: 'Calibrated load' },
      { text: 'Over' },
      { text: 'Rounds' },
    ],
    model.rows.map((row) => [row.label, row.title, load(row), way(row), rounds(row)]),
  );
}

function interruptedWarnings(model) {
  const names = model.rows.filter((row) => row.interrupted).map((row) => row.label);
  const failures = model.rows.map((row) => text(row.comparison?.failure)).filter((line) => line);
  const warnings = failures.map((line) => `The run failed: ${line}`);
  return names.length ? [`Interrupted: ${joined(names)}. What was measured until then is shown.`, ...warnings] : warnings;
}

function loaderWarnings(model) {
  const bound = model.rows.filter((row) => row.entries.some((entry) => entry.loaderBound > 0));
  if (bound.length === 0) return [];
  const one = (row) =>
    `${row.label} (${joined(
      row.entries
        .filter((entry) => entry.loaderBound > 0)
        .map((entry) =>
          entry.rounds.length > 1
            ? `${entry.server}: ${entry.loaderBound} of ${plural(entry.rounds.length, 'round')}`
            : entry.server,
        ),
    )})`;
  return [
    `The loader's own cores were the limit, not the server's, in ${bound.map(one).join('; ')}. ` +
      'Packets per second are "at least" there (marked *); run time per packet still holds.',
  ];
}

function machineWarnings(model) {
  const warnings = [];
  const machines = model.documents.map(({ machine }) => machine);
  const busy = machines.filter(({ load_average: load, cores }) => number(load) !== null && load > 0.5 * (number(cores) ?? 1));
  const loads = busy.map((machine) => plain(machine.load_average)).join(', ');
  if (busy.length)
    warnings.push(`The machine was busy with something else before the run (load average ${loads}): expect more spread.`);
  if (machines.some((machine) => machine.irq_time_accounting === true)) {
    warnings.push(
      "This kernel accounts interrupt time apart (IRQ_TIME_ACCOUNTING): a server's run time leaves out its softirq work there. " +
        "Look at the cores' split beside it.",
    );
  }
  const kinds = new Set(machines.map(({ kernel, processor, cores }) => JSON.stringify([kernel, processor, cores])));
  if (kinds.size > 1) {
    warnings.push('The documents come from different machines or kernels: compare ratios between them, not absolute numbers.');
  }
  return warnings;
}

function packetWarnings(model) {
  const rows = model.rows.filter(carries);
  const isSilent = (entry) => figureOf(entry, 'delivered_per_s') === 0;
  const silent = rows.flatMap((row) => row.entries.filter(isSilent).map((entry) => `${entry.server} in ${row.label}`));
  const isCorrupted = (entry) => sumOf(entry, (result) => result.packets?.corrupted) > 0;
  const corrupted = rows.filter((row) => row.entries.some(isCorrupted)).map((row) => row.label);
  const warnings = [];
  if (silent.length) warnings.push(`Not a single packet arrived through ${joined(silent)}.`);
  if (corrupted.length) {
    warnings.push(`Packets arrived with damaged contents in ${joined(corrupted)}: see "What became of the packets".`);
  }
  return warnings;
}

function calibrationWarnings(model) {
  const bound = model.rows.filter((row) => row.comparison?.calibration?.loader_bound === true).map((row) => row.label);
  if (bound.length === 0) return [];
  return [
    `Calibration met the loader's limit before it loaded the server as intended in ${joined(bound)}: ` +
      'the load is as large as the loader could make it.',
  ];
}

function absentWarnings(model) {
  return [...model.absent].map(([server, why]) => `${server} was not measured: ${why ?? 'it is not in this run'}.`);
}

function headLead(model) {
  const workloads = new Set(model.rows.filter((row) => row.comparison).map((row) => row.name)).size;
  const relay = 'A TURN relay passes packets between a client and its peer; here';
  const shown = 'Shown is what a packet costs, how long it takes, and what is lost.';
  if (workloads === 0) return `${relay} a load was played against it. ${shown}`;
  const counts = `${plural(workloads, 'workload')} against ${plural(model.servers.length, 'server')}.`;
  const turns = 'the same load is played against each server, one after the other on the same core, over and over.';
  return `${counts} ${relay} ${turns} ${shown}`;
}

function pageTitle(model) {
  const names = [...new Set(model.rows.map((row) => row.name))];
  const one = (all, what) => (all.length === 1 ? shortened(all[0], 60) : plural(all.length, what));
  return `TURN relay benchmark: ${one(names, 'workload')}, ${one(model.servers, 'server')}`;
}

function headAdd(model) {
  const head = document.getElementById('head');
  document.title = pageTitle(model);
  head.append(element('p', { class: 'lead' }, headLead(model)));
  const warnings = [
    interruptedWarnings,
    loaderWarnings,
    calibrationWarnings,
    absentWarnings,
    packetWarnings,
    machineWarnings,
  ].flatMap((find) => find(model));
  if (warnings.length) {
    head.append(
      element(
        'div',
        { class: 'box warning' },
        element('strong', {}, 'Know before you read on'),
        element(
          'ul',
          {},
          warnings.map((words) => element('li', {}, words)),
        ),
      ),
    );
  }
  for (const source of model.documents) {
    const facts = documentFacts(model, source);
    if (model.documents.length > 1) head.append(element('h3', {}, `Document ${source.letter}`));
    head.append(facts);
  }
  head.append(serverFacts(model), folded('The workloads and their loads', workloadTable(model)));
}

// After everything else: links to the sections that there are, and the tables all at once.
function contentsAdd() {
  const sections = [...document.querySelectorAll('main > section')];
  const links = sections.map((section) => element('a', { href: `#${section.id}` }, section.querySelector('h2').textContent));
  const all = (open) => () =>
    document.querySelectorAll('details').forEach((one) => {
      one.open = open;
    });
  const button = (words, open) => {
    const made = element('button', { type: 'button' }, words);
    made.addEventListener('click', all(open));
    return made;
  };
  document
    .getElementById('head')
    .append(
      element('nav', { 'aria-label': 'Sections' }, links),
      element('div', { class: 'tables' }, button('Open all tables', true), button('Close them', false)),
    );
}
