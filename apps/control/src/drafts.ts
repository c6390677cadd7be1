import { BrokerConfigError, BrokerError, lookupResults, parseResultBackend, type ControlChannel } from '@meadow/broker';
import {
  named,
  refusalIn,
  retryOf,
  taskRequest,
  type Envelope,
  type RetryDraft,
  type RetryRefusal,
  type TaskChange,
  type TaskRequest,
} from '@meadow/celery';
import type { ClusterDefinition, DraftRefusal, Mask, TaskDraft, ToldTask } from '@meadow/contract';
import { createHmac, randomBytes } from 'node:crypto';
import { prettifyError } from 'zod';
import { HIDDEN, maskedDiff, maskRequest } from './request-mask.ts';

/** A task that is to run again, and what its events told. */
export interface Known {
  readonly task_id: string;
  readonly told: ToldTask | null;
}

export interface DraftsDeps {
  readonly definition: ClusterDefinition;
  readonly channel: ControlChannel;
  readonly clientName: string;
  readonly mask: Mask;
}

/** What of a draft is to be otherwise. */
export interface Edit {
  readonly base: string;
  readonly changes: Readonly<Record<string, unknown>>;
}

export interface Edited {
  readonly kind: 'edited';
  readonly request: TaskRequest;
  /** Secrets hidden. */
  readonly changes: readonly TaskChange[];
}

/** So long workers have to say that they have a task; those with nothing else to do say it in milliseconds. */
const QUERY_WAIT_MS = 1_000;
/** So long the result backend has. */
const LOOKUP_WAIT_MS = 3_000;

/**
 * What a retry would send: from what workers, the result backend and events tell. True drafts stay in this process; what is
 * shown of one is masked.
 */
export class Drafts {
  readonly #deps: DraftsDeps;
  /** Of this process alone: what a draft is known by must not tell a secret that can be guessed. */
  readonly #key = randomBytes(32);

  constructor(deps: DraftsDeps) {
    this.#deps = deps;
  }

  /** By the task's id. Workers and the backend are asked once for all; either may be silent. */
  async find(tasks: readonly Known[], signal: AbortSignal): Promise<ReadonlyMap<string, RetryDraft | RetryRefusal>> {
    const ids = tasks.map(({ task_id }) => task_id).filter((id) => named('the id').safeParse(id).success);
    const [replies, stored] = await Promise.all([this.#askWorkers(ids, signal), this.#askBackend(ids, signal)]);
    return new Map(
      tasks.map(({ task_id: id, told }) => {
        const found = retryOf({ id, told, reply: replies.get(id) ?? null, stored: stored.of.get(id) ?? null });
        if (found.kind === 'draft' || stored.silence === null) return [id, found];
        return [id, { ...found, reason: `${found.reason} (${stored.silence})` }];
      }),
    );
  }

  shown(taskId: string, found: RetryDraft | RetryRefusal): TaskDraft | DraftRefusal {
    const { mask } = this.#deps;
    if (found.kind === 'refused') return { ...found, reason: mask(found.reason) };
    const { request, masked } = maskRequest(found.request, mask);
    const warnings = found.warnings.map(({ code, text }) => ({ code, text: mask(text) }));
    const base = this.#baseOf(found);
    return { kind: 'draft', task_id: taskId, request, masked, base, from: found.from, warnings };
  }

  /** The true draft with whole fields replaced; refused where it is not the one that the edit was written over. */
  edited(draft: RetryDraft, { base, changes }: Edit): Edited | DraftRefusal {
    const { mask } = this.#deps;
    if (base !== this.#baseOf(draft)) return refused('RETRY_DRAFT_CHANGED', CHANGED);
    const strange = Object.keys(changes).find((name) => !Object.hasOwn(taskRequest.shape, name) || name === 'retryOf');
    if (strange !== undefined) {
      return refused('RETRY_EDIT_INVALID', `${JSON.stringify(strange.slice(0, 60))} cannot be edited: leave it out`);
    }
    const parsed = taskRequest.safeParse({ ...draft.request, ...changes });
    if (!parsed.success) return refused('RETRY_EDIT_INVALID', prettifyError(parsed.error));
    const request = parsed.data;
    const { masked } = maskRequest(draft.request, mask);
    const hidden = masked.filter(
      (field) => Object.hasOwn(changes, field) && JSON.stringify(request[field]).includes(HIDDEN),
    );
    if (hidden.length > 0) {
      const remedy = 'write it whole, or leave the field as it was';
      return refused('RETRY_EDIT_MASKED', `a secret in ${hidden.join(', ')} is still hidden (${HIDDEN}): ${remedy}`);
    }
    return { kind: 'edited', request, changes: maskedDiff(draft.request, request, mask) };
  }

  #baseOf({ request }: RetryDraft): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(request)).digest('hex');
  }

  /** By the task's id, the answer of the worker that has it. */
  async #askWorkers(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Envelope>> {
    const answers = new Map<string, Envelope>();
    if (ids.length === 0) return answers;
    try {
      await this.#deps.channel.ask({
        ...{ command: { method: 'query_task', ids: [...ids] }, destination: null, waitMs: QUERY_WAIT_MS, signal },
        onReply: (reply, message) => {
          const { value } = reply;
          if (refusalIn(reply) !== null || value === null || typeof value !== 'object') return;
          for (const id of Object.keys(value)) answers.set(id, message);
        },
      });
    } catch (error) {
      // whoever cannot be asked cannot be sent anything either, which is told then
      if (!(error instanceof BrokerError) && !signal.aborted) throw error;
    }
    return answers;
  }

  async #askBackend(ids: readonly string[], signal: AbortSignal): Promise<Stored> {
    const { definition, clientName } = this.#deps;
    try {
      const backend = parseResultBackend(definition);
      if (backend?.kind !== 'redis' || ids.length === 0) return NOTHING;
      const ends = AbortSignal.any([signal, AbortSignal.timeout(LOOKUP_WAIT_MS)]);
      const found = await lookupResults(backend, ids, { cluster: definition.name, clientName, signal: ends });
      return { of: new Map(found.map(({ taskId, payload }) => [taskId, payload])), silence: null };
    } catch (error) {
      const code = error instanceof BrokerError || error instanceof BrokerConfigError ? error.code : null;
      if (code === null && !(error instanceof Error && /^(?:Abort|Timeout)Error$/.test(error.name))) throw error;
      return { ...NOTHING, silence: `the result backend could not be asked: ${code ?? 'BROKER_TIMEOUT'}` };
    }
  }
}

interface Stored {
  readonly of: ReadonlyMap<string, Uint8Array>;
  /** Why nothing could be asked; null where it could. */
  readonly silence: string | null;
}

const NOTHING: Stored = { of: new Map(), silence: null };

const CHANGED =
  'what is known of the task has changed since this draft was made, or control was started anew: look at it again';

const refused = (code: string, reason: string): DraftRefusal => ({ kind: 'refused', code, reason });
