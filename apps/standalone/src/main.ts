import { runCli } from './run-cli.ts';

// a terminal that is gone must not end the supervisor before it has stopped what it started
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.exitCode = await runCli(process.argv.slice(2));
process.exit();
