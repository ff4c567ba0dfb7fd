// The Janus document's experiment, solved: a browser behind a NAT, Janus in a pod. Directly the call fails by the port change of the race;
// through the relay it is connected at once, with one published port and no change to the firewall.
//
//	tests/e2e/in-namespace node tests/e2e/janus/main.mjs [--binary FILE] [--only direct|udp|tcp|tls|refused]…

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { makeCertificates } from '../certificates.mjs';
import { Client } from '../cluster/client.mjs';
import { Janus } from '../cluster/janus.mjs';
import { setNames } from '../cluster/namespace.mjs';
import { report, within } from '../cluster/report.mjs';
import { addresses, build, hostRules } from '../cluster/topology.mjs';
import { Relay, credentials, podConfig, sleep, until } from '../relay.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const LIMIT_MS = 60_000; // for anything that a busy machine makes slow
const ADDED_DELAY_MS = 1000; // what the document's workaround costs each call, and no call may cost here
const NAMES = { 'janus.example.test': addresses.host, 'turn.example.test': addresses.host };
const SERVER = 'https://janus.example.test:8089/janus';
const ROOM = '1234';

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: join(here, '../../../build/uturn') },
    only: { type: 'string', multiple: true, default: ['direct', 'udp', 'tcp', 'tls', 'refused'] },
  },
});

const urls = {
  udp: 'turn:turn.example.test:3478?transport=udp',
  tcp: 'turn:turn.example.test:3478?transport=tcp',
  tls: 'turns:turn.example.test:443?transport=tcp',
};
const relayed = (transport, more = {}) =>
  ({ server: SERVER, iceServers: [{ urls: urls[transport], ...credentials, ...more }], iceTransportPolicy: 'relay' });
const direct = { server: SERVER, iceServers: [{ urls: `stun:${addresses.stun}:3478` }], iceTransportPolicy: 'all' };

// From both descriptions being there to the connection: what the user waits for when everything has been said.
const connectMs = ({ times }) => Math.round(1000 * (times.connected - times.described));

// --- the direct call ---------------------------------------------------------------------------------------------------------

// What the host's connection tracking made of Janus's packets to the client: [{ port, seen }].
function portChanges({ host }) {
  const table = host.run('conntrack', '-L', '-p', 'udp', '--orig-src', addresses.janus, '--orig-dst', addresses.router);
  return table.split('\n').filter(Boolean).map((line) => {
    const [, seen] = [...line.matchAll(/dport=(\d+)/g)].map(([, port]) => Number(port));
    return { port: Number(/sport=(\d+)/.exec(line)[1]), seen };
  });
}

// Janus offers, and the client checks before Janus has the answer.
async function subscribeDirectly(network, client, feed, firewall) {
  network.host.setFirewall(hostRules({ transport: 'udp', policy: 'direct', firewall }));
  network.host.run('conntrack', '-F');
  const page = await client.newPage();
  await page.open(direct);
  const outcome = await within(LIMIT_MS, 'the call', page.subscribe('direct', ROOM, [feed], { late: true })
    .then(() => 'connected', (error) => String(error.message)));
  const [changes, state] = [portChanges(network), await page.state('direct')];
  const stats = outcome === 'connected' ? await frames(page, 'direct', [1]) : null;
  await page.close();
  return { outcome, changes, state, stats };
}

function startStunServer(network) {
  const config = {
    version: 'uturn/v1', admin: { healthcheck_endpoint: 'http://192.0.2.1:8086', metrics_endpoint: '' },
    auth: { type: 'none' }, listeners: [{ name: 'stun', protocol: 'udp', port: 3478 }], clusters: [],
  };
  return Relay.start(resolve(options.binary), config, network.internet);
}

