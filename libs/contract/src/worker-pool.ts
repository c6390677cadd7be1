/**
 * The pool of a worker: what its renamed and restarted copies have in common, so that five hundred pods of a deployment are
 * one line. `celery@web-7d4b9c6f5-x2x9k` and `celery@web-7d4b9c6f5-k4wzq` are both of pool `celery@web`.
 */

/** A cluster's own rule: workers whose node name fits `match` are of `pool`. */
export interface PoolRule {
  /** Node name in which `*` stands for any text, e.g. `*@reports-*`. */
  readonly match: string;
  /** Name of the pool; `$1` is what the first `*` stands for. */
  readonly pool: string;
}

/** Letters and digits of which Kubernetes makes the changing parts of a pod's name: no vowels, so words are told apart. */
const SAFE = '[bcdfghjklmnpqrstvwxz2456789]';
/** What changes from copy to copy at the end of a host name, the longest first. */
const CHANGING = [
  // <deployment>-<replica set>-<pod>
  new RegExp(`^(.+)-${SAFE}{6,10}-${SAFE}{5}$`),
  // <daemon set or job>-<pod>
  new RegExp(`^(.+)-${SAFE}{5}$`),
  // EC2's ip-10-0-3-7
  /^(ip)(?:-\d{1,3}){4}$/,
  // web-0, web_12, web3
  /^(.*?[^-_.\d])[-_.]?\d+$/,
];
/** A container's id as its host name. */
const CONTAINER = /^[0-9a-f]{12}(?:[0-9a-f]{52})?$/;
const ADDRESS = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** @returns the pool by the first rule that fits; else the node name without its domain and what changes between copies. */
export function workerPool(worker: string, rules: readonly PoolRule[] = []): string {
  for (const { match, pool } of rules) {
    const found = compiled(match).exec(worker);
    if (found !== null) return pool.replaceAll('$1', () => found[1] ?? '');
  }
  const at = worker.indexOf('@');
  const name = at < 0 ? '' : worker.slice(0, at);
  const host = worker.slice(at + 1);
  const label = ADDRESS.test(host) ? '*' : withoutCopy(host.split('.')[0] ?? '');
  return at < 0 ? label : `${name.replace(/(\D)[-_]?\d+$/, '$1')}@${label}`;
}

function withoutCopy(label: string): string {
  if (CONTAINER.test(label)) return '*';
  for (const pattern of CHANGING) {
    const base = pattern.exec(label)?.[1];
    if (base !== undefined) return base;
  }
  return label;
}

const patterns = new Map<string, RegExp>();

function compiled(match: string): RegExp {
  let pattern = patterns.get(match);
  if (pattern === undefined) {
    // rules come from definitions, of which there are few; an edited one leaves its old pattern behind
    if (patterns.size >= 1000) patterns.clear();
    const text = match.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    pattern = new RegExp(`^${text.join('([^]*?)')}$`);
    patterns.set(match, pattern);
  }
  return pattern;
}
