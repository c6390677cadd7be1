import { collector } from './collector.ts';
import { ingest } from './ingest.ts';
import { query } from './query.ts';
import { screen } from './screen.ts';
import { soak } from './soak.ts';

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  collector,
  ingest,
  query,
  screen,
  soak,
};

const [command = '', ...args] = process.argv.slice(2);
const run = COMMANDS[command];
if (run === undefined) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(COMMANDS).join('|')} [options]\n`);
  process.exit(2);
}
await run(args);
