// The image of k8s/examples/janus, started as its page says: certbot's folders, a recordings folder, the samples' folder. The demo that it
// brings is opened in Chromium, and calls through the relay. Started by tests/e2e/janus/image.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { makeCertificates } from '../certificates.mjs';
import { Client } from '../cluster/client.mjs';
import { containerCommand } from '../cluster/container.mjs';
import { Janus } from '../cluster/janus.mjs';
import { setNames } from '../cluster/namespace.mjs';
import { report, within } from '../cluster/report.mjs';
import { addresses, build, hostRules } from '../cluster/topology.mjs';
import { Relay, credentials, podConfig, until } from '../relay.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const LIMIT_MS = 60_000;
const HOST_NAME = 'janus.example.test';
const SERVER = `https://${HOST_NAME}:8089/janus`;
const USER = 65532;
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
const relayVariables = {
  STUNNER_PUBLIC_ADDR: addresses.host, STUNNER_USERNAME: credentials.username, STUNNER_PASSWORD: credentials.credential,
};
const iceServers = [{ urls: `turn:${addresses.host}:3478?transport=udp`, ...credentials }];

const { values: options } = parseArgs({
  options: { binary: { type: 'string', default: join(here, '../../../build/uturn') }, root: { type: 'string' } },
});

// The host's folders: what certbot has made (links into its archive), and those that belong to the container's user.
function makeFolders(directory, { cert, key }) {
  const [live, archive] = ['live', 'archive'].map((name) => join(directory, 'letsencrypt', name, HOST_NAME));
  for (const folder of [live, archive]) mkdirSync(folder, { recursive: true });
  for (const [file, name] of [[cert, 'fullchain'], [key, 'privkey']]) {
    cpSync(file, join(archive, `${name}1.pem`));
    chmodSync(join(archive, `${name}1.pem`), 0o644);
    symlinkSync(`../../archive/${HOST_NAME}/${name}1.pem`, join(live, `${name}.pem`));
  }
  const [html, recordings] = ['html', 'recordings'].map((name) => join(directory, name));
  for (const folder of [html, recordings]) {
    mkdirSync(folder);
    chownSync(folder, USER, USER);
  }
  return { live, archive: dirname(archive), html, recordings };
}

function volumes({ live, archive, html, recordings }) {
  return { '/html': html, '/etc/certs': live, '/archive': archive, '/janus/bin/janus-recordings': recordings };
}

// Opens the echo test that came with the image, at the address where nginx would have it, and presses its button.
async function testDemo(client, { html }) {
  const page = await client.browser.newPage();
  await page.route(`https://${HOST_NAME}/container/**`, (route) => {
    const file = join(html, decodeURIComponent(new URL(route.request().url()).pathname.replace('/container/', '')));
    if (!existsSync(file)) return route.fulfill({ status: 404 });
    return route.fulfill({ body: readFileSync(file), contentType: types[extname(file)] ?? 'application/octet-stream' });
  });
  await page.goto(`https://${HOST_NAME}/container/echotest.html`);
  await within(LIMIT_MS, 'the button', page.click('#start:not([disabled])'));
  const seen = await until(LIMIT_MS, 'the demo shows pictures', () => page.evaluate(async () => {
    const connection = globalThis.echotest?.webrtcStuff?.pc; // eslint-disable-line no-undef
    if (!connection) return null;
    const reports = new Map();
    (await connection.getStats()).forEach((report) => reports.set(report.id, report));
    const all = [...reports.values()];
    const pair = reports.get(all.find(({ type }) => type === 'transport')?.selectedCandidatePairId);
    const video = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
    return video?.framesDecoded > 10 && { frames: video.framesDecoded, path: reports.get(pair.localCandidateId).candidateType };
  }));
  assert.equal(seen.path, 'relay');
  await page.close();
  return `${seen.frames} frames decoded, through the relay`;
}

