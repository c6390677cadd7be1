import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { BrokerConfigError } from './errors.ts';
import { parseBrokerUrl, type AmqpTarget, type Broker, type RedisTarget } from './url.ts';

interface Vector {
  readonly url: string;
  readonly broker?: { readonly userid: string | null; readonly password: string | null; readonly virtual_host: string };
  readonly broker_effective?: { readonly hostname: string; readonly port: number; readonly transport: string };
  readonly redis_db?: number;
}

/** What kombu 5.6.2 makes of each form, recorded. */
const vectors = readFileSync(new URL('../../../vectors/probes/url-forms-latest.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector);

const sentinel = { transportOptions: { master_name: 'mymaster' } };
const firstOf = (broker: Broker): RedisTarget | AmqpTarget => broker.targets[0];

function refusal(broker: string, more: object = {}): BrokerConfigError {
  try {
    parseBrokerUrl({ name: 'prod', broker, ...more });
  } catch (error) {
    expect(error).toBeInstanceOf(BrokerConfigError);
    return error as BrokerConfigError;
  }
  throw new Error(`${broker} was taken`);
}

describe('as kombu reads it', () => {
  for (const vector of vectors) {
    const { url, broker, broker_effective: effective } = vector;
    if (broker === undefined || effective === undefined) continue;
    if (/^(redis|rediss):\/\//.test(url) && vector.redis_db !== undefined) {
      test(url, () => {
        const target = firstOf(parseBrokerUrl({ broker: url })) as RedisTarget;
        expect(target).toMatchObject({
          address: { kind: 'tcp', host: effective.hostname, port: effective.port },
          db: vector.redis_db,
          username: broker.userid,
          password: broker.password,
        });
        expect(target.tls !== null).toBe(url.startsWith('rediss'));
      });
    }
    // "h:5673" and "a,b" are read by kombu as host names, which no resolver knows: see below.
    if (/^(amqps?|pyamqp):\/\//.test(url) && !url.includes(',')) {
      test(url, () => {
        const target = firstOf(parseBrokerUrl({ broker: url })) as AmqpTarget;
        const host = effective.hostname === '127.0.0.1' ? 'localhost' : effective.hostname;
        expect(target).toMatchObject({
          host,
          port: broker.virtual_host === 'vh' && url.startsWith('amqps') ? 5671 : effective.port,
          vhost: broker.virtual_host,
          username: broker.userid ?? 'guest',
          password: broker.password ?? 'guest',
        });
      });
    }
  }
});

describe('redis', () => {
  test('a unix socket, its password and database', () => {
    expect(firstOf(parseBrokerUrl({ broker: 'redis+socket://:pw@/srv/r.sock?virtual_host=3' }))).toMatchObject({
      address: { kind: 'socket', path: '/srv/r.sock' },
      password: 'pw',
      db: 3,
      endpoint: 'redis+socket://:**@/srv/r.sock?virtual_host=3',
    });
  });

  test('sentinels: database and password come from the first url only', () => {
    const broker = 'sentinel://:one@a:26379/2;sentinel://:two@b/3';
    const options = { transportOptions: { master_name: 'm', sentinel_kwargs: { password: 's3' } } };
    const target = firstOf(parseBrokerUrl({ broker, ...options }));
    expect(target).toMatchObject({
      address: {
        kind: 'sentinel',
        masterName: 'm',
        password: 's3',
        sentinels: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 26_379 },
        ],
      },
      db: 2,
      password: 'one',
      endpoint: 'sentinel://:**@a:26379,b:26379/2#m',
    });
  });

  test('tls is verified unless told otherwise, and the definition wins over the url', () => {
    const tlsOf = (broker: string, more: object = {}) => firstOf(parseBrokerUrl({ broker, ...more })).tls;
    expect(tlsOf('rediss://h')).toMatchObject({ verify: true, checkHostname: true, ca: null });
    expect(tlsOf('rediss://h?ssl_cert_reqs=none')).toMatchObject({ verify: false });
    expect(tlsOf('rediss://h?ssl_cert_reqs=CERT_OPTIONAL')).toMatchObject({ verify: true });
    expect(tlsOf('rediss://h?ssl_check_hostname=false')).toMatchObject({ verify: true, checkHostname: false });
    const url = 'rediss://h?ssl_ca_certs=%2Fetc%2Fca.pem&ssl_certfile=/c&ssl_keyfile=/k';
    expect(tlsOf(url)).toMatchObject({ ca: '/etc/ca.pem', cert: '/c', key: '/k' });
    expect(tlsOf(url, { tls: { ca: '/mine', verify: true } })).toMatchObject({ ca: '/mine', cert: '/c' });
    expect(tlsOf('redis://h', { tls: { verify: false } })).toMatchObject({ verify: false });
  });
});

