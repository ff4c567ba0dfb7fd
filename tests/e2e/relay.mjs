// Starts and watches one relay.

import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Until what it looks for is there, for a limited time. It returns what it found.
export async function until(limitMs, what, look) {
  for (const end = Date.now() + limitMs; ; await sleep(50)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what}: not within ${limitMs} ms`);
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const credentials = { username: 'user', credential: 'pass' };

const authentication = {
  type: 'static', realm: 'browsers', credentials: { username: credentials.username, password: credentials.credential },
};

// Listeners on loopback. No peer is routed: two clients of the relay may reach each other, and nothing else.
export async function loopbackConfig(engine, { cert, key }) {
  const [port, securePort, health, metrics] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const listener = { address: '0.0.0.0', port, min_relay_port: 10000, max_relay_port: 20000, routes: [] };
  return {
    version: 'uturn/v1',
    admin: {
      name: 'browsers', loglevel: 'all:INFO', engine, shards: 2,
      healthcheck_endpoint: `http://127.0.0.1:${health}`,
      metrics_endpoint: `http://127.0.0.1:${metrics}/metrics`,
    },
    auth: authentication,
    listeners: [
      { ...listener, name: 'udp', protocol: 'udp' },
      { ...listener, name: 'tcp', protocol: 'tcp' },
      { ...listener, name: 'tls', protocol: 'tls', port: securePort, cert, key },
    ],
    clusters: [],
  };
}

// A relay in a pod, which reaches the pods at `peers` only.
export function podConfig(address, peers, { cert, key, engine = 'auto' }) {
  const listener = { address, routes: ['pods'] };
  return {
    version: 'uturn/v1',
    admin: {
      name: 'pod', loglevel: 'all:INFO', engine, shards: 2,
      healthcheck_endpoint: `http://${address}:8086`, metrics_endpoint: `http://${address}:8080/metrics`,
    },
    auth: authentication,
    listeners: [
      { ...listener, name: 'udp', protocol: 'udp', port: 3478 },
      { ...listener, name: 'tcp', protocol: 'tcp', port: 3478 },
      { ...listener, name: 'tls', protocol: 'tls', port: 5349, cert, key },
    ],
    clusters: [{ name: 'pods', type: 'STATIC', endpoints: peers }],
  };
}

export class Relay {
  // In a namespace (see cluster/namespace.mjs), or where this process is.
  static async start(binary, config, namespace) {
    const relay = new Relay();
    relay.config = config;
    relay.directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-'));
    relay.log = join(relay.directory, 'log');
    const file = join(relay.directory, 'uturn.json');
    writeFileSync(file, JSON.stringify(config, null, 1));
    const log = openSync(relay.log, 'a');
    const settings = { stdio: ['ignore', log, log] };
    relay.process = namespace ? namespace.spawn([binary, '-c', file], settings) : spawn(binary, ['-c', file], settings);
    relay.ended = new Promise((resolve) => relay.process.on('exit', (code, signal) => resolve(signal ?? code)));
    for (let tries = 0; ; tries++) {
      if (relay.process.exitCode !== null || tries > 200) throw new Error(`the relay did not start:\n${relay.readLog()}`);
      if (await relay.isReady()) return relay;
      await sleep(50);
    }
  }

  // How clients on this machine dial it.
  iceServers(transport) {
    const { port } = this.config.listeners.find(({ name }) => name === transport);
    const urls = {
      udp: `turn:127.0.0.1:${port}?transport=udp`,
      tcp: `turn:127.0.0.1:${port}?transport=tcp`,
      tls: `turns:localhost:${port}?transport=tcp`,
    };
    return [{ urls: urls[transport], ...credentials }];
  }

  async isReady() {
    try {
      return (await fetch(`${this.config.admin.healthcheck_endpoint}/ready`)).ok;
    } catch {
      return false;
    }
  }

  // { 'name{labels}': value }
  async metrics() {
    const text = await (await fetch(this.config.admin.metrics_endpoint)).text();
    const lines = text.split('\n').filter((line) => line && !line.startsWith('#'));
    return Object.fromEntries(lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }));
  }

  readLog() {
    return readFileSync(this.log, 'utf8');
  }

  async stop() {
    this.process.kill('SIGTERM');
    if (await Promise.race([this.ended.then(() => false), sleep(500).then(() => true)])) this.process.kill('SIGTERM');
    if (await Promise.race([this.ended.then(() => false), sleep(3000).then(() => true)])) this.process.kill('SIGKILL');
    await this.ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// Whatever the relay says that it lost: [series].
export function dropSeries(metrics) {
  return Object.keys(metrics).filter((series) =>
    /^uturn_packets_total\{verdict="drop/.test(series) || /^uturn_(send|kernel)_drops_total\{/.test(series)
    || series === 'uturn_stream_dropped_packets_total');
}

export function grown(before, after, series) {
  return series.filter((name) => after[name] > (before[name] ?? 0)).map((name) => `${name} +${after[name] - (before[name] ?? 0)}`);
}
