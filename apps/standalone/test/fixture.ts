/**
 * A small process for the supervisor's tests: `node fixture.ts <trace file> <name> <behaviour>`.
 * serve: runs until SIGTERM; deaf: ignores SIGTERM and the end of stdin; die: ends at once with code 7;
 * family: like deaf, with a deaf child of its own.
 */
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

const [trace = '', name = '', behaviour = ''] = process.argv.slice(2);
const note = (what: string): void => appendFileSync(trace, `${name} ${what} ${process.pid}\n`);

// before it says that it runs: a signal may come right then
process.on('SIGTERM', () => {
  if (behaviour !== 'serve') return;
  note('stopped');
  process.exit(0);
});
note('started');
console.log(JSON.stringify({ level: 'info', time: Date.now(), service: name, msg: `${name} speaks`, answer: 42 }));
if (behaviour === 'die') {
  console.error('the reason is on stderr');
  process.exit(7);
}
if (behaviour === 'family') {
  spawn(process.execPath, [import.meta.filename, trace, `${name}-child`, 'deaf'], { stdio: 'ignore' });
}
setInterval(() => undefined, 1000);
