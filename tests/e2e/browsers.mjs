// Debian's browsers, headless, with fake cameras and microphones. Each entry gives a page and a way to end it.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

import { trust } from './certificates.mjs';

const chromiumFlags = [
  '--no-sandbox',
  '--allow-loopback-in-peer-connection',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  // The relay is on loopback, which a page from localhost may reach without being asked for it.
  '--disable-features=LocalNetworkAccessChecks',
];

const firefoxPreferences = {
  'media.navigator.permission.disabled': true,
  'media.navigator.streams.fake': true,
  'media.autoplay.default': 0,
  'media.peerconnection.ice.loopback': true,
  'media.peerconnection.ice.obfuscate_host_addresses': false,
  'network.lna.enabled': false,
  'network.lna.blocking': false,
  // No codec is to be fetched from the network.
  'media.gmp-manager.updateEnabled': false,
  'media.gmp-provider.enabled': false,
};

// In a home of its own, where the authority is trusted.
function makeHome(prefix) {
  const home = mkdtempSync(join(tmpdir(), prefix));
  return { home, remove: () => rmSync(home, { recursive: true, force: true, maxRetries: 5 }) };
}

export const browsers = {
  // In a namespace (see cluster/namespace.mjs), or where this process is.
  async chromium(authority, { namespace } = {}) {
    const { home, remove } = makeHome('uturn-chromium-');
    trust(join(home, '.pki/nssdb'), authority);
    const program = '/usr/bin/chromium';
    const browser = await chromium.launch({
      executablePath: namespace ? namespace.wrap(program, join(home, 'chromium')) : program,
      headless: true, args: chromiumFlags, env: { ...process.env, HOME: home },
    });
    const page = await browser.newPage();
    return { page, newPage: () => browser.newPage(), version: browser.version(), close: () => browser.close().finally(remove) };
  },

  async firefox(authority) {
    const { home, remove } = makeHome('uturn-firefox-');
    trust(home, authority);
    const browser = await puppeteer.launch({
      browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, extraPrefsFirefox: firefoxPreferences,
      userDataDir: home,
    });
    const page = await browser.newPage();
    return { page, version: await browser.version(), close: () => browser.close().finally(remove) };
  },
};
