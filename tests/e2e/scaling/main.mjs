// Several relays behind one address: one is added, one is drained, one is killed, with calls under way. Calls are Chromium's, with Janus's
// echo, and counted flows of uturn-bench. At the end a table tells what each call lost.
//
//	tests/e2e/in-namespace node tests/e2e/scaling/main.mjs [--binary FILE] [--bench FILE]

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { makeCertificates } from '../certificates.mjs';
import { Client } from '../cluster/client.mjs';
import { Janus } from '../cluster/janus.mjs';
import { Namespace, connect, setNames } from '../cluster/namespace.mjs';
import { report, within } from '../cluster/report.mjs';
import { Service } from '../cluster/service.mjs';
import { Relay, credentials, dropSeries, grown, podConfig, sleep, until } from '../relay.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const LIMIT_MS = 60_000;
const PHASE_MS = 4000; // how long calls are watched after each change
const BACK_MS = 20_000; // "within seconds": browsers take five to find out that nothing comes
const SILENCE_MS = 8000; // after a restart, until an application gives up
const PUBLIC = '198.51.100.1';
const JANUS = '10.244.9.2';
const relays = { one: '10.244.1.2', two: '10.244.2.2', three: '10.244.3.2' };
const clients = { east: '203.0.113.2', west: '203.0.113.6', crowd: '203.0.113.10' };
const ECHO = { audio: true, video: true };

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: join(here, '../../../build/uturn') },
    bench: { type: 'string', default: join(here, '../../../build/uturn-bench') },
  },
});

// Every pod and every client has a cable to the host, which is the node with its kube-proxy.
async function build() {
  const host = Namespace.own();
  host.run('ip', 'address', 'add', `${PUBLIC}/32`, 'dev', 'lo');
  const places = { host };
  for (const [name, address] of Object.entries({ ...relays, janus: JANUS, ...clients })) {
    const gateway = address.replace(/\d+$/, (last) => last - 1);
    places[name] = await Namespace.make();
    connect([host, name, `${gateway}/30`], [places[name], 'eth0', `${address}/30`]);
    places[name].route('default', gateway);
  }
  host.setFirewall(`
    table ip pods {
      chain forward {
        type filter hook forward priority filter; policy accept;
        ip daddr ${JANUS} udp dport 0-65535 ip saddr != { ${Object.values(relays).join(', ')} } drop
      }
    }`);
  return places;
}

// --- what is looked at -------------------------------------------------------------------------------------------------------

class Call {
  constructor(name, page, relay) {
    Object.assign(this, { name, page, relay, rows: [] });
  }

  // What has come, and what has not, since the last mark.
  async mark(phase) {
    const stats = await this.page.stats('echo');
    const last = this.last ?? { packets: 0, lost: 0, frames: [0] };
    const row = { phase, packets: stats.packets - last.packets, lost: stats.lost - last.lost, frames: stats.frames[0] - last.frames[0] };
    if (phase) this.rows.push(row);
    this.last = stats;
    return row;
  }
}

async function startCall(client, name, relay, server) {
  const page = await client.newPage();
  await page.open({ server, iceServers: [{ urls: `turn:${PUBLIC}:3478?transport=udp`, ...credentials }], iceTransportPolicy: 'relay' });
  await within(LIMIT_MS, `${name} connects`, page.echo('echo'));
  await until(LIMIT_MS, `${name} sees pictures`, async () => (await page.stats('echo')).frames[0] > 10);
  await page.restartWhenLost('echo', ECHO);
  const call = new Call(name, page, relay);
  await call.mark();
  return call;
}

// A phase in which no call may notice anything.
async function quietPhase(phase, calls, relay) {
  const before = await relay.metrics();
  await sleep(PHASE_MS);
  for (const call of calls) {
    const { packets, lost, frames } = await call.mark(phase);
    assert.ok(packets > 20 * (PHASE_MS / 1000) && frames > 10, `${call.name}: ${packets} packets, ${frames} frames`);
    // The counted calls say exactly what the relay loses; a browser on a busy machine may overlook a packet of its own.
    assert.ok(lost <= packets / 50, `${call.name} lost ${lost} of ${packets} packets`);
    assert.equal((await call.page.state('echo')).restarts, 0, `restarts of ${call.name}`);
  }
  const after = await relay.metrics();
  assert.deepEqual(grown(before, after, dropSeries(after)), [], 'drop counters of the relay');
}

// Twenty calls of fifty packets a second and direction, counted to the last packet.
class Counted {
  constructor(place, directory) {
    this.file = join(directory, 'counted.json');
    const command = ['flood', '--flows=20', '--burst=1', '--size=200', '--rate=2000', '--direction=both', '--seconds=300', '-t', `${PUBLIC}:3478`,
      '-u', credentials.username, '-p', credentials.credential, '-o', this.file];
    this.process = place.spawn([resolve(options.bench), ...command], { stdio: ['ignore', 'ignore', 'inherit'] });
    this.ended = new Promise((done) => this.process.on('exit', done));
  }

  // It ends the measurement early, with what there is.
  async stop() {
    this.process.kill('SIGINT');
    await this.ended;
    const [{ packets }] = JSON.parse(readFileSync(this.file, 'utf8')).results;
    return packets;
  }
}

function printTable(calls, counted) {
  const rows = [['call', 'relay', 'phase', 'packets', 'lost', 'frames', 'remarks']];
  for (const call of calls) {
    for (const { phase, packets, lost, frames, remark = '' } of call.rows) {
      rows.push([call.name, call.relay, phase, packets, lost, frames, remark]);
    }
  }
  rows.push(['20 counted', 'one', 'added, drained', counted.delivered, counted.lost, '', `${counted.sent} sent`]);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  for (const row of rows) console.log(`  ${row.map((cell, column) => String(cell).padEnd(widths[column])).join('  ').trimEnd()}`);
}