async function testDirect(network, certificates) {
  network.host.setFirewall(hostRules({ transport: 'udp', policy: 'direct' }));
  const stun = await startStunServer(network);
  const janus = await Janus.start(network.janus, addresses.janus, certificates, { stunServer: `${addresses.stun}:3478` });
  const relay = await startRelay(network, certificates, [addresses.janus]);
  const client = await Client.start(network.client, certificates);
  const evidence = () => `${client.problems.join('\n')}\n${janus.readLog()}`;
  try {
    const publisher = await client.newPage();
    await publisher.open(relayed('udp'));
    const feed = await within(LIMIT_MS, 'publishing', publisher.publish('feed', ROOM));
    await report('direct call, host as it comes: fails', async () => {
      const { outcome, changes } = await subscribeDirectly(network, client, feed, 'open');
      assert.equal(outcome, 'the connection failed');
      assert.ok(changes.length > 0, 'Janus has checked the client');
      for (const { port, seen } of changes) assert.notEqual(seen, port, 'the early check makes MASQUERADE take another port');
      return `ICE failed; ${changes.map(({ port, seen }) => `Janus sent from port ${port}, the client saw ${seen}`).join('; ')}`;
    }, evidence);
    await report('direct call, early check dropped by the host: works', async () => {
      const { outcome, changes, state, stats } = await subscribeDirectly(network, client, feed, 'drop');
      assert.equal(outcome, 'connected');
      assert.ok(changes.some(({ port, seen }) => port === seen), 'the port stays');
      return `connected in ${connectMs(state)} ms, port ${changes[0].port} seen as ${changes[0].seen}, ${stats}`;
    }, evidence);
  } finally {
    await client.close();
    await Promise.all([janus.stop(), relay.stop(), stun.stop()]);
  }
}

// --- the call through the relay ----------------------------------------------------------------------------------------------

const startRelay = (network, certificates, peers) =>
  Relay.start(resolve(options.binary), podConfig(addresses.relay, peers, certificates), network.relay);

// Waits until pictures and sound of so many others come: each of them, in more and more frames.
async function frames(page, name, [others], earlier = { frames: [], audioBytes: [] }) {
  let stats;
  await until(LIMIT_MS, `pictures and sound of ${others} at ${name}`, async () => {
    stats = await page.stats(name);
    const grows = (kind, by) => stats[kind].length === others && stats[kind].every((value, at) => value >= (earlier[kind][at] ?? 0) + by);
    return grows('frames', 10) && grows('audioBytes', 500);
  });
  return `frames decoded: ${stats.frames.join(', ')}`;
}

async function checkPath(page, name, transport) {
  const { local, protocol, remote, bytesSent, bytesReceived } = await page.stats(name);
  assert.deepEqual({ local, protocol, remote }, { local: 'relay', protocol: transport, remote: addresses.janus }, `${name}: path`);
  assert.ok(bytesSent > 1000 && bytesReceived > 1000, `${name}: ${bytesSent} bytes sent, ${bytesReceived} received`);
  const ms = connectMs(await page.state(name));
  assert.ok(ms < ADDED_DELAY_MS, `${name}: connected ${ms} ms after both descriptions were there`);
  return ms;
}

async function testEcho(client, transport) {
  const page = await client.newPage();
  await page.open(relayed(transport));
  await within(LIMIT_MS, 'the echo', page.echo('echo'));
  const pictures = await frames(page, 'echo', [1]);
  const sizes = [1, 100, 1000, 16_000];
  assert.equal(await within(LIMIT_MS, 'data', page.echoData('echo', sizes)), sizes.length);
  const ms = await checkPath(page, 'echo', transport);
  await page.end('echo');
  await page.close();
  return `connected in ${ms} ms, ${pictures}, data echoed`;
}

async function testRoom(client, janus, transport) {
  const people = await Promise.all(['anna', 'bert', 'carl'].map(async (name) => ({ name, page: await client.newPage() })));
  await Promise.all(people.map(async (one) => {
    await one.page.open(relayed(transport));
    one.feed = await within(LIMIT_MS, `${one.name} publishes`, one.page.publish('publisher', ROOM));
  }));
  await Promise.all(people.map(async ({ name, page }) => {
    const feeds = people.filter((other) => other.name !== name).map((other) => other.feed);
    await within(LIMIT_MS, `${name} subscribes`, page.subscribe('subscriber', ROOM, feeds));
  }));
  const pictures = await Promise.all(people.map(({ page }) => frames(page, 'subscriber', [2])));
  await Promise.all(people.map(({ name, page }) => page.sendText('publisher', `from ${name}`)));
  for (const { name, page } of people) {
    const expected = people.filter((other) => other.name !== name).map((other) => `from ${other.name}`).sort();
    await until(LIMIT_MS, `messages for ${name}`, async () => (await page.texts('subscriber')).length >= expected.length);
    assert.deepEqual((await page.texts('subscriber')).sort(), expected);
  }
  const times = await Promise.all(people.flatMap(({ page }) =>
    ['publisher', 'subscriber'].map((call) => checkPath(page, call, transport))));
  const pairs = await janus.selectedPairs();
  assert.ok(pairs.length >= 6, `Janus has ${pairs.length} connections`);
  for (const pair of pairs) assert.match(pair, new RegExp(`${addresses.janus}:.* <-> ${addresses.relay}:`), 'what Janus says');
  await Promise.all(people.map(({ page }) => page.close()));
  return `connected in ${times.join(', ')} ms, ${pictures.join('; ')}, messages of all to all`;
}

