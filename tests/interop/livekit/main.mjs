// LiveKit's server in a pod, LiveKit's client in two browsers: each publishes its camera and sees the other's.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { callStats } from '../lib/browser.mjs';
import { PUBLIC_ADDRESS, eventually } from '../lib/cluster.mjs';
import { BLUE, GREEN, PAGE_PORT, camera, openPage, runCase, shows, startCluster, within } from '../lib/demo.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const SIGNALLING_PORT = 7880;
const programs = { 'livekit-server': (words) => [process.env.LIVEKIT_SERVER, ...words] };

async function servePage() {
  const files = { '/': ['page.html', 'text/html'], '/livekit.js': ['node_modules/livekit-client/dist/livekit-client.umd.js', 'text/javascript'] };
  const server = createServer(async (request, response) => {
    const [name, type] = files[request.url] ?? [];
    if (!name) return response.writeHead(404).end();
    return response.writeHead(200, { 'Content-Type': type }).end(await readFile(join(here, name)));
  });
  await new Promise((done) => server.listen(PAGE_PORT, PUBLIC_ADDRESS, done));
}

function token(cluster, identity) {
  const container = cluster.find('Deployment', 'livekit').spec.template.spec.containers[0];
  const [key, secret] = container.env.find(({ name }) => name === 'LIVEKIT_KEYS').value.split(': ');
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: key, sub: identity, nbf: now - 60, exp: now + 600, video: { room: 'room', roomJoin: true } };
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

const incoming = 'globalThis.connections.findLast((one) => one.getReceivers().some(({ track }) => track?.kind === "video" && !track.muted))';

await runCase({
  async livekit() {
    const cluster = await startCluster('livekit', programs, { hasPages: false });
    cluster.forwardPort('livekit', SIGNALLING_PORT, SIGNALLING_PORT);
    await servePage();
    return within(cluster, async () => {
      const pages = await Promise.all([openPage(camera(cluster, 'green', GREEN)), openPage(camera(cluster, 'blue', BLUE))]);
      await Promise.all(pages.map((page, index) =>
        page.evaluate(([url, key]) => globalThis.join(url, key), [`ws://${PUBLIC_ADDRESS}:${SIGNALLING_PORT}`, token(cluster, `user-${index}`)])));
      await Promise.all([shows(pages[0], { '0.5,0.5': BLUE }), shows(pages[1], { '0.5,0.5': GREEN })]);
      return Promise.all(pages.map((page) => seesTheOther(page, cluster.pod('livekit').address)));
    });
  },
});

async function seesTheOther(page, remoteAddress) {
  const before = await eventually(10_000, 'a connection with a picture', () => callStats(page, incoming));
  const after = await eventually(30_000, 'the picture moves on', async () => {
    const now = await callStats(page, incoming);
    return now.framesDecoded - before.framesDecoded >= 15 && now;
  });
  assert.deepEqual([after.local, after.remoteAddress], ['relay', remoteAddress]);
  return `${after.framesDecoded} frames`;
}
