// A data plane of STUNner is exchanged for uturn: the real config discovery server of STUNner's operator configures either of them, and a
// browser calls through it. The real stunnerd goes first: what it cannot, uturn cannot be held against.
//
//	tests/e2e/dropin/run [--binary FILE]

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { makeCertificates } from '../certificates.mjs';
import { browsers } from '../browsers.mjs';
import { serveFiles } from '../cluster/client.mjs';
import { Namespace, connect } from '../cluster/namespace.mjs';
import { report, within } from '../cluster/report.mjs';
import { until } from '../relay.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const LIMIT_MS = 30_000;
const [NODE, POD] = ['10.244.0.1', '10.244.0.2'];
const [NAMESPACE, GATEWAY] = ['stunner', 'udp-gateway'];
const CDS = `${NODE}:13478`;

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: join(here, '../../../build/uturn') },
    stunnerd: { type: 'string' },
    cds: { type: 'string' },
  },
});

const listener = (name, protocol, port) => ({
  name: `${NAMESPACE}/${GATEWAY}/${name}`, protocol: `TURN-${protocol}`, public_address: POD, public_port: port, address: '$STUNNER_ADDR', port,
  routes: ['stunner/media'],
});

// As the operator writes it. The calls are from relayed address to relayed address, so the relay's own is the cluster.
const configuration = ({ username, credential }, listeners) => ({
  version: 'v1',
  admin: { name: `${NAMESPACE}/${GATEWAY}`, loglevel: 'all:INFO', healthcheck_endpoint: 'http://:8086', metrics_endpoint: 'http://:8080/metrics' },
  auth: { type: 'static', realm: 'stunner.l7mp.io', credentials: { username, password: credential } },
  listeners,
  clusters: [{ name: 'stunner/media', type: 'STATIC', protocol: 'UDP', endpoints: [POD] }],
});

class Operator {
  static start() {
    const operator = new Operator();
    operator.process = spawn(options.cds, [CDS, NAMESPACE, GATEWAY], { stdio: ['pipe', 'pipe', 'inherit'] });
    operator.lines = createInterface({ input: operator.process.stdout });
    return operator;
  }

  async serve(config) {
    this.process.stdin.write(`${JSON.stringify(config)}\n`);
    await within(LIMIT_MS, 'the config discovery server takes a configuration', once(this.lines, 'line'));
  }

  stop() {
    this.process.stdin.end();
    return once(this.process, 'exit');
  }
}

// The container that the operator makes of a Gateway, whatever its image.
class DataPlane {
  static start(program, pod) {
    const plane = new DataPlane();
    plane.directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-'));
    plane.log = join(plane.directory, 'log');
    const stunnerd = join(plane.directory, 'stunnerd');
    symlinkSync(resolve(program), stunnerd);
    const output = openSync(plane.log, 'a');
    plane.process = pod.spawn([stunnerd, '-w', '--udp-thread-num=16'], {
      stdio: ['ignore', output, output],
      env: {
        PATH: process.env.PATH, STUNNER_ADDR: POD, STUNNER_NAME: GATEWAY, STUNNER_NAMESPACE: NAMESPACE, STUNNER_NODENAME: 'node-1',
        STUNNER_CONFIG_ORIGIN: `http://${CDS}`,
      },
    });
    return plane;
  }

  ready() {
    return until(LIMIT_MS, 'the data plane is ready', async () => (await fetch(`http://${POD}:8086/ready`).catch(() => ({}))).ok);
  }

  // What it says of itself has this in it.
  shows(what, pattern) {
    return until(LIMIT_MS, what, async () => pattern.test(await (await fetch(`http://${POD}:8086/status`)).text()));
  }

  async stop() {
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
    rmSync(this.directory, { recursive: true });
  }
}

async function newPage(browser) {
  const page = await browser.newPage();
  await serveFiles(page, [join(here, '../page.html'), join(here, '../page.js')]);
  return page;
}