async function testTransport(network, certificates, janus, transport) {
  network.host.setFirewall(hostRules({ transport }));
  const relay = await startRelay(network, certificates, [`${addresses.janus}:<10000-12000>`]);
  const client = await Client.start(network.client, certificates);
  const evidence = () => `${client.problems.join('\n')}\n${janus.readLog()}\n${relay.readLog()}`;
  try {
    await report(`echotest through the relay over ${transport}`, () => testEcho(client, transport), evidence);
    await report(`videoroom of three through the relay over ${transport}`, () => testRoom(client, janus, transport), evidence);
    if (transport === 'udp') await report('nobody but the relay reaches Janus', () => testPolicy(network), evidence);
  } finally {
    await client.close();
    await relay.stop();
  }
}

// --- what must not work ------------------------------------------------------------------------------------------------------

function counters({ host }) {
  const { nftables } = JSON.parse(host.run('nft', '-j', 'list', 'counters'));
  return Object.fromEntries(nftables.filter(({ counter }) => counter).map(({ counter }) => [counter.name, counter.packets]));
}

// All calls until now have sent nothing past the relay; a stranger who knows the pod's address is dropped.
async function testPolicy(network) {
  const before = counters(network);
  assert.equal(before.refused, 0, 'packets to Janus that did not come from the relay');
  assert.ok(before.to_janus > 0, 'the relay has opened flows to Janus');
  network.internet.route('10.244.0.0/16', addresses.host);
  network.internet.run('bash', '-c', `echo probe >/dev/udp/${addresses.janus}/10000`);
  await until(LIMIT_MS, 'the probe is refused', () => counters(network).refused > 0);
  network.internet.run('ip', 'route', 'del', '10.244.0.0/16');
  return `${before.to_janus} flows from the relay, none from elsewhere; a stranger's probe was dropped`;
}

async function refusedCall(client, settings) {
  const page = await client.newPage();
  await page.open(settings);
  const outcome = await Promise.race([
    page.echo('echo').then(() => 'connected', (error) => error.message), sleep(30_000).then(() => 'waiting'),
  ]);
  const state = await page.state('echo');
  await page.close();
  return { outcome, state };
}

async function testRefused(network, certificates) {
  network.host.setFirewall(hostRules({ transport: 'udp' }));
  const relay = await startRelay(network, certificates, ['10.244.3.0/24']);
  const client = await Client.start(network.client, certificates);
  try {
    await report('a wrong password: no call', async () => {
      const { outcome, state } = await refusedCall(client, relayed('udp', { credential: 'wrong' }));
      assert.notEqual(outcome, 'connected');
      assert.deepEqual(state.candidateTypes, [], 'candidates');
      assert.ok(state.candidateErrors.includes(401), `errors ${state.candidateErrors}`);
      return `401, no candidate, ${state.connectionState}`;
    }, () => relay.readLog());
    await report('a pod that no cluster names: no call', async () => {
      const { outcome, state } = await refusedCall(client, relayed('udp'));
      assert.notEqual(outcome, 'connected');
      assert.ok(state.candidateTypes.includes('relay'), `candidates ${state.candidateTypes}`);
      return `allocated, permission refused, ${state.connectionState}`;
    }, () => relay.readLog());
  } finally {
    await client.close();
    await relay.stop();
  }
}

async function main() {
  const network = await build();
  setNames(NAMES);
  const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-certificates-'));
  try {
    const certificates = makeCertificates(directory, Object.keys(NAMES).map((name) => `DNS:${name}`).join(',')
      .concat(`,IP:${addresses.janus}`));
    if (options.only.includes('direct')) await testDirect(network, certificates);
    const janus = await Janus.start(network.janus, addresses.janus, certificates);
    for (const transport of ['udp', 'tcp', 'tls']) {
      if (options.only.includes(transport)) await testTransport(network, certificates, janus, transport);
    }
    if (options.only.includes('refused')) await testRefused(network, certificates);
    await janus.stop();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
process.exit();
