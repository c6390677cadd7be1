import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PINNED_NODE, ROOT, runStep, SetupError } from './step.mjs';

/** Runs `npm ci` when `node_modules` does not hold what `package-lock.json` asks for. */
export async function installNpmPackages() {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 18) throw new SetupError(`Node ${process.version} is too old; version 18 or newer is needed`);
  if (isInstalled()) return;
  // the npm that runs this script, if one does, rather than whatever comes first on PATH
  const npm = process.env.npm_execpath;
  const [command, args] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
  const run = (title, ...options) =>
    runStep(title, command, [...args, ...options, '--no-audit', '--no-fund', '--loglevel=error'], {
      // NODE_ENV=production or omit=dev from outside would leave out the pinned Node and the build tools
      env: { ...process.env, NODE_ENV: 'development', npm_config_omit: '', npm_config_include: 'dev' },
    });
  let { ok, output } = await run('installing npm packages (about 1 GB, once)', 'ci');
  if (!ok && output.includes('EUSAGE')) {
    // `npm ci` refuses the lock file where a registry lacks other platforms' builds of a package; `npm install` takes the
    // same versions and leaves those out
    ({ ok } = await run('npm ci refuses this registry, installing the locked versions', 'install', '--no-save'));
  }
  if (!ok) throw new SetupError('npm packages could not be installed; the lines above tell why');
  if (existsSync(PINNED_NODE)) return;
  // an npm that was told to run no install scripts leaves the package without its program
  const folder = join(ROOT, 'node_modules', 'node');
  await runStep('fetching the pinned Node', process.execPath, ['installArchSpecificPackage'], { cwd: folder });
  if (!existsSync(PINNED_NODE)) throw new SetupError('the pinned Node could not be fetched: npm rebuild node');
}

/** npm notes in `node_modules/.package-lock.json` what it installed, as its last act: that is the stamp. */
function isInstalled() {
  if (!existsSync(PINNED_NODE)) return false;
  try {
    const wanted = readLock(join(ROOT, 'package-lock.json'));
    const present = readLock(join(ROOT, 'node_modules', '.package-lock.json'));
    return Object.entries(wanted).every(([path, { version, optional, peer }]) => {
      const found = present[path];
      if (path === '' || !path.includes('node_modules/')) return true;
      return found === undefined ? optional === true || peer === true : found.version === version;
    });
  } catch {
    return false;
  }
}

function readLock(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}
