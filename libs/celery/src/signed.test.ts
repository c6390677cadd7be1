import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { lines } from '../test/recorded.ts';
import { codeOf, vector } from '../test/wire.ts';
import { decodeContent } from './content.ts';
import { decodeRedisEnvelope } from './envelope.ts';
import type { Envelope } from './envelope.ts';
import { decodeEvents } from './event-decoder.ts';
import { certificateStore, readSignedBody, verifySignedBody } from './signed.ts';
import { decodeTaskMessage } from './task-message.ts';

const certificates = certificateStore([vector('probes/auth-signed-cert.pem')]);
const signer = 'proto-test 232841101728042610676936963657775213421417104436';

const envelopes: Envelope[] = lines<{ argv: string[] }>('probes/auth-signed-5.2.jsonl').map(({ argv }) =>
  decodeRedisEnvelope(argv[2] ?? ''),
);

test('every recorded signed message is readable, names its signer and verifies', () => {
  expect(envelopes).toHaveLength(11);
  for (const envelope of envelopes) {
    expect(decodeContent(envelope)).toMatchObject({ signer, verified: false });
    expect(decodeContent(envelope, { certificates })).toMatchObject({ signer, verified: true });
  }
});

test('recorded signed events and tasks decode like any other', () => {
  const events = envelopes.flatMap((envelope) => decodeEvents(envelope).events.map(({ type }) => type));
  expect(events).toEqual([
    'worker-online',
    'task-sent',
    'task-received',
    'task-started',
    'worker-heartbeat',
    'worker-heartbeat',
    'worker-offline',
  ]);
  const tasks = envelopes.filter(({ headers }) => headers['task'] !== undefined).map((task) => decodeTaskMessage(task));
  expect(tasks).toMatchObject([{ task: 'secureapp.add', args: [2, 3], kwargs: {}, signer }]);
});

const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });

function signedBody(form: 'raw' | 'base64', payload: string, id = 'Our CA 77'): Buffer {
  const padding = constants.RSA_PKCS1_PSS_PADDING;
  const saltLength = constants.RSA_PSS_SALTLEN_MAX_SIGN;
  const signature = sign('sha256', Buffer.from(payload), { key: keys.privateKey, padding, saltLength });
  const pack = (field: Uint8Array): Uint8Array =>
    form === 'raw' ? field : Buffer.from(Buffer.from(field).toString('base64'));
  const fields = [pack(Buffer.from(id)), pack(signature), 'application/json', 'utf-8', payload];
  const frame = Buffer.concat(
    fields.flatMap((field, at) => (at === 0 ? [] : [Buffer.from([0, 1])]).concat(Buffer.from(field))),
  );
  return Buffer.from(frame.toString('base64'));
}

test.each(['raw', 'base64'] as const)('both layouts are read: %s', (form) => {
  const payload = '{"with": "\u0000\u0001 inside"}';
  const body = readSignedBody(signedBody(form, payload));
  expect(body).toMatchObject({ signer: 'Our CA 77', contentType: 'application/json', contentEncoding: 'utf-8' });
  expect(Buffer.from(body.payload).toString()).toBe(payload);
  expect(() => verifySignedBody(body, new Map([['Our CA 77', keys.publicKey]]))).not.toThrow();
});

test('a separator inside a raw signature does not end it', () => {
  const signature = Buffer.alloc(256, 7);
  signature.set([0, 1], 100);
  signature.set(Buffer.from('\0\x01a/b'), 150);
  const frame = Buffer.concat([
    Buffer.from('CA 1\0\x01'),
    signature,
    Buffer.from('\0\x01application/json\0\x01utf-8\0\x01[]'),
  ]);
  expect(readSignedBody(Buffer.from(frame.toString('base64'))).signature).toEqual(signature);
});

test('a changed payload, an unknown signer and a foreign key do not verify', () => {
  const body = readSignedBody(signedBody('base64', '[1]'));
  const ours = new Map([['Our CA 77', keys.publicKey]]);
  expect(codeOf(() => verifySignedBody({ ...body, payload: Buffer.from('[2]') }, ours))).toBe('CELERY_SIGNATURE_WRONG');
  expect(codeOf(() => verifySignedBody(body, certificates))).toBe('CELERY_SIGNATURE_WRONG');
  const other = new Map([['Our CA 77', certificates.get(signer) ?? keys.publicKey]]);
  expect(codeOf(() => verifySignedBody(body, other))).toBe('CELERY_SIGNATURE_WRONG');
  expect(codeOf(() => verifySignedBody(body, ours, 'no-such-digest'))).toBe('CELERY_SIGNATURE_WRONG');
});

test.each(['', 'plain text', '\0\x01', Buffer.from('a b\0\x01c').toString('base64'), 'AAAA'])(
  '%j is not signed',
  (body) => {
    expect(codeOf(() => readSignedBody(Buffer.from(body)))).toBe('CELERY_SIGNED_INVALID');
  },
);
