import { expect, test } from 'vitest';
import { auditLine, auditRecord, type AuditRecord } from './audit.ts';

const record: AuditRecord = {
  id: '5c0ffee0-1234-4567-89ab-0123456789ab',
  at: 1_795_169_474.186502,
  cluster: 'prod',
  actor: 'ann',
  signed_in: 'oidc',
  address: '10.0.0.7',
  user_agent: 'curl/8',
  action: 'rate_limit',
  target_kind: 'worker',
  targets: ['celery@w1', 'celery@w2'],
  arguments: '{"task_name":"app.add","rate_limit":"10/m"}',
  outcome: 'partly',
  detail: '1 of 2 workers did it',
  answers: '{"celery@w1":{"ok":"new rate limit set successfully"}}',
  duration_seconds: 0.25,
  request_id: 'r1',
  replica: 'control-1',
};
const told = (more: Partial<AuditRecord>): AuditRecord =>
  auditRecord.parse(JSON.parse(auditLine({ ...record, ...more })));

test('a record is one line and comes back as it was', () => {
  expect(auditLine(record)).toMatch(/^[^\n]+\n$/);
  expect(told({})).toEqual(record);
});

test('what is too long is cut within no character, and says so', () => {
  const {
    arguments: args,
    answers,
    detail,
    actor,
  } = told({
    arguments: 'é'.repeat(5_000),
    answers: '💥'.repeat(20_000),
    detail: 'two\n lines',
    actor: 'x'.repeat(300),
  });
  expect(args).toBe(`${'é'.repeat(4_096)}…(cut from 5000 characters)`);
  expect(answers).toBe(`${'💥'.repeat(16_384)}…(cut from 40000 characters)`);
  expect([detail, actor]).toEqual(['two lines', 'x'.repeat(300)]);
});

test('of very many targets the first are named, and how many there were', () => {
  const targets = Array.from({ length: 10_000 }, (_, index) => `${index}`.padStart(36, '0'));
  const { targets: kept } = told({ targets });
  expect(kept.slice(0, -1)).toEqual(targets.slice(0, 1_820));
  expect(kept.at(-1)).toBe('…and 8180 more');
});

test('whatever is in it, a line fits a message of NATS and is text', () => {
  const bad = '\u0001'.repeat(200_000);
  const line = auditLine({
    ...{ ...record, actor: bad, address: bad, user_agent: bad, action: bad, request_id: bad, replica: bad },
    ...{ arguments: bad, answers: bad, detail: bad, targets: new Array<string>(1_000).fill(bad) },
  });
  expect(Buffer.byteLength(line)).toBeLessThan(1_000_000);
  expect(told({ actor: 'a\ud800b' }).actor).toBe('a\ufffdb');
});
