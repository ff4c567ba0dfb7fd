// A certificate authority for one run, which the browsers trust, and a certificate of it for the servers, by these names.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export function makeCertificates(directory, names = 'DNS:localhost,IP:127.0.0.1') {
  const file = (name) => join(directory, name);
  openssl('req', '-x509', ...newKey, '-days', '30', '-subj', '/CN=browser tests', '-keyout', file('authority.key'),
    '-out', file('authority.crt'), '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', file('relay.key'), '-out', file('relay.csr'));
  writeFileSync(file('relay.ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
  openssl('x509', '-req', '-in', file('relay.csr'), '-days', '30', '-extfile', file('relay.ext'), '-CA', file('authority.crt'),
    '-CAkey', file('authority.key'), '-CAcreateserial', '-out', file('relay.crt'));
  return { authority: file('authority.crt'), cert: file('relay.crt'), key: file('relay.key') };
}

// In a database of NSS, which both browsers read: Firefox in its profile, Chromium in the user's home.
export function trust(database, authority) {
  mkdirSync(database, { recursive: true });
  const run = (...args) => execFileSync('certutil', ['-d', `sql:${database}`, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  run('-N', '--empty-password');
  run('-A', '-n', 'browser tests', '-t', 'C,,', '-i', authority);
}
