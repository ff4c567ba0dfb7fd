// Starts and watches one relay. No peer is routed: two clients of the relay may reach each other, and nothing else.

import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class Relay {
  static async start(binary, engine, certificates) {
    const relay = new Relay();
    relay.directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-'));
    relay.log = join(relay.directory, 'log');
    relay.certificates = certificates;
    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    [relay.port, relay.securePort, relay.health, relay.metricsPort] = ports;
    const file = join(relay.directory, 'uturn.json');
    writeFileSync(file, JSON.stringify(relay.config(engine), null, 1));
    const log = openSync(relay.log, 'a');
    relay.process = spawn(binary, ['-c', file], { stdio: ['ignore', log, log] });
    relay.ended = new Promise((resolve) => relay.process.on('exit', resolve));
    for (let tries = 0; ; tries++) {
      if (relay.process.exitCode !== null || tries > 200) throw new Error(`the relay did not start:\n${relay.readLog()}`);
      if (await relay.isReady()) return relay;
      await sleep(50);
    }
  }

  config(engine) {
    const listener = { address: '0.0.0.0', port: this.port, min_relay_port: 10000, max_relay_port: 20000, routes: [] };
    const { cert, key } = this.certificates;
    return {
      version: 'uturn/v1',
      admin: {
        name: 'browsers', loglevel: 'all:INFO', engine, shards: 2,
        healthcheck_endpoint: `http://127.0.0.1:${this.health}`,
        metrics_endpoint: `http://127.0.0.1:${this.metricsPort}/metrics`,
      },
      auth: { type: 'static', realm: 'browsers', credentials: { username: 'user', password: 'pass' } },
      listeners: [
        { ...listener, name: 'udp', protocol: 'udp' },
        { ...listener, name: 'tcp', protocol: 'tcp' },
        { ...listener, name: 'tls', protocol: 'tls', port: this.securePort, cert, key },
      ],
      clusters: [],
    };
  }

  iceServers(transport) {
    const urls = {
      udp: `turn:127.0.0.1:${this.port}?transport=udp`,
      tcp: `turn:127.0.0.1:${this.port}?transport=tcp`,
      tls: `turns:localhost:${this.securePort}?transport=tcp`,
    };
    return [{ urls: urls[transport], username: 'user', credential: 'pass' }];
  }

  async isReady() {
    try {
      return (await fetch(`http://127.0.0.1:${this.health}/ready`)).ok;
    } catch {
      return false;
    }
  }

  // { 'name{labels}': value }
  async metrics() {
    const text = await (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
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
