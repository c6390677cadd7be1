/** What can be wrong with a broker or with the way it is described. Stable: documented, stored and shown. */
export const BROKER_ERROR_CODES = [
  /** The definition itself cannot work; a retry does not help. */
  'BROKER_SCHEME_UNKNOWN',
  'BROKER_SCHEME_UNSUPPORTED',
  'BROKER_URL_INVALID',
  'BROKER_DB_INVALID',
  'BROKER_OPTION_INVALID',
  /** The broker, or the way to it, says no; retried for ever. */
  'BROKER_UNREACHABLE',
  'BROKER_TIMEOUT',
  'BROKER_TLS_FAILED',
  'BROKER_AUTH_FAILED',
  'BROKER_VHOST_NOT_FOUND',
  'BROKER_PERMISSION_DENIED',
  'BROKER_SENTINEL_FAILED',
  'BROKER_CLOSED',
  'BROKER_REFUSED',
  /** RabbitMQ's management API, without which less is known of queues. */
  'BROKER_MANAGEMENT_UNREACHABLE',
  'BROKER_MANAGEMENT_TIMEOUT',
  'BROKER_MANAGEMENT_TLS_FAILED',
  'BROKER_MANAGEMENT_AUTH_FAILED',
  'BROKER_MANAGEMENT_VHOST_NOT_FOUND',
  'BROKER_MANAGEMENT_FAILED',
  'BROKER_MANAGEMENT_UNREADABLE',
] as const;

export type BrokerErrorCode = (typeof BROKER_ERROR_CODES)[number];

/** Names a broker in an error without its password. */
export interface BrokerFacts {
  /** Name of the cluster; '' where none is known yet. */
  readonly cluster: string;
  /** Address with the password masked. */
  readonly endpoint: string;
}

/**
 * A broker that cannot be used. The message is one line: cluster, endpoint (masked), what is wrong, and the remedy,
 * which is also a field of its own. Never holds a password.
 */
export class BrokerError extends Error {
  override readonly name: string = 'BrokerError';
  readonly code: BrokerErrorCode;
  readonly cluster: string;
  readonly endpoint: string;
  readonly remedy: string;

  constructor(code: BrokerErrorCode, facts: BrokerFacts, problem: string, remedy: string, cause?: unknown) {
    const subject = facts.cluster === '' ? `broker ${facts.endpoint}` : `cluster ${facts.cluster}: ${facts.endpoint}`;
    // what a definition holds is quoted, and may hold line breaks
    super(`${subject}: ${problem}; ${remedy}`.replace(/[\r\n]+/g, ' '), cause === undefined ? undefined : { cause });
    this.code = code;
    this.cluster = facts.cluster;
    this.endpoint = facts.endpoint;
    this.remedy = remedy;
  }
}

/** A definition that cannot work however often it is tried: unknown scheme, database that is no number, and so on. */
export class BrokerConfigError extends BrokerError {
  override readonly name = 'BrokerConfigError';
}
