import assert from 'node:assert/strict';
import { encodeTaskEvents, TaskEventFormatError, TaskEventReader, TEXT_COLUMN } from '../src/index.ts';

// What must hold for whatever bytes a batch may be; `npm run fuzz` tries them.

const event = {
  ...{ event_id: '0123456789abcdef', type: 'task-received', timestamp: 1.5, collected_at: 2.5, worker: 'w@h' },
  ...{
    task_id: 'u',
    name: 'a.b',
    args: '(1,)',
    pid: 7,
    clock: 5,
    retries: 0,
    runtime: 0.5,
    expired: true,
    extra: '{}',
  },
};

/** Reads every frame that can be read, and goes on behind one that cannot. Ends, whatever the lengths in it say. */
function batchIsRead(input: Uint8Array): void {
  const reader = new TaskEventReader();
  reader.begin(input);
  for (let frames = 0; ; frames++) {
    assert.ok(frames <= input.length, 'each step goes ahead');
    try {
      if (!reader.next()) return;
      const { eventId, timestamp, collectedAt, taskId, name, queue, pid, clock, runtime, expired } = reader;
      assert.equal(eventId.length, 16);
      assert.ok(Number.isFinite(timestamp) && Number.isFinite(collectedAt));
      JSON.stringify([
        taskId,
        name,
        queue,
        pid,
        clock,
        runtime,
        expired,
        reader.text(TEXT_COLUMN.args),
        reader.text(TEXT_COLUMN.parent_id),
      ]);
    } catch (error) {
      if (!(error instanceof TaskEventFormatError)) throw error;
    }
    assert.ok(reader.frameBegin <= reader.frameEnd && reader.frameEnd <= input.length, 'a frame lies in its batch');
  }
}

export const targets = [
  {
    name: 'batch',
    seeds: [encodeTaskEvents([event]), encodeTaskEvents([event, { ...event, args: 'x'.repeat(300) }, event])],
    run: batchIsRead,
  },
];