describe('amqp', () => {
  test('a bare host, a failover list, and an ipv6 address', () => {
    expect(parseBrokerUrl({ broker: 'h' })).toMatchObject({ kind: 'amqp', targets: [{ host: 'h', vhost: '/' }] });
    const list = parseBrokerUrl({ broker: 'amqp://a; pyamqp://u:p@b:5673/x' });
    expect(list.targets).toMatchObject([
      { host: 'a', port: 5672 },
      { host: 'b', port: 5673, vhost: 'x' },
    ]);
    expect(firstOf(parseBrokerUrl({ broker: 'amqp://[::1]:5673/vh' })).endpoint).toBe('amqp://[::1]:5673/vh');
    expect(parseBrokerUrl({ broker: 'librabbitmq://h' }).kind).toBe('amqp');
  });

  test('tls moves the default port', () => {
    expect(firstOf(parseBrokerUrl({ broker: 'amqp://h', tls: { verify: true } }))).toMatchObject({ port: 5671 });
  });
});

describe('refused, with a remedy', () => {
  const cases: [url: string, code: string, says: RegExp, more?: object][] = [
    ['', 'BROKER_URL_INVALID', /empty/],
    ['unix:///srv/r.sock', 'BROKER_SCHEME_UNKNOWN', /redis\+socket/],
    ['http://h', 'BROKER_SCHEME_UNKNOWN', /"http"/],
    ['sqs://AKIA:sec%2Fret@', 'BROKER_SCHEME_UNSUPPORTED', /sqs has no event stream/],
    ['memory://', 'BROKER_SCHEME_UNSUPPORTED', /memory/],
    ['sqla+sqlite:///x.db', 'BROKER_SCHEME_UNSUPPORTED', /sqla/],
    ['redis://h/abc', 'BROKER_DB_INVALID', /"abc" is no number/],
    ['redis://h/-1', 'BROKER_DB_INVALID', /"-1"/],
    ['redis+socket:///?virtual_host=0', 'BROKER_URL_INVALID', /no socket/],
    ['rediss://h/1?ssl_cert_reqs=bogus', 'BROKER_OPTION_INVALID', /"bogus"/],
    ['sentinel://h', 'BROKER_OPTION_INVALID', /master_name/],
    ['amqp://a,b', 'BROKER_URL_INVALID', /";"/],
    ['redis://a;amqp://b', 'BROKER_URL_INVALID', /"amqp" cannot stand/],
    ['sentinel://a;redis://b', 'BROKER_URL_INVALID', /"redis" cannot stand/, sentinel],
    ['redis://h:port/0', 'BROKER_URL_INVALID', /port is not a number/],
    ['redis://h:99999/0', 'BROKER_URL_INVALID', /65535/],
    ['redis://:pa%zz@h', 'BROKER_URL_INVALID', /%25/],
    ['redis://:hash#tag@h', 'BROKER_URL_INVALID', /%23/],
    ['redis://:slash/tag@h', 'BROKER_URL_INVALID', /%2F/],
    ['amqp://::1/x', 'BROKER_URL_INVALID', /port is not a number/],
  ];
  test.each(cases)('%s is %s', (url, code, says, more = {}) => {
    const error = refusal(url, more);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(says);
    expect(error.message).toMatch(/^cluster prod: /);
    expect(error.message).not.toMatch(/sec%2Fret|pa%zz|hash|slash/);
    expect(error.message).not.toContain('\n');
  });
});
