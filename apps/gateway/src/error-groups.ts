import {
  spanOf,
  type ErrorCategoriesQuestion,
  type ErrorQuestion,
  type Errors,
  type ErrorsQuestion,
  type ErrorUpdate,
} from '@meadow/api';
import type { ErrorRule, Requester } from '@meadow/contract';
import {
  errorCategories,
  errorGroup,
  errorGroups,
  errorRulesNow,
  insertErrorGroupWords,
  insertErrorRules,
  isErrorGroup,
  type ErrorCategorySeries,
  type ErrorGroupDetail,
  type ErrorGroupList,
  type ErrorRulesNow,
  type Store,
} from '@meadow/store';
import { randomUUID } from 'node:crypto';
import { ASK_TIMEOUT_MS, Asking } from './asking.ts';
import type { GatewayAudit } from './audit.ts';
import type { Telemetry } from './telemetry.ts';

export interface StoreErrorsOptions {
  readonly store: Store;
  readonly telemetry: Telemetry;
  readonly audit: GatewayAudit;
  /** Names of those known now. */
  readonly clusters: () => readonly string[];
  /** Unix seconds. */
  readonly now: () => number;
}

const KEEP_MS = 1_000;
const RULES_KEEP_MS = 2_000;

/** Groups of failures in the store, behind the API's port. */
export class StoreErrors implements Errors {
  readonly #options: StoreErrorsOptions;
  readonly #asking: Asking;

  constructor(options: StoreErrorsOptions) {
    this.#options = options;
    this.#asking = new Asking(options.telemetry);
  }

  groups(question: ErrorsQuestion): Promise<ErrorGroupList> {
    const { store, now } = this.#options;
    return this.#asking.shared('error groups', JSON.stringify(question), KEEP_MS, async () => {
      const { range, ...input } = question;
      const { rules } = await this.rules();
      return errorGroups(store, { ...input, ...spanOf(range, now()), rules }, { timeoutMs: ASK_TIMEOUT_MS });
    });
  }

  group({ range, ...input }: ErrorQuestion, signal: AbortSignal): Promise<ErrorGroupDetail | null> {
    const { store, now } = this.#options;
    return this.#asking.ask('error group', async () => {
      const { rules } = await this.rules();
      const options = { signal, timeoutMs: ASK_TIMEOUT_MS };
      return errorGroup(store, { ...input, ...spanOf(range, now()), rules }, options);
    });
  }

  categories(question: ErrorCategoriesQuestion): Promise<ErrorCategorySeries> {
    const { store, now } = this.#options;
    return this.#asking.shared('error categories', JSON.stringify(question), KEEP_MS, async () => {
      const { range, ...input } = question;
      const { rules } = await this.rules();
      return errorCategories(store, { ...input, ...spanOf(range, now()), rules }, { timeoutMs: ASK_TIMEOUT_MS });
    });
  }

  rules(): Promise<ErrorRulesNow> {
    const { store } = this.#options;
    return this.#asking.shared('error rules', '', RULES_KEEP_MS, () =>
      errorRulesNow(store, { timeoutMs: ASK_TIMEOUT_MS }),
    );
  }

  async setRules({
    rules,
    by,
  }: {
    readonly rules: readonly ErrorRule[];
    readonly by: Requester;
  }): Promise<ErrorRulesNow> {
    const { store, audit, clusters, now } = this.#options;
    const changes = clusters().map((cluster) => ({
      ...{ cluster, action: 'errors.rules', target_kind: 'cluster' as const, targets: [], by, arguments: { rules } },
    }));
    const written = { at: now(), by: by.actor };
    const write = { rules, ...written, token: randomUUID(), timeoutMs: ASK_TIMEOUT_MS };
    await audit.recorded(changes, () => this.#asking.ask('write error rules', () => insertErrorRules(store, write)));
    return { rules, written };
  }

  async update({ by, ...words }: ErrorUpdate & { readonly by: Requester }): Promise<boolean> {
    const { store, audit, now } = this.#options;
    const { cluster, fingerprint, ...said } = words;
    const options = { timeoutMs: ASK_TIMEOUT_MS };
    if (!(await this.#asking.ask('error group', () => isErrorGroup(store, { cluster, fingerprint }, options)))) {
      return false;
    }
    const change = { cluster, action: 'errors.update', target_kind: 'error' as const, targets: [fingerprint], by };
    const write = { words: { ...words, at: now(), by: by.actor }, token: randomUUID(), ...options };
    await audit.recorded([{ ...change, arguments: said }], () =>
      this.#asking.ask('write error group', () => insertErrorGroupWords(store, write)),
    );
    return true;
  }
}