async function testRecording(client, { recordings }) {
  const page = await client.newPage();
  await page.open({ server: SERVER, iceServers, iceTransportPolicy: 'relay' });
  await within(LIMIT_MS, 'publishing', page.publish('publisher', '1234', { record: true, filename: 'test' }));
  await until(LIMIT_MS, 'a recording', () => readdirSync(recordings).some((name) => name.endsWith('.mjr')));
  await page.end('publisher');
  await page.close();
  return readdirSync(recordings).join(', ');
}

// A folder of the host's instead of the embedded one: here with another secret.
async function testHostConfiguration(network, certificates, folders, directory) {
  const configuration = join(directory, 'janus_config');
  cpSync(join(here, '../../../k8s/examples/janus/janus_config'), configuration, { recursive: true });
  const file = join(configuration, 'janus.jcfg');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"janusoverlord"', '"of-the-host"'));
  const command = containerCommand(options.root, ['/start.sh'], {
    volumes: { ...volumes(folders), '/janus/etc/janus_host': configuration },
    environment: { RUN_WITH_HOST_CONFIGURATION_DIR: 'true' },
  });
  const janus = await Janus.start(network.janus, addresses.janus, certificates, { command, adminSecret: 'of-the-host' });
  await janus.stop();
  return "the host's admin secret holds";
}

function refusal(settings) {
  const [program, ...args] = containerCommand(options.root, ['/start.sh'], settings);
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: LIMIT_MS });
  return `${status} ${stderr.trim()}`;
}

function testRefusals(folders, directory) {
  const all = volumes(folders);
  const [empty, foreign] = ['empty', 'foreign'].map((name) => join(directory, name));
  for (const folder of [empty, foreign]) mkdirSync(folder);
  const cases = [
    [{ volumes: { ...all, '/etc/certs': empty } }, /^1 .*\/etc\/certs\/fullchain\.pem cannot be read/],
    [{ volumes: { ...all, '/html': foreign } }, /^1 .*\/html cannot be written by user 65532/],
    [{ volumes: all, environment: { RUN_WITH_HOST_CONFIGURATION_DIR: 'yes' } }, /^1 .*RUN_WITH_HOST_CONFIGURATION_DIR is 'yes': use true or false/],
    [{ volumes: all, environment: { ...relayVariables, STUNNER_PASSWORD: 'a"b' } }, /^1 .*has a quote or a backslash/],
    [{ volumes: { ...all, '/janus/etc/janus_host': empty }, environment: { RUN_WITH_HOST_CONFIGURATION_DIR: 'true' } },
      /^1 .*janus_host\/janus\.jcfg cannot be read/],
  ];
  for (const [settings, expected] of cases) assert.match(refusal(settings), expected);
  return `${cases.length} mistakes, each named`;
}

async function main(directory) {
  const network = await build();
  setNames({ [HOST_NAME]: addresses.host });
  network.host.setFirewall(hostRules({ transport: 'udp' }));
  const certificates = makeCertificates(directory, `DNS:${HOST_NAME},IP:${addresses.janus}`);
  const folders = makeFolders(directory, certificates);
  await report('image: a mistake is told', () => testRefusals(folders, directory));
  const command = containerCommand(options.root, ['/start.sh'], {
    volumes: volumes(folders), environment: relayVariables,
  });
  const janus = await Janus.start(network.janus, addresses.janus, certificates, { command });
  const relay = await Relay.start(resolve(options.binary), podConfig(addresses.relay, [addresses.janus], certificates), network.relay);
  const client = await Client.start(network.client, certificates);
  const evidence = () => [...client.problems, janus.readLog(), relay.readLog()].join('\n');
  await report('image: the echo test among its samples', () => testDemo(client, folders), evidence);
  await report('image: the recordings folder', () => testRecording(client, folders), evidence);
  await client.close();
  await Promise.all([janus.stop(), relay.stop()]);
  await report("image: the host's configuration", () => testHostConfiguration(network, certificates, folders, directory), evidence);
}

const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-image-'));
chmodSync(directory, 0o755);
try {
  await main(directory);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exit();
