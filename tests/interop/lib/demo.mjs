// What the tests of demos have in common: the relay of k8s/base in a cluster, a page with a camera that shows known colours, and what
// must come of it. Demo pages have a button, a form's output #state, videos #local and #remote, and a global `connection`.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { callStats, openBrowser } from './browser.mjs';
import { Cluster, PUBLIC_ADDRESS, eventually, render, sleep } from './cluster.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const relay = process.env.UTURN_BINARY ?? join(root, 'build/uturn');
export const PAGE_PORT = 8000;
const FLOW_LIMIT_MS = 30_000; // a busy machine shows few frames a second
const url = `http://${PUBLIC_ADDRESS}:${PAGE_PORT}/`;

export const GOLD = [212, 175, 55];
export const RED = [200, 30, 30];
export const BLUE = [30, 30, 200];
export const GREEN = [30, 160, 30];

// k8s/base with the public address that the load balancer got, and the example. `change` is given the objects of both, and a way to
// find one of k8s/base. The example's Deployment has the example's name; its pages, if it has any, are on port 8080.
export async function startCluster(example, programs, { change = () => {}, hasPages = true } = {}) {
  const [base, demo] = [render(join(root, 'k8s/base')), render(join(root, 'k8s/examples', example))];
  const find = (kind, name) => base.find((one) => one.kind === kind && one.metadata.name === name);
  Object.assign(find('ConfigMap', 'stunner-config').data, { STUNNER_PUBLIC_ADDR: PUBLIC_ADDRESS, STUNNER_PUBLIC_PORT: '3478' });
  change({ base, demo, find });
  const cluster = new Cluster({ uturn: ([, ...words]) => [relay, ...words], ...programs });
  cluster.apply([...base, ...demo]);
  await cluster.ready();
  if (hasPages) cluster.forwardPort(example, PAGE_PORT, 8080);
  return cluster;
}

// A picture of vertical stripes, for a camera that shows nothing else.
export function camera(cluster, name, ...stripes) {
  const [width, height] = [640, 480];
  const toYuv = ([r, g, b]) => [16 + (66 * r + 129 * g + 25 * b) / 256, 128 + (-38 * r - 74 * g + 112 * b) / 256, 128 + (112 * r - 94 * g - 18 * b) / 256];
  const plane = (w, h, index) => {
    const row = Buffer.from(Array.from({ length: w }, (_, x) => toYuv(stripes[Math.floor(x * stripes.length / w)])[index]));
    return Buffer.concat(Array(h).fill(row));
  };
  const frame = Buffer.concat([Buffer.from('FRAME\n'), plane(width, height, 0), plane(width / 2, height / 2, 1), plane(width / 2, height / 2, 2)]);
  const file = join(cluster.directory, `${name}.y4m`);
  writeFileSync(file, Buffer.concat([Buffer.from(`YUV4MPEG2 W${width} H${height} F15:1 Ip C420jpeg\n`), frame, frame]));
  return file;
}

export async function openPage(file) {
  const browser = await openBrowser({ camera: file, secure: [url.slice(0, -1)] });
  const page = await browser.newPage();
  page.on('console', (message) => { if (message.type() === 'error') console.log(`  page: ${message.text()}`); });
  page.on('pageerror', (error) => console.log(`  page: ${error}`));
  await page.goto(url);
  return page;
}

export const press = (page) => page.click('button');
const state = (page) => page.evaluate(() => document.getElementById('state').value);
export const connected = (page) => eventually(30_000, 'the page is connected', async () => await state(page) === 'connected');

// The colour of the picture that came, at places between 0 and 1.
function colours(page, places) {
  return page.evaluate((wanted) => {
    const video = document.getElementById('remote');
    const canvas = Object.assign(document.createElement('canvas'), { width: video.videoWidth, height: video.videoHeight });
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0);
    return wanted.map(([x, y]) => [...context.getImageData(x * (canvas.width - 1), y * (canvas.height - 1), 1, 1).data].slice(0, 3));
  }, places);
}

const near = (one, other) => one.every((value, index) => Math.abs(value - other[index]) < 50);

export async function shows(page, places) {
  const wanted = Object.values(places);
  await eventually(20_000, `the picture has the colours ${JSON.stringify(wanted)}`, async () => {
    const seen = await colours(page, Object.keys(places).map((place) => place.split(',').map(Number)));
    if (seen.every((colour, index) => near(colour, wanted[index]))) return true;
    throw new Error(`they are ${JSON.stringify(seen)}`);
  });
}

// Picture and sound come, by the relay, from where they should.
export async function flows(page, { remote, remoteAddress, relayProtocol = 'udp' }) {
  const before = await callStats(page);
  const after = await eventually(FLOW_LIMIT_MS, 'picture and sound come', async () => {
    const now = await callStats(page);
    const [frames, bytes] = [now.framesDecoded - before.framesDecoded, now.audioBytes - before.audioBytes];
    if (frames >= 15 && bytes > 3000) return now;
    throw new Error(`only ${frames} frames and ${bytes} bytes of sound`);
  });
  assert.deepEqual([after.local, after.relayProtocol, after.remoteAddress], ['relay', relayProtocol, remoteAddress]);
  assert.ok(remote.includes(after.remote), `the remote candidate is ${after.remote}`);
  return `${after.framesDecoded} frames`;
}

// The page has a relayed address and knows the media server's, and yet there is no way between them.
export async function hasNoCall(page) {
  await eventually(30_000, 'both sides know where to send', () => page.evaluate(
    // eslint-disable-next-line no-undef
    () => connection?.currentRemoteDescription && / typ relay /.test(connection.localDescription.sdp),
  ));
  await sleep(8000);
  assert.notEqual(await state(page), 'connected');
}

// The cluster's logs are told with what went wrong.
export async function within(cluster, test) {
  try {
    return await test();
  } catch (error) {
    throw new Error(`${error.stack}\n${cluster.logs()}`);
  }
}

// One case a process, inside lib/sandbox, which ends what the case started: `PROGRAM CASE`, `PROGRAM --list`.
export async function runCase(cases) {
  const [name] = process.argv.slice(2);
  if (name === '--list') {
    console.log(Object.keys(cases).join('\n'));
    return;
  }
  try {
    console.log(`${name}: ${await cases[name]()}`);
    process.exit(0);
  } catch (error) {
    console.log(error.message);
    process.exit(1);
  }
}
