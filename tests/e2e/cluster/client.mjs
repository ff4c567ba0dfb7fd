// A browser somewhere, whose pages are clients of Janus (see janus/page.js).

import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { browsers } from '../browsers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const types = { html: 'text/html', js: 'text/javascript' };
const janusFiles = [
  join(here, '../janus/page.html'), join(here, '../janus/page.js'),
  '/usr/share/javascript/janus-gateway/janus.js', '/usr/share/javascript/webrtc-adapter/adapter.min.js',
];

// The page comes from "localhost": only there does a browser give it a camera without TLS. No server is needed for it.
export async function serveFiles(page, paths) {
  const files = Object.fromEntries(paths.map((path) => [`/${basename(path)}`, path]));
  await page.route('http://localhost/**', (route) => {
    const file = files[new URL(route.request().url()).pathname];
    if (!file) return route.fulfill({ status: 404 });
    return route.fulfill({ body: readFileSync(file), contentType: types[file.split('.').pop()] });
  });
  await page.goto('http://localhost/page.html');
}

export class Client {
  static async start(namespace, certificates) {
    const client = new Client();
    client.browser = await browsers.chromium(certificates.authority, { namespace });
    client.version = client.browser.version;
    client.problems = [];
    return client;
  }

  // A page, as an object with the functions of page.js.
  async newPage() {
    const page = await this.browser.newPage();
    page.on('console', (message) => { if (message.type() === 'error') this.problems.push(message.text()); });
    page.on('pageerror', (error) => this.problems.push(String(error)));
    await serveFiles(page, janusFiles);
    return new Proxy({ close: () => page.close() }, {
      get: (own, name) => (name in own || name === 'then' ? own[name]
        : (...args) => page.evaluate(([method, given]) => globalThis.client[method](...given), [name, args])),
    });
  }

  close() {
    return this.browser.close();
  }
}