const server = (user, transport) => [{ urls: `turn:${POD}:3478?transport=${transport}`, ...user }];

async function startCall(browser, user, transport) {
  const page = await newPage(browser);
  await within(LIMIT_MS, `a call over ${transport}`, page.evaluate((servers) => globalThis.startCall(servers), server(user, transport)));
  return page;
}

// Pictures come on both sides, by the relay. How many.
async function flows(page) {
  const before = await page.evaluate(() => globalThis.callStats());
  const after = await until(LIMIT_MS, 'pictures and sound on both sides', async () => {
    const now = await page.evaluate(() => globalThis.callStats());
    const grew = (side, name, least) => now[side][name] - before[side][name] >= least;
    return [0, 1].every((side) => grew(side, 'framesDecoded', 10) && grew(side, 'audioBytes', 2000)) && now;
  });
  for (const side of after) assert.deepEqual([side.local, side.remote], ['relay', 'relay'], 'selected candidate pair');
  return after.map((side, at) => side.framesDecoded - before[at].framesDecoded).join(' + ');
}

async function isRefused(browser, user, wanted) {
  const page = await newPage(browser);
  const code = await within(LIMIT_MS, 'an answer', page.evaluate((iceServers) => new Promise((done) => {
    const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
    // 701: from an address of this machine, loopback among them, that cannot reach the server.
    connection.onicecandidateerror = ({ errorCode }) => { if (errorCode !== 701) done(errorCode); };
    connection.onicecandidate = ({ candidate }) => { if (candidate) done(candidate.candidate); };
    connection.createDataChannel('none');
    connection.setLocalDescription();
  }), server(user, 'udp')));
  assert.equal(code, wanted, 'what the old credentials are answered with');
  await page.close();
}

async function exchange(program, pod, { cutsNothing, refusal }) {
  const [operator, plane] = [Operator.start(), DataPlane.start(program, pod)];
  const [first, second] = [{ username: 'user-1', credential: 'pass-1' }, { username: 'user-2', credential: 'pass-2' }];
  let browser;
  try {
    await operator.serve(configuration(first, [listener('udp', 'UDP', 3478)]));
    await plane.ready();
    browser = await browsers.chromium(options.authority);
    const call = await startCall(browser, first, 'udp');
    const seen = [`a call: ${await flows(call)} frames`];
    if (!cutsNothing) await call.close();
    await operator.serve(configuration(second, [listener('udp', 'UDP', 3478), listener('tcp', 'TCP', 3478)]));
    await plane.shows('the added listener', /TURN-TCP|"protocol": *"TCP"/i);
    await isRefused(browser, first, refusal);
    if (cutsNothing) seen.push(`with a listener more and other credentials it goes on: ${await flows(call)}`);
    const other = await startCall(browser, second, 'tcp');
    seen.push(`a call by what is new: ${await flows(other)}`);
    if (cutsNothing) seen.push(`beside it the first: ${await flows(call)}`);
    return seen.join(', ');
  } catch (error) {
    throw new Error(`${error.stack}\n--- the data plane's log\n${readFileSync(plane.log, 'utf8').split('\n').slice(-30).join('\n')}`);
  } finally {
    await browser?.close();
    await plane.stop();
    await operator.stop();
  }
}

async function main() {
  const [host, pod] = [Namespace.own(), await Namespace.make()];
  connect([host, 'pod', `${NODE}/30`], [pod, 'eth0', `${POD}/30`]);
  const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-certificates-'));
  try {
    options.authority = makeCertificates(directory).authority;
    await report('STUNner’s own data plane', () => exchange(options.stunnerd, pod, { cutsNothing: false, refusal: 400 }));
    await report('uturn in its place', () => exchange(options.binary, pod, { cutsNothing: true, refusal: 401 }));
  } finally {
    rmSync(directory, { recursive: true });
  }
  process.exit();
}

await main();
