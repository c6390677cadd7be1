import { ingest } from './ingest.ts';

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = { ingest };

const [command = '', ...args] = process.argv.slice(2);
const run = COMMANDS[command];
if (run === undefined) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(COMMANDS).join('|')} [options]\n`);
  process.exit(2);
}
await run(args);
