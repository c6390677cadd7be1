import { BrokerError, type BrokerFacts } from './errors.ts';

const UNREACHABLE = new Map([
  ['ECONNREFUSED', 'nothing listens there'],
  ['ENOTFOUND', 'the host name is unknown'],
  ['EAI_AGAIN', 'the host name cannot be resolved now'],
  ['EHOSTUNREACH', 'there is no route to the host'],
  ['ENETUNREACH', 'there is no route to the network'],
  ['EADDRNOTAVAIL', 'the address is not available'],
  ['ENOENT', 'the socket file does not exist'],
  ['EACCES', 'the socket may not be opened by this user'],
]);

const BROKEN = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

const CERTIFICATE = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'CERT_REVOKED',
  'CERT_REJECTED',
  'INVALID_CA',
  'INVALID_PURPOSE',
]);

/** `code` of a system or TLS error, wherever it hides: Node wraps one error for each address it tried. */
function errorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return errorCode(error.errors[0]);
  return null;
}

/** Tells apart what can go wrong below the broker's own protocol; null when the error is of another kind. */
export function networkError(error: unknown, facts: BrokerFacts, usesTls: boolean): BrokerError | null {
  if (error instanceof BrokerError) return error;
  const code = errorCode(error);
  if (code === null) return null;
  const unreachable = UNREACHABLE.get(code);
  if (unreachable !== undefined) {
    const remedy = 'check host, port and network, and that the broker runs';
    return new BrokerError('BROKER_UNREACHABLE', facts, `not reachable (${code}): ${unreachable}`, remedy, error);
  }
  if (code === 'ETIMEDOUT') return timeoutError(facts, error);
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const remedy = 'use the name that the certificate holds, or switch the host name check off';
    return new BrokerError('BROKER_TLS_FAILED', facts, `its certificate is for another host (${code})`, remedy, error);
  }
  if (CERTIFICATE.has(code)) {
    const remedy = 'give the authority that signed it as tls.ca, or set tls.verify to false to trust anyone';
    return new BrokerError('BROKER_TLS_FAILED', facts, `its certificate is not trusted (${code})`, remedy, error);
  }
  if (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || code.startsWith('ERR_OSSL') || code === 'EPROTO') {
    const remedy = 'check that this port speaks tls, and whether it wants a client certificate (tls.cert, tls.key)';
    return new BrokerError('BROKER_TLS_FAILED', facts, `tls failed (${code})`, remedy, error);
  }
  return BROKEN.has(code) ? closedError(facts, usesTls, error) : null;
}

export function timeoutError(facts: BrokerFacts, cause?: unknown): BrokerError {
  const remedy = 'check for a firewall that drops packets, a broker that hangs, or tls on one side only';
  return new BrokerError('BROKER_TIMEOUT', facts, 'no answer in time', remedy, cause);
}

export function closedError(facts: BrokerFacts, usesTls: boolean, cause?: unknown): BrokerError {
  const hint = usesTls ? 'whether this port speaks tls' : 'whether this port wants tls';
  const remedy = `if it lasts, check the broker's log and ${hint}`;
  return new BrokerError('BROKER_CLOSED', facts, 'the connection was closed', remedy, cause);
}
