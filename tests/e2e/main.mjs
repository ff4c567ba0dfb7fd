// Browser tests: a call between two peer connections that may use the relay only, in each browser, over each transport, on each
// engine.
//
//	tests/e2e/run [--binary FILE] [--browser chromium|firefox] [--transport udp|tcp|tls] [--engine io_uring|epoll] [--seconds N]

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { browsers } from './browsers.mjs';
import { makeCertificates } from './certificates.mjs';
import { within } from './cluster/report.mjs';
import { Relay, dropSeries, grown, loopbackConfig, sleep } from './relay.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const CALL_LIMIT_MS = 60_000;
const MESSAGE_SIZES = [...Array(50).keys()].map((number) => 1 + number * 29).concat([16_384, 65_535, 200_000, 200_000]);

const { values: options } = parseArgs({
  options: {
    binary: { type: 'string', default: join(here, '../../build/uturn') },
    browser: { type: 'string', multiple: true, default: ['chromium', 'firefox'] },
    transport: { type: 'string', multiple: true, default: ['udp', 'tcp', 'tls'] },
    engine: { type: 'string', multiple: true, default: ['io_uring', 'epoll'] },
    seconds: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});

// The page must come from localhost: only there does a browser give it a camera without TLS.
async function servePage() {
  const files = { '/': ['page.html', 'text/html'], '/page.js': ['page.js', 'text/javascript'] };
  const server = createServer(async (request, response) => {
    const [name, type] = files[request.url] ?? [];
    if (!name) return response.writeHead(404).end();
    return response.writeHead(200, { 'Content-Type': type }).end(await readFile(join(here, name)));
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://localhost:${server.address().port}/`, close: () => server.close() };
}

// Firefox binds no channel: everything travels in Send and Data indications.
const usesChannels = { chromium: true, firefox: false };

function checkGrowth(before, after) {
  for (const side of [0, 1]) {
    assert.deepEqual([after[side].local, after[side].remote], ['relay', 'relay'], `selected candidate pair of side ${side}`);
    const frames = after[side].framesDecoded - before[side].framesDecoded;
    const bytes = after[side].audioBytes - before[side].audioBytes;
    assert.ok(frames >= 5 * options.seconds, `side ${side} decoded ${frames} frames within ${options.seconds} s`);
    assert.equal(after[side].frameHeight, 720, `lines of the pictures that side ${side} decoded`);
    assert.ok(bytes > 1000 * options.seconds, `side ${side} received ${bytes} bytes of audio within ${options.seconds} s`);
  }
}

const connections = (metrics) =>
  ['tcp', 'tls'].map((name) => metrics[`uturn_connections{listener="${name}",protocol="${name.toUpperCase()}"}`]);

function checkMetrics(name, transport, connected, talked) {
  const series = dropSeries(talked);
  assert.ok(series.length > 10, `drop counters are missing: ${series}`);
  // While the two sides look for each other, a probe may come before the permission that lets it in, and over a connection they look
  // for longer. Nothing else is lost.
  const probes = series.find((one) => one.includes('"drop_no_permission"'));
  assert.deepEqual(grown({}, talked, series.filter((one) => one !== probes)), [], 'drop counters');
  const late = talked[probes] - connected[probes];
  assert.ok(late <= 4, `${late} packets without a permission during the call`);
  assert.equal(talked.uturn_allocations >= 2, true, `${talked.uturn_allocations} allocations`);
  assert.equal(talked.uturn_channels > 0, usesChannels[name], `${talked.uturn_channels} channels`);
  assert.deepEqual(connections(talked).map((count) => count >= 2), [transport === 'tcp', transport === 'tls'], 'connections');
  const relayed = (metrics, verdict) => metrics[`uturn_packets_total{verdict="${verdict}"}`];
  for (const verdict of ['to_peer', 'to_client']) {
    const packets = relayed(talked, verdict) - relayed(connected, verdict);
    assert.ok(packets > 100 * options.seconds, `${packets} packets ${verdict} within ${options.seconds} s`);
  }
}

async function talk(name, transport, page, relay) {
  const started = page.evaluate((servers) => globalThis.startCall(servers), relay.iceServers(transport));
  const camera = await within(CALL_LIMIT_MS, 'connecting', started);
  assert.deepEqual(camera, { width: 1280, height: 720 }, 'the camera');
  await sleep(1000); // both sides have checked most of their pairs by now
  const [connected, before] = [await relay.metrics(), await page.evaluate(() => globalThis.callStats())];
  const echoes = within(CALL_LIMIT_MS, 'echoes', page.evaluate((sizes) => globalThis.echo(sizes), MESSAGE_SIZES));
  await sleep(options.seconds * 1000);
  assert.equal(await echoes, MESSAGE_SIZES.length, 'echoes');
  const [talked, after] = [await relay.metrics(), await page.evaluate(() => globalThis.callStats())];
  checkGrowth(before, after);
  checkMetrics(name, transport, connected, talked);
  await page.evaluate(() => globalThis.endCall());
  for (let tries = 0; (await relay.metrics()).uturn_allocations > 0; tries++) {
    assert.ok(tries < 100, 'the browser gives its allocations back at the end');
    await sleep(50);
  }
  assert.deepEqual(connections(await relay.metrics()), [0, 0], 'connections at the end');
  const packets = talked['uturn_packets_total{verdict="to_peer"}'];
  const lost = after.map((side) => side.videoLost + side.audioLost).join(' + ');
  return `${after[0].framesDecoded} + ${after[1].framesDecoded} frames decoded, ${packets} packets relayed, `
    + `${talked.uturn_channels} channels; lost by the browser's count: ${lost}`;
}

async function testCall(name, transport, engine, certificates) {
  const relay = await Relay.start(resolve(options.binary), await loopbackConfig(engine, certificates));
  const [site, browser] = [await servePage(), await browsers[name](certificates.authority)];
  try {
    browser.page.on('console', (message) => { if (message.type() === 'error') console.log(`  page: ${message.text()}`); });
    await browser.page.goto(site.url);
    return `${browser.version}: ${await talk(name, transport, browser.page, relay)}`;
  } catch (error) {
    throw new Error(`${error.stack}\n--- the relay's log\n${relay.readLog().split('\n').slice(-30).join('\n')}`);
  } finally {
    await browser.close();
    site.close();
    await relay.stop();
  }
}

async function reportCall(name, transport, engine, certificates) {
  const started = Date.now();
  const took = () => `${((Date.now() - started) / 1000).toFixed(1)} s  ${name}[${transport},${engine}]`;
  try {
    const summary = await testCall(name, transport, engine, certificates);
    console.log(`ok   ${took()}  ${summary}`);
    return true;
  } catch (error) {
    console.log(`FAIL ${took()}\n${error.message}`);
    return false;
  }
}

async function main() {
  if (options.help) {
    console.log('usage: run [--binary FILE] [--browser chromium|firefox]… [--transport udp|tcp|tls]… [--engine io_uring|epoll]… '
      + '[--seconds N]');
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-certificates-'));
  try {
    const certificates = makeCertificates(directory);
    for (const name of options.browser) {
      for (const transport of options.transport) {
        for (const engine of options.engine) {
          if (!await reportCall(name, transport, engine, certificates)) process.exitCode = 1;
        }
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await main();
