import { BrokerError, type BrokerErrorCode, type BrokerFacts } from '../errors.ts';
import { closedError, networkError, timeoutError } from '../network-error.ts';
import type { AmqpTarget } from '../url.ts';

/** Reply codes of AMQP 0-9-1. */
const REPLY = { forced: 320, accessRefused: 403, notFound: 404, preconditionFailed: 406, notAllowed: 530 } as const;

/** Code of a channel's or connection's close, which amqplib puts on the error; null when there is none. */
function replyCode(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}

export const isNotFound = (error: unknown): boolean => replyCode(error) === REPLY.notFound;
export const isPreconditionFailed = (error: unknown): boolean => replyCode(error) === REPLY.preconditionFailed;
export const isAccessRefused = (error: unknown): boolean => replyCode(error) === REPLY.accessRefused;

/**
 * Which step of the handshake the server ended. amqplib drops the reply code there and leaves only its own wording, so
 * this is the one place that reads a message: amqplib's, not the broker's.
 */
function handshakeRefusal(error: unknown): 'login' | 'vhost' | 'closed' | null {
  if (!(error instanceof Error)) return null;
  if (/^Handshake terminated by server: 403\b/.test(error.message)) return 'login';
  if (/^Handshake terminated by server/.test(error.message)) return 'closed';
  if (/^Expected ConnectionOpenOk; got <ConnectionClose\b/.test(error.message)) return 'vhost';
  if (/^Socket closed abruptly/.test(error.message)) return 'closed';
  return null;
}

/** Says in our words what amqplib or RabbitMQ said. */
export function amqpError(error: unknown, target: AmqpTarget, cluster: string): BrokerError {
  const facts: BrokerFacts = { cluster, endpoint: target.endpoint };
  const network = networkError(error, facts, target.tls !== null);
  if (network !== null) return network;
  const make = (code: BrokerErrorCode, problem: string, remedy: string) =>
    new BrokerError(code, facts, problem, remedy, error);
  const { username, vhost } = target;
  const permissions = `rabbitmqctl set_permissions -p '${vhost}' '${username}' '^meadow\\.' '^meadow\\.' '^meadow\\.|^celeryev$'`;
  switch (handshakeRefusal(error)) {
    case 'login':
      return make(
        'BROKER_AUTH_FAILED',
        `user "${username}" or its password was refused`,
        'write amqp://user:password@host/vhost, "/", "@" and ":" escaped; guest may log in from the same machine only',
      );
    case 'vhost':
      return make(
        'BROKER_VHOST_NOT_FOUND',
        `the virtual host "${vhost}" does not exist, or user "${username}" may not use it`,
        `check the end of the url, run rabbitmqctl add_vhost '${vhost}' or ${permissions}`,
      );
    case 'closed':
      return closedError(facts, target.tls !== null, error);
    case null:
      break;
  }
  const code = replyCode(error);
  if (code === REPLY.accessRefused || code === REPLY.notAllowed) {
    return make('BROKER_PERMISSION_DENIED', `user "${username}" may not do this (${code})`, `run ${permissions}`);
  }
  if (code !== null && code !== REPLY.forced) {
    return make('BROKER_REFUSED', `it answered ${code}`, "read the broker's log for the reason");
  }
  if (error instanceof Error && error.message === 'Heartbeat timeout') return timeoutError(facts, error);
  return closedError(facts, target.tls !== null, error);
}
