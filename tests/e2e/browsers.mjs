// Debian's browsers, headless, with fake cameras and microphones. Each entry gives a page and a way to end it.

import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

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

export const browsers = {
  async chromium() {
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: chromiumFlags });
    const page = await browser.newPage();
    return { page, version: browser.version(), close: () => browser.close() };
  },

  async firefox() {
    const browser = await puppeteer.launch({
      browser: 'firefox', executablePath: '/usr/bin/firefox-esr', headless: true, extraPrefsFirefox: firefoxPreferences,
    });
    const page = await browser.newPage();
    return { page, version: await browser.version(), close: () => browser.close() };
  },
};
