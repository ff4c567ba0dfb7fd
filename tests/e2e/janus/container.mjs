// container.sh with a tool that only writes down what it is told, and what the example's files must agree on. Needs no root and no tool.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { report } from '../cluster/report.mjs';

const example = join(dirname(fileURLToPath(import.meta.url)), '../../../k8s/examples/janus');
const read = (name) => readFileSync(join(example, name), 'utf8');
const BASE = '--build-arg BASE_IMAGE=docker.io/library/debian:bookworm-slim';
const directory = mkdtempSync(join(tmpdir(), 'uturn-e2e-container-'));

// What container.sh did with these parameters: { status, calls (a line each), output, errors }.
function run(parameters) {
  const log = join(directory, 'log');
  for (const tool of ['docker', 'podman']) {
    const script = `#!/bin/sh\necho "${tool} $*" >>${log}\ncase $1 in login) read -r secret || true; echo "stdin $secret" >>${log} ;; esac\n`;
    writeFileSync(join(directory, tool), script);
    chmodSync(join(directory, tool), 0o755);
  }
  const environment = { PATH: `${directory}:/usr/bin:/bin`, ...parameters };
  const result = spawnSync(join(example, 'container.sh'), { encoding: 'utf8', env: environment });
  const calls = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : [];
  rmSync(log, { force: true });
  return { status: result.status, calls, output: result.stdout, errors: result.stderr };
}

const builds = (tool, first, second) => [
  `${tool} build --file Containerfile --target build ${first}`, `${tool} build --file Containerfile ${second}`,
];

function testDefaults() {
  const { status, calls, output } = run({});
  assert.equal(status, 0);
  assert.deepEqual(calls, builds('docker', `${BASE} --build-arg JANUS_FROM=debian --tag janus_build:latest .`,
    `${BASE} --build-arg JANUS_FROM=debian --build-arg BUILD_IMAGE=janus_build:latest --build-arg CONFIG_FROM=build --tag janus:latest .`));
  for (const part of ['docker run', '-p 8089:8089 -p 7889:7889', '/var/www/html/container:/html', 'live/<host>.<domain>:/etc/certs:ro',
    '/etc/letsencrypt/archive:/archive:ro', '/var/janus/recordings:/janus/bin/janus-recordings']) {
    assert.ok(output.includes(part), `the command to run has ${part}`);
  }
  assert.ok(!output.includes('janus_host'));
}

function testParameters() {
  const { status, calls, output } = run({
    IMAGE_TOOL: 'podman', IMAGE_REGISTRY: 'registry.example/team', IMAGE_REGISTRY_USER: 'anna', IMAGE_REGISTRY_PASSWORD: 'secret',
    BUILD_IMAGE_NAME: 'b', BUILD_IMAGE_TAG: '1', TARGET_IMAGE_NAME: 't', TARGET_IMAGE_TAG: '2', HOST_NAME: 'janus.example.com',
    JANUS_REPO: 'https://git.example/janus.git', JANUS_VERSION: 'v1.2.3', BUILD_WITH_HOST_CONFIG_DIR: 'true', RUN_WITH_HOST_CONFIGURATION_DIR: 'true',
  });
  assert.equal(status, 0);
  const [first, second] = builds('podman', `${BASE} --build-arg JANUS_FROM=source --build-arg JANUS_REPO=https://git.example/janus.git `
    + '--build-arg JANUS_VERSION=v1.2.3 --tag registry.example/team/b:1 .', `${BASE} --build-arg JANUS_FROM=source `
    + '--build-arg BUILD_IMAGE=registry.example/team/b:1 --build-arg CONFIG_FROM=context --tag registry.example/team/t:2 .');
  assert.deepEqual(calls, ['podman login --username anna --password-stdin registry.example', 'stdin secret',
    first, 'podman push registry.example/team/b:1', second, 'podman push registry.example/team/t:2']);
  assert.ok(output.includes('/etc/letsencrypt/live/janus.example.com:/etc/certs:ro'));
  assert.ok(output.includes('janus_config:/janus/etc/janus_host:ro -e RUN_WITH_HOST_CONFIGURATION_DIR=true'));
}

function testSkipped() {
  assert.match(run({ SKIP_BUILD_IMAGE: 'true' }).calls.join('\n'), /^docker build --file Containerfile --build-arg BASE_IMAGE=\S+ .*--tag janus:latest \.$/);
  const build = run({ SKIP_TARGET_IMAGE: 'true' });
  assert.match(build.calls.join('\n'), /^docker build --file Containerfile --target build .*--tag janus_build:latest \.$/);
  assert.equal(build.output, '');
  assert.deepEqual(run({ SKIP_BUILD_IMAGE: 'true', SKIP_TARGET_IMAGE: 'true' }).calls, []);
}

// For Kaniko: each line is its arguments; nothing is started.
function testExternal() {
  const { status, calls, output } = run({ IMAGE_TOOL: 'external', IMAGE_REGISTRY: 'registry.example' });
  assert.deepEqual([status, calls], [0, []]);
  const [first, second, ...more] = output.trim().split('\n');
  assert.deepEqual(more, []);
  assert.match(first, /^--context \S+ --dockerfile Containerfile --target build .* --destination registry\.example\/janus_build:latest$/);
  assert.match(second, /^--context \S+ --dockerfile Containerfile .* --destination registry\.example\/janus:latest$/);
}

function testMistakes() {
  const cases = [
    [{ IMAGE_TOOL: 'rkt' }, "IMAGE_TOOL is 'rkt': use docker, podman or external"],
    [{ SKIP_BUILD_IMAGE: 'yes' }, "SKIP_BUILD_IMAGE is 'yes': use true or false"],
    [{ IMAGE_REGISTRY_USER: 'anna' }, 'IMAGE_REGISTRY_USER without IMAGE_REGISTRY'],
  ];
  for (const [parameters, text] of cases) {
    const { status, calls, errors } = run(parameters);
    assert.deepEqual([status, calls], [1, []]);
    assert.ok(errors.includes(text), errors);
  }
}

// Every parameter that container.sh reads is in the page's table, and the ports of Janus are the same everywhere.
function testAgreement() {
  const page = read('README.md');
  for (const [, name] of read('container.sh').matchAll(/\$?\{([A-Z][A-Z_]+):=/g)) assert.ok(page.includes(`\`${name}\``), `README.md has ${name}`);
  const [, low, high] = /rtp_port_range = "(\d+)-(\d+)"/.exec(read('janus_config/janus.jcfg'));
  const policies = [...read('kubernetes/networkpolicy.yaml').matchAll(/port: (\d+), endPort: (\d+)/g)].map(([, ...range]) => range.join('-'));
  assert.deepEqual(policies, [`${low}-${high}`, '10000-20000', `${low}-${high}`], "Janus's ports, the relay's, and Janus's");
}

const tests = {
  'by default': testDefaults, 'all parameters': testParameters, 'steps left out': testSkipped, 'for another tool': testExternal,
  mistakes: testMistakes, 'what files agree on': testAgreement,
};
try {
  for (const [name, test] of Object.entries(tests)) await report(`container.sh: ${name}`, async () => { test(); return ''; });
} finally {
  rmSync(directory, { recursive: true, force: true });
}
