import { clusterDefinition } from '@meadow/contract';
import { openQueues } from '../src/index.ts';

// A process that moves messages, to be killed while it does: `node moving.ts <broker> <from> <to>`.
const [broker = '', from = '', to = ''] = process.argv.slice(2);
await using queues = openQueues(clusterDefinition.parse({ name: 'garden', broker }), {
  signal: new AbortController().signal,
});
const { moved, ended } = await queues.move(from, to, {
  onProgress: (soFar) => process.stdout.write(`moved ${soFar}\n`),
});
process.stdout.write(`${ended} ${moved}\n`);
