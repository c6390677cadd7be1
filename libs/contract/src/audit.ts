import { z } from 'zod';
import { clusterName } from './cluster.ts';
import { jsonLine } from './json-line.ts';

/** How whoever commands was known; `system` is Meadow itself. */
export const SIGN_INS = ['anonymous', 'basic', 'oidc', 'token', 'header', 'system'] as const;
export const AUDIT_TARGETS = ['cluster', 'worker', 'pool', 'task', 'queue', 'error', 'database'] as const;
/**
 * `begun`: a long action goes on; its end is another record of the same request. `partly`: some of the targets did it.
 * `unanswered`: it was sent, and whether it was done is not known. `stopped`: somebody ended it half way.
 */
export const AUDIT_OUTCOMES = ['begun', 'done', 'partly', 'refused', 'failed', 'unanswered', 'stopped'] as const;

/** One command, given or refused. Keys are column names of `audit`; '' is not known or none, in every text. */
export const auditRecord = z.strictObject({
  /** Of the record, and the same however often it is published: repeats count once. */
  id: z.uuid(),
  /** Unix seconds, UTC, by the clock of `replica`. */
  at: z.number(),
  cluster: clusterName,
  actor: z.string(),
  signed_in: z.enum(SIGN_INS),
  address: z.string(),
  user_agent: z.string(),
  /** Stable name, e.g. `rate_limit`, `task.retry`, `queue.purge`. */
  action: z.string().min(1),
  target_kind: z.enum(AUDIT_TARGETS),
  /** Names of workers, pools or queues, or ids of tasks; empty for the whole cluster. */
  targets: z.array(z.string()),
  /** JSON, secrets masked. */
  arguments: z.string(),
  outcome: z.enum(AUDIT_OUTCOMES),
  /** What came of it, one line. */
  detail: z.string(),
  /** What each worker answered, JSON, secrets masked. */
  answers: z.string(),
  duration_seconds: z.number().nullable(),
  /** The same in all records of one request. */
  request_id: z.string(),
  /** Of the service that carried it out or refused it. */
  replica: z.string(),
});
export type AuditRecord = z.output<typeof auditRecord>;

/** A record as the store gives it: one of another release may have words in it that this one does not know. */
export const auditRow = auditRecord.extend({
  ...{ id: z.string(), cluster: z.string(), action: z.string() },
  ...{ signed_in: z.string(), target_kind: z.string(), outcome: z.string() },
});
export type AuditRow = z.output<typeof auditRow>;

/** A record as a line of a list: without what each worker answered. */
export const auditListRow = auditRow.omit({ answers: true });
export type AuditListRow = z.output<typeof auditListRow>;

/** Bytes of UTF-8, so that a record fits a message of NATS, whatever is escaped in it. */
const MOST_BYTES = { name: 300, detail: 2_000, arguments: 8_192, targets: 65_536, answers: 65_536 } as const;

/**
 * A record as a JSON line, newline included. Texts that are too long are cut and end in `…(cut from N characters)`: arguments
 * at 8 KB, answers at 64 KB. Of targets as many are named as fit into 64 KB, and the last one says how many more there are.
 */
export function auditLine(record: AuditRecord): string {
  return jsonLine({
    ...record,
    actor: cut(record.actor, MOST_BYTES.name),
    address: cut(record.address, MOST_BYTES.name),
    user_agent: cut(record.user_agent, MOST_BYTES.name),
    action: cut(record.action, MOST_BYTES.name),
    targets: firstOf(record.targets),
    arguments: cut(record.arguments, MOST_BYTES.arguments),
    detail: cut(record.detail.replaceAll(/\s+/g, ' '), MOST_BYTES.detail),
    answers: cut(record.answers, MOST_BYTES.answers),
    request_id: cut(record.request_id, MOST_BYTES.name),
    replica: cut(record.replica, MOST_BYTES.name),
  });
}

const utf8 = new TextEncoder();

/** The characters that fit whole, and the mark. */
function cut(text: string, mostBytes: number): string {
  if (text.length * 3 <= mostBytes) return text;
  const { read } = utf8.encodeInto(text, new Uint8Array(mostBytes));
  return read === text.length ? text : `${text.slice(0, read)}…(cut from ${text.length} characters)`;
}

function firstOf(names: readonly string[]): string[] {
  const kept: string[] = [];
  let bytes = 0;
  for (const name of names) {
    const text = cut(name, MOST_BYTES.name);
    bytes += utf8.encode(text).length;
    if (bytes > MOST_BYTES.targets) return [...kept, `…and ${names.length - kept.length} more`];
    kept.push(text);
  }
  return kept;
}
