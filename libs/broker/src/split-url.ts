/** The parts of one broker URL as kombu sees them; nothing interpreted yet. */
export interface UrlParts {
  /** Lower case. */
  readonly scheme: string;
  /** Percent-decoded; null when not given or empty. */
  readonly username: string | null;
  readonly password: string | null;
  /** Without brackets; '' when not given. */
  readonly host: string;
  readonly port: number | null;
  /** Without its first `/`, then percent-decoded, as kombu does: `//prod` and `/%2Fprod` both give `/prod`. */
  readonly path: string;
  readonly query: ReadonlyMap<string, string>;
}

/** Text of the first fault found, for a message; never holds the password. */
export class UrlFault extends Error {
  override readonly name = 'UrlFault';
}

/**
 * Splits `scheme://user:password@host:port/path?query` by the rules of Python's urlsplit, which kombu uses: the last `@`
 * ends the credentials, their first `:` parts them. A bare `host` is AMQP, as for kombu.
 * @throws UrlFault
 */
export function splitUrl(url: string): UrlParts {
  const [, scheme = 'amqp', rest = ''] = /^(?:([a-z][\w+.-]*):\/\/)?(.*)$/is.exec(url) ?? [];
  const [, authority = '', path = '', queryText = ''] = /^([^/?#]*)([^?#]*)(?:\?([^#]*))?/s.exec(rest) ?? [];
  if (rest.includes('#')) throw new UrlFault('it holds a "#", which ends a url: write it as %23');
  const at = authority.lastIndexOf('@');
  const hostPort = authority.slice(at + 1);
  const credentials = at === -1 ? '' : authority.slice(0, at);
  const colon = credentials.indexOf(':');
  const username = colon === -1 ? credentials : credentials.slice(0, colon);
  const password = colon === -1 ? '' : credentials.slice(colon + 1);
  const [, v6, plain = '', portText] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/s.exec(hostPort) ?? [];
  if (hostPort !== '' && v6 === undefined && plain === '' && portText === undefined) {
    throw new UrlFault(
      'its host cannot be read: write an IPv6 address in [brackets], and "/", "@", ":" in a password as %2F, %40, %3A',
    );
  }
  if (portText !== undefined && !isPort(portText)) {
    throw new UrlFault('its port is not a number from 1 to 65535: write "/" and "@" in a password as %2F and %40');
  }
  return {
    scheme: scheme.toLowerCase(),
    username: decode(username) || null,
    password: decode(password) || null,
    host: v6 ?? plain,
    port: portText === undefined ? null : Number(portText),
    path: decode(path.replace(/^\//, '')),
    query: new Map(new URLSearchParams(queryText)),
  };
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UrlFault('it holds a "%" that starts no escape: write it as %25');
  }
}
