// Debian's Janus in a pod, with the configuration of k8s/examples/janus.

import { Agent, request } from 'node:https';
import { mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { sleep, until } from '../relay.mjs';

const configuration = join(dirname(fileURLToPath(import.meta.url)), '../../../k8s/examples/janus/janus_config');
const ADMIN_SECRET = 'janusoverlord';

// A copy of it whose folders are elsewhere.
function copyConfiguration(directory, { cert, key }) {
  mkdirSync(join(directory, 'recordings'));
  for (const name of readdirSync(configuration)) {
    const text = readFileSync(join(configuration, name), 'utf8').replaceAll('/etc/certs/fullchain.pem', cert)
      .replaceAll('/etc/certs/privkey.pem', key).replaceAll('/janus/bin/janus-recordings', join(directory, 'recordings'));
    writeFileSync(join(directory, name), text);
  }
}

export class Janus {
  // `stunServer` (address:port) is for direct calls only. `command` starts another one than Debian's.
  static async start(namespace, address, certificates, { stunServer, command, adminSecret = ADMIN_SECRET } = {}) {
    const janus = new Janus();
    janus.address = address;
    janus.authority = readFileSync(certificates.authority);
    janus.directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-janus-'));
    janus.log = join(janus.directory, 'log');
    janus.adminSecret = adminSecret;
    copyConfiguration(janus.directory, certificates);
    const log = openSync(janus.log, 'a');
    const options = stunServer ? [`--stun-server=${stunServer}`] : [];
    janus.process = namespace.spawn(command ?? ['janus', '-F', janus.directory, ...options], { stdio: ['ignore', log, log] });
    janus.ended = new Promise((resolve) => janus.process.on('exit', resolve));
    await until(20_000, 'Janus starts', () => {
      if (janus.process.exitCode !== null) throw new Error(`Janus ended:\n${janus.readLog()}`);
      return janus.admin('list_sessions').then(({ janus: answer }) => answer === 'success', () => false);
    });
    return janus;
  }

  // One request of the admin API.
  admin(command, path = '', fields = {}) {
    const body = JSON.stringify({ janus: command, transaction: 'test', admin_secret: this.adminSecret, ...fields });
    const settings = {
      method: 'POST', host: this.address, port: 7889, path: `/admin${path}`, agent: new Agent({ ca: this.authority }), timeout: 5000,
    };
    return new Promise((resolve, reject) => {
      const sent = request(settings, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(JSON.parse(text)));
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('the admin API is silent'))).end(body);
    });
  }

  // How each peer connection's packets travel, as Janus sees it: 'local <-> remote'.
  async selectedPairs() {
    const pairs = [];
    for (const session of (await this.admin('list_sessions')).sessions) {
      for (const handle of (await this.admin('list_handles', `/${session}`)).handles) {
        const { info } = await this.admin('handle_info', `/${session}/${handle}`);
        const ice = info?.webrtc?.ice ?? info?.webrtc;
        if (ice?.['selected-pair']) pairs.push(ice['selected-pair']);
      }
    }
    return pairs;
  }

  readLog() {
    return readFileSync(this.log, 'utf8').split('\n').slice(-40).join('\n');
  }

  async stop() {
    this.process.kill('SIGTERM');
    if (await Promise.race([this.ended.then(() => false), sleep(5000).then(() => true)])) this.process.kill('SIGKILL');
    await this.ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

// For direct calls. libnice, which Janus is built on, asks in the classic way of RFC 3489, so it is coturn that answers.
export async function startStunServer(namespace, address) {
  const command = ['turnserver', '-n', '--stun-only', `--listening-ip=${address}`, '--no-tls', '--no-dtls', '--no-cli', '--log-file=stdout',
    '--pidfile=/dev/null'];
  const server = namespace.spawn(command, { stdio: 'ignore' });
  await until(20_000, 'coturn listens', () => namespace.run('ss', '-Hlun', 'sport', '=', '3478').includes(address));
  return server;
}
