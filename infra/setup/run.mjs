/**
 * What `npm start`, `npm run demo`, `npm test`, `npm run doctor`, `npm run bench` and `npm run fuzz` call. Installs what is missing, then hands over to the
 * command. Runs in a fresh clone on any Node from 18 on: plain JavaScript, nothing but Node's own modules.
 */
import { buildDashboard } from './dashboard.mjs';
import { installDebianPackages } from './debian.mjs';
import { runFaults } from './faults.mjs';
import { installNpmPackages } from './packages.mjs';
import { handOver } from './hand-over.mjs';
import { SetupError } from './step.mjs';
import { runTests } from './test.mjs';

/** Per command: the Debian packages it needs, whether it shows the dashboard, and what it runs. */
const COMMANDS = {
  start: { debian: () => ['nats-server'], dashboard: true, script: 'apps/standalone/src/main.ts' },
  demo: {
    debian: (args) => [
      ...['nats-server', 'redis-server', 'python3-celery', 'python3-redis'],
      ...(args.includes('--rabbitmq') ? ['rabbitmq-server'] : []),
    ],
    dashboard: true,
    script: 'infra/demo/main.ts',
  },
  test: {
    debian: () => ['nats-server', 'redis-server', 'rabbitmq-server', 'python3-celery', 'python3-redis', 'chromium'],
    dashboard: true,
    run: runTests,
  },
  faults: {
    debian: () => ['nats-server', 'redis-server', 'rabbitmq-server', 'chromium'],
    dashboard: true,
    run: runFaults,
  },
  doctor: { debian: () => [], dashboard: false, script: 'apps/collector/src/doctor.ts' },
  bench: {
    debian: (args) => ['nats-server', 'redis-server', ...(args[0] === 'screen' ? ['chromium'] : [])],
    dashboard: true,
    script: 'bench/main.ts',
  },
  fuzz: { debian: () => [], dashboard: false, script: 'bench/fuzz/main.ts' },
};

const [name = '', ...args] = process.argv.slice(2);
const command = COMMANDS[name];
if (command === undefined) {
  console.error(`usage: node infra/setup/run.mjs ${Object.keys(COMMANDS).join('|')} [arguments]`);
  process.exit(2);
}
const helpOnly = args.includes('--help') || args.includes('-h');
try {
  await installNpmPackages();
  if (!helpOnly) {
    // an external NATS server makes our own unnecessary
    const external = args.some((arg) => arg === '--nats' || arg.startsWith('--nats='));
    await installDebianPackages(command.debian(args).filter((it) => !(external && it === 'nats-server')));
    if (command.dashboard) await buildDashboard();
  }
  process.exitCode = command.run === undefined ? await handOver(command.script, args) : await command.run(args);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`\n${error.message}\n`);
  process.exitCode = 1;
}
