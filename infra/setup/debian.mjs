import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runStep, SetupError } from './step.mjs';

/** How to tell that a package is there, without asking dpkg: any of these files, or programs on PATH. */
const PROOF = {
  'nats-server': ['nats-server'],
  'redis-server': ['redis-server'],
  'rabbitmq-server': ['rabbitmq-server'],
  'python3-celery': ['/usr/lib/python3/dist-packages/celery/__init__.py'],
  'python3-redis': ['/usr/lib/python3/dist-packages/redis/__init__.py'],
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
};

/**
 * As root. Debian starts servers when it installs them: policy-rc.d forbids that for the time being, and what came new
 * is kept from starting with the machine, since Meadow starts its own.
 */
const INSTALL = `
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\\nexit 101\\n' > $policy
  chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
apt-get update -q
apt-get install -y -q --no-install-recommends "$@"
if [ -d /run/systemd/system ]; then
  for package in "$@"; do
    case $package in *-server) systemctl disable --now "$package" || true ;; esac
  done
fi
`;

/** Installs those of the packages that are missing. */
export async function installDebianPackages(wanted) {
  const missing = wanted.filter((name) => !PROOF[name].some(isThere));
  if (missing.length === 0) return;
  const list = missing.join(' ');
  const byHand = [
    `Missing: ${list}.`,
    `  on Debian and Ubuntu:  sudo apt-get install --no-install-recommends ${list}`,
    '  with Docker instead:   docker compose --profile demo up',
  ].join('\n');
  if (!isThere('apt-get')) throw new SetupError(`${byHand}\nThis system has no apt-get to install them with.`);
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) {
    throw new SetupError(
      `${byHand}\nThat takes root, and sudo is missing or asks for a password: run the first line yourself.`,
    );
  }
  const shell = ['sh', '-c', INSTALL, 'install', ...missing];
  const [command, ...args] = isRoot ? shell : ['sudo', '-n', ...shell];
  const { ok } = await runStep(`installing Debian packages: ${list}`, command, args, { env: process.env });
  if (!ok) throw new SetupError(`${byHand}\napt-get failed; the lines above tell why.`);
}

function isThere(fileOrProgram) {
  if (fileOrProgram.startsWith('/')) return existsSync(fileOrProgram);
  // a user's PATH may not lead to sbin, where Debian puts servers
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.some((folder) => existsSync(join(folder, fileOrProgram)));
}
