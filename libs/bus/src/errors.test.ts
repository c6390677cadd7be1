import { JetStreamApiError } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { busError } from './errors.ts';

// as nats-server's errors.json has them
test.each([
  [503, 10008, 'BUS_UNAVAILABLE'],
  [500, 10009, 'BUS_UNAVAILABLE'],
  [409, 10158, 'BUS_UNAVAILABLE'],
  [503, 10077, 'BUS_STREAM_FULL'],
  [400, 10071, 'BUS_CONFLICT'],
  [400, 10054, 'BUS_TOO_LARGE'],
  [400, 10052, 'BUS_REJECTED'],
])('what JetStream refuses with %i, %i is %s', (code, err_code, expected) => {
  const error = new JetStreamApiError({ code, err_code, description: 'no' });
  expect(busError('publish', error).code).toBe(expected);
});

test("what NATS's client refuses is refused for good, all else is tried again", () => {
  expect(busError('publish', new errors.InvalidArgumentError('subject')).code).toBe('BUS_REJECTED');
  const large = errors.InvalidArgumentError.format('payload', 'max_payload size exceeded');
  expect(busError('publish', large).code).toBe('BUS_TOO_LARGE');
  expect(busError('publish', new errors.TimeoutError()).code).toBe('BUS_UNAVAILABLE');
});
