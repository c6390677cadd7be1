import { BrokerError, type BrokerFacts } from '../errors.ts';
import { closedError, networkError } from '../network-error.ts';
import type { RedisTarget } from '../url.ts';

/** An error reply as ioredis throws it: Redis puts its code first, `WRONGPASS invalid username-password pair`. */
interface ReplyError extends Error {
  readonly command?: { readonly name: string };
}

/** Says in our words what ioredis or Redis said. */
export function redisError(error: unknown, target: RedisTarget, cluster: string): BrokerError {
  const facts: BrokerFacts = { cluster, endpoint: target.endpoint };
  const network = networkError(error, facts, target.tls !== null);
  if (network !== null) return network;
  if (!isReplyError(error)) return closedError(facts, target.tls !== null, error);
  const [code = ''] = error.message.split(' ', 1);
  const make = (ours: ConstructorParameters<typeof BrokerError>[0], problem: string, remedy: string) =>
    new BrokerError(ours, facts, problem, remedy, error);
  if (code === 'WRONGPASS' || code === 'NOAUTH' || error.command?.name === 'auth') {
    const problem = code === 'NOAUTH' ? 'it asks for a password' : 'user or password was refused';
    return make(
      'BROKER_AUTH_FAILED',
      `${problem} (${code})`,
      'write redis://user:password@host, "/", "@" and ":" escaped',
    );
  }
  if (code === 'NOPERM') {
    const user = target.username ?? 'default';
    const remedy = `run ACL SETUSER ${user} +psubscribe +ping allchannels, or grant our patterns alone`;
    return make('BROKER_PERMISSION_DENIED', `user ${user} may not do this (NOPERM)`, remedy);
  }
  if (error.command?.name === 'select') {
    const remedy = 'check the number at the end of the url against the setting "databases" of this server';
    return make('BROKER_DB_INVALID', `database ${target.db} was refused`, remedy);
  }
  return make('BROKER_REFUSED', `it answered ${code}`, 'wait while it loads or fails over, else read its log');
}

function isReplyError(error: unknown): error is ReplyError {
  return error instanceof Error && error.name === 'ReplyError';
}
