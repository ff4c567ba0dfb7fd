// The media server of k8s/examples/pion: the browser's picture comes back as it was.

import { BLUE, RED, camera, connected, flows, openPage, press, runCase, shows, startCluster, within } from '../lib/demo.mjs';

const programs = { 'uturn-example-pion': () => [process.env.PION_SERVER] };

async function echo(change) {
  const cluster = await startCluster('pion', programs, { change });
  return within(cluster, async () => {
    const page = await openPage(camera(cluster, 'red-blue', RED, BLUE));
    await press(page);
    await connected(page);
    await shows(page, { '0.25,0.5': RED, '0.75,0.5': BLUE });
    return flows(page, { remote: ['host', 'prflx'], remoteAddress: cluster.pod('pion').address });
  });
}

await runCase({
  pion: () => echo(),
  'pion with time-limited credentials': () => echo(({ find }) => {
    find('ConfigMap', 'stunner-config').data.STUNNER_AUTH_TYPE = 'ephemeral';
    find('Secret', 'stunner-credentials').stringData = { STUNNER_SHARED_SECRET: 'a secret of the test' };
  }),
});