// --- the phases --------------------------------------------------------------------------------------------------------------

async function testAdded({ service, start, east, counting, server }) {
  const one = await start('one');
  service.add('one', relays.one);
  const calls = [await startCall(east, 'east 1', 'one', server), await startCall(east, 'east 2', 'one', server)];
  const allocations = async () => (await one.metrics()).uturn_allocations_total;
  const before = await allocations();
  const counted = counting();
  await until(LIMIT_MS, 'twenty more allocations', async () => await allocations() >= before + 20);
  for (const call of calls) await call.mark();
  const two = await start('two');
  service.add('two', relays.two);
  await quietPhase('added', calls, one);
  return { one, two, calls, counted };
}

async function testDrained({ service, west, server }, { one, two, calls, counted }) {
  one.process.kill('SIGTERM');
  service.takeOut('one');
  await quietPhase('drained', calls, one);
  assert.ok(await one.isReady(), 'the relay that drains stays ready: kube-proxy cuts the flows of an endpoint that is not');
  const later = [await startCall(west, 'west 1', 'two', server), await startCall(west, 'west 2', 'two', server)];
  assert.ok((await two.metrics()).uturn_allocations >= 2, 'new calls go to the other relay');
  const packets = await counted.stop();
  assert.equal(packets.lost, 0, 'packets that the counted calls lost');
  assert.equal(one.process.exitCode, null, 'the relay stays while there are calls');
  for (const call of calls) await call.page.end('echo');
  const status = await within(LIMIT_MS, 'the drained relay ends with its last call', one.ended);
  assert.equal(status, 0, 'exit status of the drained relay');
  return { later, packets };
}

const inSeconds = (ms) => `${(ms / 1000).toFixed(1)} s`;

const picturesAgain = (limitMs, call, frames) =>
  until(limitMs, `${call.name} sees pictures again`, async () => (await call.page.stats('echo')).frames[0] > frames + 5);

// The connection is back by an ICE restart. Sometimes libnice 0.1.21, in Janus, goes on sending to the relayed address that is gone: nothing comes
// from Janus, and an application calls anew.
async function comesBack(call, killed) {
  const { frames: [frames] } = await call.page.stats('echo');
  const state = await until(LIMIT_MS, `${call.name} is connected again`, async () => {
    const now = await call.page.state('echo');
    return now.times.back && now;
  });
  call.back = Date.now() - killed;
  let way = 'pictures';
  await picturesAgain(SILENCE_MS, call, frames).catch(async () => {
    way = 'Janus stayed with the old address, pictures by a new call';
    await call.page.end('echo');
    await within(LIMIT_MS, `${call.name} calls anew`, call.page.echo('echo'));
    await picturesAgain(LIMIT_MS, call, 0);
    call.last = undefined;
  });
  const row = await call.mark('killed');
  const took = Math.round(1000 * (state.times.back - state.times.lost));
  row.remark = `connected again after ${inSeconds(call.back)}, the restart took ${took} ms of it; ${way} after ${inSeconds(Date.now() - killed)}`;
}

// The test is the kubelet and kube-proxy: it sees the process end, takes the endpoint away and forgets its flows.
async function testKilled({ service, start }, two, calls) {
  const three = await start('three');
  service.add('three', relays.three);
  for (const call of calls) await call.mark('before the kill');
  const killed = Date.now();
  two.process.kill('SIGKILL');
  await two.ended;
  service.forget('two');
  await Promise.all(calls.map((call) => comesBack(call, killed)));
  for (const call of calls) assert.ok(call.back < BACK_MS, `${call.name} was back after ${call.back} ms`);
  assert.ok((await three.metrics()).uturn_allocations >= calls.length, 'they are on the relay that is left');
  return `all are connected again after ${inSeconds(Math.max(...calls.map(({ back }) => back)))} at most`;
}

async function run(directory) {
  const places = await build();
  setNames({ 'janus.example.test': JANUS });
  const certificates = makeCertificates(directory, `DNS:janus.example.test,IP:${JANUS}`);
  const janus = await Janus.start(places.janus, JANUS, certificates);
  const started = [];
  const start = async (name) => {
    const peers = [`${JANUS}:<10000-12000>`, clients.crowd];
    const relay = await Relay.start(resolve(options.binary), podConfig(relays[name], peers, certificates), places[name]);
    started.push(relay);
    return relay;
  };
  const [east, west] = await Promise.all(['east', 'west'].map((name) => Client.start(places[name], certificates)));
  const world = {
    service: new Service(places.host, PUBLIC, 3478), start, east, west, server: 'https://janus.example.test:8089/janus',
    counting: () => new Counted(places.crowd, directory),
  };
  const evidence = () => [...east.problems, ...west.problems, janus.readLog(), ...started.map((relay) => relay.readLog())].join('\n');
  let added;
  let drained;
  await report('a relay is added: no call notices', async () => {
    added = await testAdded(world);
    return '2 calls in browsers, 20 counted';
  }, evidence);
  if (!added) return;
  await report('a relay is drained: it keeps its calls, new ones go elsewhere, and it ends with the last', async () => {
    drained = await testDrained(world, added);
    return 'exit status 0';
  }, evidence);
  if (!drained) return;
  await report('a relay is killed: its calls come back by ICE restart', () => testKilled(world, added.two, drained.later), evidence);
  printTable([...added.calls, ...drained.later], drained.packets);
}

const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-scaling-'));
try {
  await run(directory);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
