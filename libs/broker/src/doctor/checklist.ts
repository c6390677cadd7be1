import type { Finding } from '@meadow/contract';
import type { BrokerError } from '../errors.ts';

/** What is looked at, in order: a check that fails leaves the later ones of the first five unknown. */
const TITLES = {
  definition: 'Definition',
  reachable: 'Broker answers',
  credentials: 'Credentials',
  place: 'Database or virtual host',
  permissions: 'Permissions',
  version: 'Version of the broker',
  'event-exchange': 'Event exchange',
  'event-queue': "Meadow's event queue",
  eviction: 'Redis evicts nothing',
  'pubsub-buffer': 'Redis output buffer for pub/sub',
  'priority-steps': 'Priority steps',
  'reply-queues': 'Orphaned reply queues',
  'result-backend': 'Result backend',
} as const;
export type Check = keyof typeof TITLES;
const WAY_IN = ['definition', 'reachable', 'credentials', 'place', 'permissions'] as const;

/** Findings as they are made. */
export class Checklist {
  readonly #findings = new Map<Check, Finding>();

  get findings(): readonly Finding[] {
    return (Object.keys(TITLES) as Check[]).flatMap((check) => this.#findings.get(check) ?? []);
  }

  pass(check: Check, says: string): void {
    this.#note(check, 'pass', says, '');
  }

  warn(check: Check, says: string, remedy: string): void {
    this.#note(check, 'warn', says, remedy);
  }

  fail(check: Check, says: string, remedy: string): void {
    this.#note(check, 'fail', says, remedy);
  }

  unknown(check: Check, says: string, remedy = ''): void {
    this.#note(check, 'unknown', says, remedy);
  }

  /** The way in ends at a check: what comes before has passed, what comes after is not known. */
  failed(check: (typeof WAY_IN)[number], error: BrokerError): void {
    const at = WAY_IN.indexOf(check);
    WAY_IN.forEach((each, index) => {
      if (index < at) this.pass(each, 'ok');
      else if (index > at) this.unknown(each, `not tried: ${TITLES[check].toLowerCase()} failed`);
      else this.fail(each, error.message, error.remedy);
    });
  }

  #note(check: Check, verdict: Finding['verdict'], says: string, remedy: string): void {
    this.#findings.set(check, { check, title: TITLES[check], verdict, says, remedy });
  }
}
