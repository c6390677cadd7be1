import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { BrokerConfigError } from '../src/errors.ts';
import { maskUrl } from '../src/mask-url.ts';
import { parseBrokerUrl } from '../src/url.ts';

// What must hold for whatever text stands where a broker URL should; `npm run fuzz` tries them.

const PASSWORD = 'c4n4ry';

/** Reads the URL or refuses it in one line; what it tells of the URL never holds the password. */
function urlIsRead(text: string): void {
  const definition = { name: 'c', broker: text, transportOptions: { master_name: 'm' } };
  const masked = maskUrl(text);
  assert.equal(maskUrl(text), masked);
  try {
    const { targets } = parseBrokerUrl(definition);
    assert.ok(targets.length > 0);
    for (const target of targets) {
      // where the same word is also host or path, it is no secret
      const secret = target.password === PASSWORD && text.split(PASSWORD).length === 2;
      if (!secret) continue;
      assert.ok(!target.endpoint.includes(PASSWORD), 'the endpoint tells the password');
      assert.ok(!masked.includes(PASSWORD), 'the masked url tells the password');
    }
  } catch (error) {
    if (!(error instanceof BrokerConfigError)) throw error;
    assert.ok(!/[\r\n]/.test(error.message), 'an error of one line');
  }
}

export const targets = [
  {
    name: 'url',
    seeds: [
      `redis://:${PASSWORD}@host:6379/3`,
      `amqp://me:${PASSWORD}@host:5672//;amqp://you:pw@[::1]/v%2Fhost`,
      `amqps://me:${PASSWORD}@h?ssl_cert_reqs=none`,
      `sentinel://a:1;sentinel://:${PASSWORD}@b:2/4`,
      `redis+socket:///tmp/redis.sock?virtual_host=2&password=${PASSWORD}`,
      'localhost',
    ].map((url) => Buffer.from(url)),
    run: (input: Uint8Array) => urlIsRead(Buffer.from(input).toString('utf8')),
  },
];
