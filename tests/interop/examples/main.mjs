// The demos of k8s/examples as their manifests run them. One case a process, inside lib/sandbox: `main.mjs CASE`, `main.mjs --list`.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { callStats, openBrowser } from '../lib/browser.mjs';
import { Cluster, PUBLIC_ADDRESS, eventually, render, sleep } from '../lib/cluster.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const relay = process.env.UTURN_BINARY ?? join(root, 'build/uturn');
const PAGE_PORT = 8000;
const GOLD = [212, 175, 55];
const RED = [200, 30, 30];
const BLUE = [30, 30, 200];
const GREEN = [30, 160, 30];

// What the images would run.
const programs = {
  uturn: ([, ...words]) => [relay, ...words],
  'uturn-examples': (words) => ['/usr/bin/env', 'PYTHONDONTWRITEBYTECODE=1', ...words.map((word) => word.replace(/^\/app\//, `${root}/k8s/examples/`))],
};

// k8s/base with the public address that the load balancer got, and the example. `change` is given the objects of both.
async function startCluster(example, change = () => {}) {
  const [base, demo] = [render(join(root, 'k8s/base')), render(join(root, 'k8s/examples', example))];
  const find = (kind, name) => base.find((one) => one.kind === kind && one.metadata.name === name);
  Object.assign(find('ConfigMap', 'stunner-config').data, { STUNNER_PUBLIC_ADDR: PUBLIC_ADDRESS, STUNNER_PUBLIC_PORT: '3478' });
  change({ base, demo, find });
  const cluster = new Cluster(programs);
  cluster.apply([...base, ...demo]);
  await cluster.ready();
  cluster.forwardPort(example, PAGE_PORT, 8080);
  return cluster;
}

// A picture of vertical stripes, for a camera that shows nothing else.
function camera(cluster, name, ...stripes) {
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

const url = `http://${PUBLIC_ADDRESS}:${PAGE_PORT}/`;

async function openPage(file) {
  const browser = await openBrowser({ camera: file, secure: [url.slice(0, -1)] });
  const page = await browser.newPage();
  page.on('console', (message) => { if (message.type() === 'error') console.log(`  page: ${message.text()}`); });
  page.on('pageerror', (error) => console.log(`  page: ${error}`));
  await page.goto(url);
  return page;
}

const press = (page) => page.click('button');
const state = (page) => page.locator('#state').inputValue().catch(() => page.evaluate(() => document.getElementById('state').value));
const connected = (page) => eventually(30_000, 'the page is connected', async () => await state(page) === 'connected');

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

async function shows(page, places) {
  const wanted = Object.values(places);
  await eventually(20_000, `the picture has the colours ${JSON.stringify(wanted)}`, async () => {
    const seen = await colours(page, Object.keys(places).map((place) => place.split(',').map(Number)));
    if (seen.every((colour, index) => near(colour, wanted[index]))) return true;
    throw new Error(`they are ${JSON.stringify(seen)}`);
  });
}

// Picture and sound come, by the relay, from where they should.
async function flows(page, { remote, remoteAddress, relayProtocol = 'udp' }) {
  const before = await callStats(page);
  await sleep(3000);
  const after = await callStats(page);
  assert.deepEqual([after.local, after.relayProtocol, after.remoteAddress], ['relay', relayProtocol, remoteAddress]);
  assert.ok(remote.includes(after.remote), `the remote candidate is ${after.remote}`);
  assert.ok(after.framesDecoded - before.framesDecoded >= 15, `${after.framesDecoded - before.framesDecoded} frames within 3 s`);
  assert.ok(after.audioBytes - before.audioBytes > 3000, `${after.audioBytes - before.audioBytes} bytes of sound within 3 s`);
  return `${after.framesDecoded} frames`;
}

async function hasNoCall(page) {
  await sleep(8000);
  assert.notEqual(await state(page), 'connected');
}

const cases = {
  // The relay's routes are closed, and so is the NetworkPolicy: only the relay's own pods may be reached.
  async 'direct-one2one-call'() {
    const cluster = await startCluster('direct-one2one-call', ({ find }) => {
      const config = JSON.parse(find('ConfigMap', 'stunner-relay').data['uturn.json']);
      for (const listener of config.listeners) listener.routes = [];
      find('ConfigMap', 'stunner-relay').data['uturn.json'] = JSON.stringify(config);
    });
    return within(cluster, async () => {
      const pages = await Promise.all([openPage(camera(cluster, 'red', RED)), openPage(camera(cluster, 'blue', BLUE))]);
      for (const page of pages) await press(page);
      await Promise.all(pages.map(connected));
      await Promise.all([shows(pages[0], { '0.5,0.5': BLUE }), shows(pages[1], { '0.5,0.5': RED })]);
      const remoteAddress = cluster.pod('stunner').address;
      return Promise.all(pages.map((page) => flows(page, { remote: ['relay', 'prflx'], remoteAddress })));
    });
  },

  async 'one2one-call'() {
    const cluster = await startCluster('one2one-call');
    return within(cluster, async () => {
      const pages = await Promise.all([openPage(camera(cluster, 'green', GREEN)), openPage(camera(cluster, 'blue', BLUE))]);
      for (const page of pages) await press(page);
      await Promise.all(pages.map(connected));
      await Promise.all([shows(pages[0], { '0.5,0.5': BLUE }), shows(pages[1], { '0.5,0.5': GREEN })]);
      const remoteAddress = cluster.pod('one2one-call').address;
      return Promise.all(pages.map((page) => flows(page, { remote: ['host'], remoteAddress })));
    });
  },

  async 'magic-mirror'() {
    return mirror(await startCluster('magic-mirror'), 'udp');
  },

  // TCP from the browser to the relay, as the overlay two-services publishes it.
  async 'magic-mirror over TCP'() {
    return mirror(await startCluster('magic-mirror', ({ find }) => {
      Object.assign(find('ConfigMap', 'stunner-config').data, { STUNNER_TRANSPORT_UDP_ENABLE: '', STUNNER_TRANSPORT_TCP_ENABLE: '1' });
      find('Service', 'stunner').spec.ports.push({ name: 'stunner-tcp', protocol: 'TCP', port: 3478, targetPort: 'turn-tcp' });
    }), 'tcp');
  },

  async 'magic-mirror with time-limited credentials'() {
    return mirror(await startCluster('magic-mirror', ({ find }) => {
      find('ConfigMap', 'stunner-config').data.STUNNER_AUTH_TYPE = 'ephemeral';
      find('Secret', 'stunner-credentials').stringData = { STUNNER_SHARED_SECRET: 'a secret of the test' };
    }), 'udp');
  },

  async 'magic-mirror behind closed routes'() {
    const cluster = await startCluster('magic-mirror', ({ find }) => {
      const config = JSON.parse(find('ConfigMap', 'stunner-relay').data['uturn.json']);
      config.clusters[0].endpoints = ['10.245.0.0/16:<10000-20000>'];
      find('ConfigMap', 'stunner-relay').data['uturn.json'] = JSON.stringify(config);
    });
    return within(cluster, async () => {
      const page = await openPage(camera(cluster, 'red', RED));
      await press(page);
      await hasNoCall(page);
      return 'no call';
    });
  },
};

function mirror(cluster, relayProtocol) {
  return within(cluster, async () => {
    const page = await openPage(camera(cluster, 'red-blue', RED, BLUE));
    await press(page);
    await connected(page);
    await shows(page, { '0.25,0.5': BLUE, '0.75,0.5': RED, '0.01,0.5': GOLD, '0.99,0.5': GOLD, '0.5,0.01': GOLD, '0.5,0.99': GOLD });
    return flows(page, { remote: ['host'], remoteAddress: cluster.pod('magic-mirror').address, relayProtocol });
  });
}

async function within(cluster, test) {
  try {
    return await test();
  } catch (error) {
    throw new Error(`${error.stack}\n${cluster.logs()}`);
  }
}

const [name] = process.argv.slice(2);
if (name === '--list') {
  console.log(Object.keys(cases).join('\n'));
} else {
  try {
    console.log(`${name}: ${await cases[name]()}`);
    process.exit(0); // what was started ends with the sandbox
  } catch (error) {
    console.log(error.message);
    process.exit(1);
  }
}
