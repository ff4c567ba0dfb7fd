// Network namespaces, and the processes in them. A namespace lives as long as the process that holds it, and that one as long as this
// process: nothing is left behind, however a test ends.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NODE_WORKS_AS_ROUTER = 'echo 1 >/proc/sys/net/ipv4/ip_forward';

export class Namespace {
  // The one that this process is in. `tests/e2e/in-namespace` has made it: a machine's own network is never touched.
  static own() {
    if (!process.env.UTURN_E2E_NAMESPACE) throw new Error('start this test with tests/e2e/in-namespace: it changes its network');
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
    const own = new Namespace(process.pid);
    own.run('sh', '-c', `ip link set lo up && ${NODE_WORKS_AS_ROUTER}`);
    return own;
  }

  static async make() {
    const script = `ip link set lo up && ${NODE_WORKS_AS_ROUTER} && echo made && exec cat`;
    const holder = spawn('unshare', ['--net', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const made = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit').then(() => null)]);
    if (!made) throw new Error('no network namespace could be made: are you root?');
    holder.unref();
    const namespace = new Namespace(holder.pid);
    namespace.holder = holder;
    return namespace;
  }

  constructor(pid) {
    this.pid = pid;
    this.enter = ['nsenter', `--net=/proc/${pid}/ns/net`, '--'];
  }

  // Waits for it, and returns what it says.
  run(...command) {
    const [program, ...args] = [...this.enter, ...command];
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  spawn(command, settings) {
    const [program, ...args] = [...this.enter, ...command];
    return spawn(program, args, settings);
  }

  // A program that does as the other does, in here.
  wrap(program, file) {
    writeFileSync(file, `#!/bin/sh\nexec ${this.enter.join(' ')} ${program} "$@"\n`);
    chmodSync(file, 0o700);
    return file;
  }

  applyRules(rules) {
    const [program, ...args] = [...this.enter, 'nft', '-f', '-'];
    execFileSync(program, args, { input: `${rules}\n`, stdio: ['pipe', 'inherit', 'inherit'] });
  }

  // The firewall of this namespace, as a whole.
  setFirewall(rules) {
    this.applyRules(`flush ruleset\n${rules}`);
  }

  route(to, via) {
    this.run('ip', 'route', 'add', to, 'via', via);
  }
}

// A cable: each end is [namespace, name of the device, address/bits].
export function connect([one, oneDevice, oneAddress], [two, twoDevice, twoAddress]) {
  one.run('ip', 'link', 'add', oneDevice, 'type', 'veth', 'peer', 'name', twoDevice, 'netns', String(two.pid));
  for (const [namespace, device, address] of [[one, oneDevice, oneAddress], [two, twoDevice, twoAddress]]) {
    namespace.run('ip', 'address', 'add', address, 'dev', device);
    namespace.run('ip', 'link', 'set', device, 'up');
  }
}

// { name: address } for this process and those that it starts, instead of a name server: its mounts are its own (tests/e2e/in-namespace).
// Chromium looks for a TURN server's name with the dot at its end that makes it whole.
export function setNames(names) {
  const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-names-'));
  const lines = Object.entries({ localhost: '127.0.0.1', ...names }).map(([name, address]) => `${address} ${name} ${name}.\n`);
  writeFileSync(join(directory, 'hosts'), lines.join(''));
  writeFileSync(join(directory, 'resolv.conf'), 'nameserver 127.0.0.1\n');
  for (const file of ['hosts', 'resolv.conf']) execFileSync('mount', ['--bind', join(directory, file), join('/etc', file)]);
  process.on('exit', () => rmSync(directory, { recursive: true }));
}
