import type {
  AppRouter,
  ErrorCategorySeries,
  ErrorDetail,
  ErrorList,
  ErrorOrder,
  ErrorRulesNow,
  RangeName,
} from '@meadow/api';
import type { ErrorCategory, ErrorRule, ErrorStatus } from '@meadow/contract';
import type { TRPCClient } from '@trpc/client';
import { told } from './fault.ts';

/** Which failures; '' narrows nothing. */
interface FailureScope {
  readonly cluster: string | null;
  readonly range: RangeName;
  readonly name: string;
  readonly queue: string;
  readonly worker: string;
}

/** Which groups; no status or category: of every one. */
export interface ErrorsInput extends FailureScope {
  readonly statuses: readonly ErrorStatus[];
  readonly categories: readonly ErrorCategory[];
  readonly text: string;
  readonly order: ErrorOrder;
  readonly limit: number;
}

interface GroupName {
  readonly cluster: string;
  readonly fingerprint: string;
}

/** What somebody says of a group; what is left out stays as it is. */
interface ErrorWords {
  readonly status?: ErrorStatus;
  /** '' for nobody. */
  readonly assignee?: string;
  readonly note?: string;
}

/** Failures in groups of those with the same cause. Failures to answer are `Fault`s. */
export interface ErrorsApi {
  list(input: ErrorsInput, signal: AbortSignal): Promise<ErrorList>;
  categories(input: FailureScope, signal: AbortSignal): Promise<ErrorCategorySeries>;
  get(input: GroupName & { readonly range: RangeName }, signal: AbortSignal): Promise<ErrorDetail>;
  update(group: GroupName, words: ErrorWords): Promise<void>;
  rules(signal: AbortSignal): Promise<ErrorRulesNow>;
  setRules(rules: readonly ErrorRule[]): Promise<ErrorRulesNow>;
}

export function errorsApi(client: TRPCClient<AppRouter>): ErrorsApi {
  const { errors } = client;
  return {
    list: ({ statuses, categories, text, order, limit, ...scope }, signal) => {
      const chosen = { statuses: [...statuses], categories: [...categories], order, limit };
      return told(errors.list.query({ ...named(scope), ...chosen, ...(text === '' ? {} : { text }) }, { signal }));
    },
    categories: (scope, signal) => told(errors.categories.query(named(scope), { signal })),
    get: (input, signal) => told(errors.get.query(input, { signal })),
    update: async (group, words) => {
      await told(errors.update.mutate({ ...group, ...words }));
    },
    rules: (signal) => told(errors.rules.get.query(undefined, { signal })),
    setRules: (rules) => told(errors.rules.set.mutate({ rules: [...rules] })),
  };
}

/** The server takes no empty texts. */
function named({ cluster, range, ...names }: FailureScope) {
  const given = Object.fromEntries(Object.entries(names).filter(([, value]) => value !== ''));
  return { ...given, range, ...(cluster === null ? {} : { cluster }) };
}
