import type { AuditListRow } from '@meadow/contract';
import type { Api } from '../api/api.ts';
import type { AuditQuestion } from './audit-filter.ts';
import { requestsOf, type RequestLine } from './requests.ts';

/** What is shown of the audit. */
export interface Trail {
  readonly lines: readonly RequestLine[];
  readonly hasOlder: boolean;
}

/** Requests under one filter: the newest, looked at again and again, and older ones on demand. */
export class AuditTrail {
  readonly #api: Pick<Api, 'audit'>;
  readonly #question: AuditQuestion;
  #records = new Map<string, AuditListRow>();
  /** Where the oldest page ends; null when there is no older one, undefined before the first. */
  #cursor: string | null | undefined;

  constructor(api: Pick<Api, 'audit'>, question: AuditQuestion) {
    this.#api = api;
    this.#question = question;
  }

  /** Looks for what is new. @throws Fault */
  async look(signal: AbortSignal): Promise<Trail> {
    const { rows, next } = await this.#api.audit({ question: this.#question, cursor: null }, signal);
    // a page that meets nothing known, as after a night in a hidden tab: what lies between is not known, so begin anew
    const meets = next === null || rows.some(({ id }) => this.#records.has(id));
    if (this.#cursor === undefined || !meets) {
      this.#records = new Map();
      this.#cursor = next;
    }
    // what is not where it was fits the filter no more, such as a begin whose end has come
    const oldest = next === null ? Number.NEGATIVE_INFINITY : (rows.at(-1)?.at ?? 0);
    for (const { id, at } of this.#records.values()) if (at > oldest) this.#records.delete(id);
    this.#keep(rows);
    return this.#trail();
  }

  /** Adds the next older page. @throws Fault */
  async loadOlder(signal: AbortSignal): Promise<Trail> {
    const cursor = this.#cursor ?? null;
    if (cursor === null) return this.#trail();
    const { rows, next } = await this.#api.audit({ question: this.#question, cursor }, signal);
    // begun anew meanwhile: then it is a page of another list
    if (this.#cursor !== cursor) return this.#trail();
    this.#keep(rows);
    this.#cursor = next;
    return this.#trail();
  }

  #keep(rows: readonly AuditListRow[]): void {
    for (const row of rows) this.#records.set(row.id, row);
  }

  #trail(): Trail {
    return { lines: requestsOf(this.#records.values()), hasOlder: (this.#cursor ?? null) !== null };
  }
}
