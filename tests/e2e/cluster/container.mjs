// Runs an image's entry as a container runtime does in the ways that matter here: with the image as its read-only root, volumes, an
// environment of its own, and without privileges.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const USER = '65532:65532';

// `volumes`: { path in the container: folder here }.
export function containerCommand(root, entry, { volumes = {}, environment = {} }) {
  const mounts = { '/proc': '/proc', '/dev': '/dev', ...volumes };
  for (const path of Object.keys(mounts)) mkdirSync(join(root, path), { recursive: true });
  const script = [
    `mount --bind ${root} ${root}`, `mount -o remount,bind,ro ${root}`,
    ...Object.entries(mounts).map(([path, folder]) => `mount --rbind ${folder} ${root}${path}`),
    `exec chroot --userspec=${USER} ${root} "$@"`,
  ].join(' && ');
  const variables = Object.entries({ PATH: '/usr/sbin:/usr/bin:/bin', ...environment }).map(([name, value]) => `${name}=${value}`);
  return ['unshare', '--mount', 'env', '-i', ...variables, 'sh', '-c', script, 'sh', ...entry];
}
