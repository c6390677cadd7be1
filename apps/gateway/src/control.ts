import { ApiError, type CommandRequest, type CommandResult, type Control, type InspectQuestion } from '@meadow/api';
import { BusError, type Requests } from '@meadow/bus';
import { askControlSubject, type ControlPart, type ControlQuestionInput, type InspectionPart } from '@meadow/contract';
import { randomUUID } from 'node:crypto';

/** Remote control, as the replica of control that holds the cluster does it. */
export class ClusterControl implements Control {
  readonly #requests: () => Requests | null;

  /** @param requests null while NATS is away */
  constructor(requests: () => Requests | null) {
    this.#requests = requests;
  }

  async inspect({ cluster, of, workers }: InspectQuestion, signal: AbortSignal): Promise<readonly InspectionPart[]> {
    const question: ControlQuestionInput = { kind: 'inspect', of: [...of], workers: workers ? [...workers] : null };
    const parts = await this.#ask(cluster, question, signal);
    return parts.filter((part) => part.kind === 'inspection');
  }

  async run({ cluster, command, workers, waitMs, by }: CommandRequest, signal: AbortSignal): Promise<CommandResult> {
    const request_id = randomUUID();
    const parts = await this.#ask(
      cluster,
      { kind: 'command', request_id, by, command, workers: workers === null ? null : [...workers], wait_ms: waitMs },
      signal,
    );
    const end = parts.find((part) => part.kind === 'ended');
    if (end === undefined)
      throw new ApiError('CONTROL_UNAVAILABLE', 'control ended before the command did: look at the audit');
    const told = parts.filter((part) => part.kind === 'worker');
    return {
      ...{ request_id, outcome: end.outcome, detail: end.detail },
      workers: told.map(({ worker, outcome, words, value, seconds }) => ({ worker, outcome, words, value, seconds })),
    };
  }

  async #ask(cluster: string, question: ControlQuestionInput, signal: AbortSignal): Promise<ControlPart[]> {
    const requests = this.#requests();
    if (requests === null) throw new ApiError('BUS_UNAVAILABLE', 'NATS does not answer: workers cannot be reached');
    const parts: ControlPart[] = [];
    try {
      for await (const part of requests.askInParts(askControlSubject(cluster), question, signal)) {
        parts.push(part as ControlPart);
      }
      return parts;
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      if (error.code === 'BUS_REJECTED') throw new ApiError('CONTROL_REFUSED', error.said, error);
      const remedy = 'start the control service, or wait some seconds until another replica has taken over';
      throw new ApiError('CONTROL_UNAVAILABLE', `no control service answers for cluster ${cluster}: ${remedy}`, error);
    }
  }
}
