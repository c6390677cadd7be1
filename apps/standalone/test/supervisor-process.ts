/** A supervisor in a process of its own, so that a test can kill it: `node supervisor-process.ts <directory> <trace file>`. */
import { openGuard } from '../src/supervisor/guard-client.ts';
import { createSupervisor } from '../src/supervisor/supervisor.ts';
import { fixture } from './fixture-spec.ts';

const [directory = '', trace = ''] = process.argv.slice(2);
const guard = await openGuard({ directory, info: `pid ${process.pid}` });
const specs = [fixture(trace, 'polite', 'serve'), fixture(trace, 'parent', 'family')];
await createSupervisor(specs, { guard, log: () => undefined }).start();
console.log('up');
