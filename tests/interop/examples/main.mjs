// The demos of k8s/examples as their manifests run them. `main.mjs CASE` inside lib/sandbox; `main.mjs --list`.

import { FIRST_POD } from '../lib/cluster.mjs';
import {
  BLUE, GOLD, GREEN, RED, camera, connected, flows, hasNoCall, openPage, press, root, runCase, shows, startCluster, within,
} from '../lib/demo.mjs';

// What the image would run.
const programs = {
  'uturn-examples': (words) => ['/usr/bin/env', 'PYTHONDONTWRITEBYTECODE=1', ...words.map((word) => word.replace(/^\/app\//, `${root}/k8s/examples/`))],
};
const start = (example, change) => startCluster(example, programs, { change });

function configure(find, change) {
  const { data } = find('ConfigMap', 'stunner-relay');
  const config = JSON.parse(data['uturn.json']);
  change(config);
  data['uturn.json'] = JSON.stringify(config);
}

const cases = {
  // The relay's routes are closed, and so is the NetworkPolicy: only the relay's own pods may be reached.
  async 'direct-one2one-call'() {
    const cluster = await start('direct-one2one-call', ({ find }) => configure(find, (config) => {
      for (const listener of config.listeners) listener.routes = [];
    }));
    return within(cluster, async () => {
      const pages = await Promise.all([openPage(camera(cluster, 'red', RED)), openPage(camera(cluster, 'blue', BLUE))]);
      for (const page of pages) await press(page);
      await Promise.all(pages.map(connected));
      await Promise.all([shows(pages[0], { '0.5,0.5': BLUE }), shows(pages[1], { '0.5,0.5': RED })]);
      const remoteAddress = cluster.pod('stunner').address;
      return Promise.all(pages.map((page) => flows(page, { remote: ['relay', 'prflx'], remoteAddress })));
    });
  },

  async 'one2one-call'() {
    const cluster = await start('one2one-call');
    return within(cluster, async () => {
      const pages = await Promise.all([openPage(camera(cluster, 'green', GREEN)), openPage(camera(cluster, 'blue', BLUE))]);
      for (const page of pages) await press(page);
      await Promise.all(pages.map(connected));
      await Promise.all([shows(pages[0], { '0.5,0.5': BLUE }), shows(pages[1], { '0.5,0.5': GREEN })]);
      const remoteAddress = cluster.pod('one2one-call').address;
      return Promise.all(pages.map((page) => flows(page, { remote: ['host'], remoteAddress })));
    });
  },

  async 'magic-mirror'() {
    return mirror(await start('magic-mirror'), 'udp');
  },

  // TCP from the browser to the relay, as the overlay two-services publishes it.
  async 'magic-mirror over TCP'() {
    return mirror(await start('magic-mirror', ({ find }) => {
      Object.assign(find('ConfigMap', 'stunner-config').data, { STUNNER_TRANSPORT_UDP_ENABLE: '', STUNNER_TRANSPORT_TCP_ENABLE: '1' });
      find('Service', 'stunner').spec.ports.push({ name: 'stunner-tcp', protocol: 'TCP', port: 3478, targetPort: 3478 });
    }), 'tcp');
  },

  async 'magic-mirror with time-limited credentials'() {
    return mirror(await start('magic-mirror', ({ find }) => {
      find('ConfigMap', 'stunner-config').data.STUNNER_AUTH_TYPE = 'ephemeral';
      find('Secret', 'stunner-credentials').stringData = { STUNNER_SHARED_SECRET: 'a secret of the test' };
    }), 'udp');
  },

  // The page's ICE servers come from the relay itself.
  async 'magic-mirror with credentials from the relay'() {
    return mirror(await start('magic-mirror', ({ demo, find }) => {
      find('ConfigMap', 'stunner-config').data.STUNNER_AUTH_TYPE = 'ephemeral';
      find('Secret', 'stunner-credentials').stringData = { STUNNER_SHARED_SECRET: 'a secret of the test' };
      configure(find, (config) => {
        config.admin.ice_endpoint = 'http://:8088';
        config.listeners = config.listeners.slice(0, 1);
      });
      const web = demo.find(({ kind }) => kind === 'Deployment').spec.template.spec.containers[0];
      web.envFrom = [];
      web.env = [{ name: 'STUNNER_AUTH_URL', value: `http://${FIRST_POD}:8088/ice` }];
    }), 'udp');
  },

  async 'magic-mirror behind closed routes'() {
    const cluster = await start('magic-mirror', ({ find }) => configure(find, (config) => {
      config.clusters[0].endpoints = ['10.245.0.0/16:<10000-20000>'];
    }));
    return within(cluster, async () => {
      const page = await openPage(camera(cluster, 'red', RED));
      await press(page);
      await hasNoCall(page);
      return 'no call';
    });
  },
};

function mirror(cluster, relayProtocol) {
  return within(cluster, async () => {
    const page = await openPage(camera(cluster, 'red-blue', RED, BLUE));
    await press(page);
    await connected(page);
    await shows(page, { '0.25,0.5': BLUE, '0.75,0.5': RED, '0.01,0.5': GOLD, '0.99,0.5': GOLD, '0.5,0.01': GOLD, '0.5,0.99': GOLD });
    return flows(page, { remote: ['host'], remoteAddress: cluster.pod('magic-mirror').address, relayProtocol });
  });
}

await runCase(cases);
