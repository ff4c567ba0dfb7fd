// Debian's Chromium as a client outside the cluster: it runs in the namespace `inet`, and has a camera and a microphone.

import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const { chromium } = createRequire(join(root, 'tests/e2e/package.json'))('playwright-core');

// camera: a Y4M file; the browser's own test picture without it. secure: origins that may use the camera although they are not HTTPS,
// as behind `kubectl port-forward` they would be localhost.
export async function openBrowser({ camera, secure }) {
  const home = mkdtempSync(join(tmpdir(), 'uturn-chromium-'));
  const browser = await chromium.launch({
    executablePath: join(dirname(fileURLToPath(import.meta.url)), 'chromium-in-inet'),
    headless: true,
    env: { ...process.env, HOME: home },
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
      '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
      `--unsafely-treat-insecure-origin-as-secure=${secure.join(',')}`,
      ...camera ? [`--use-file-for-fake-video-capture=${camera}`] : [],
    ],
  });
  const close = () => browser.close().finally(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
  return { newPage: () => browser.newPage(), close };
}

// What the connection of the page has received, and by which candidates. Pages keep it in a global `connection`.
export async function callStats(page, expression = 'connection') {
  return page.evaluate(async (name) => {
    // eslint-disable-next-line no-eval
    const reports = [...(await (0, eval)(name).getStats()).values()];
    const one = (id) => reports.find((report) => report.id === id);
    const inbound = (kind) => reports.find((report) => report.type === 'inbound-rtp' && report.kind === kind) ?? {};
    const pair = one(reports.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
    const local = pair && one(pair.localCandidateId);
    const remote = pair && one(pair.remoteCandidateId);
    return {
      local: local?.candidateType, relayProtocol: local?.relayProtocol, remote: remote?.candidateType, remoteAddress: remote?.address,
      framesDecoded: inbound('video').framesDecoded ?? 0, audioBytes: inbound('audio').bytesReceived ?? 0,
    };
  }, expression);
}
