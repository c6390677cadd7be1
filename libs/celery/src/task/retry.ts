import { z } from 'zod';
import type { Envelope } from '../envelope.ts';
import { writeJsonTree } from './json-tree.ts';
import { taskRequest, type TaskRequest } from './request.ts';
import {
  fromEvents,
  fromMessage,
  fromReply,
  fromStored,
  type Finding,
  type Route,
  type ToldTask,
} from './retry-source.ts';
import { refused, warning, type RetryOrigin, type RetryRefusal, type RetryWarning } from './retry-verdict.ts';

/** All that can be found of a task that is to run again. The more, the more faithful: each part is read where it is exact. */
export interface RetrySource {
  /** Of the task. */
  readonly id: string;
  /** Its message: from a queue, or from among those that are delivered and not acknowledged. */
  readonly message?: Envelope | null;
  /** A worker's answer to `query_task`. */
  readonly reply?: Envelope | null;
  /** What a Redis result backend keeps under `celery-task-meta-<id>`. */
  readonly stored?: Uint8Array | null;
  /** What its events told, as Meadow keeps it. */
  readonly told?: ToldTask | null;
}

/** A request that repeats a task, to be sent as it is or edited. */
export interface RetryDraft {
  readonly kind: 'draft';
  readonly request: TaskRequest;
  /** Where each part was read; null for options that nothing tells. */
  readonly from: {
    readonly name: RetryOrigin;
    readonly arguments: RetryOrigin;
    readonly route: RetryOrigin;
    readonly options: RetryOrigin | null;
  };
  readonly warnings: readonly RetryWarning[];
}

/**
 * The request that repeats a task exactly: same name, arguments, queue or exchange with routing key, priority, limits and
 * headers. It has an id and a workflow of its own, and names the original in `retryOf`; it begins at once, and what was to
 * follow the original does not follow it. Where anything of its arguments is missing, hidden or in doubt it is refused.
 * Pure, and total: a hostile text is refused, and nothing in it is run.
 */
export function retryOf(source: RetrySource): RetryDraft | RetryRefusal {
  const findings: Finding[] = [];
  const refusals: RetryRefusal[] = [];
  for (const found of readings(source)) {
    // where its message is not JSON, workers may take nothing that is, whatever the other sources say
    if ('code' in found && found.code === 'RETRY_MESSAGE_NOT_JSON') return found;
    if ('code' in found) refusals.push(found);
    else findings.push(found);
  }
  const values = exactValues(findings, refusals);
  if ('code' in values) return values;
  const named = nameIn(findings);
  if (named === null) return refused('RETRY_NAME_UNKNOWN', 'nothing tells its name: send it anew');
  const routed = routeIn(findings);
  if (routed === null)
    return refused('RETRY_ROUTE_UNKNOWN', 'nothing tells where it was sent: send it anew, to a queue');
  return draftOf(source.id, { values, named, routed, findings });
}

function* readings({ id, message, reply, stored, told }: RetrySource): Generator<Finding | RetryRefusal, void> {
  if (message) yield fromMessage(message, id);
  if (reply) yield fromReply(reply, id);
  if (stored) yield fromStored(stored, id);
  if (told) yield fromEvents(told);
}

interface Values {
  readonly finding: Finding;
  readonly args: string;
  readonly kwargs: string;
}

function valuesIn(finding: Finding): Values | RetryRefusal {
  const { values } = finding;
  if ('code' in values) return values;
  return { finding, args: writeJsonTree(values.args), kwargs: writeJsonTree(values.kwargs) };
}

/** Those of the most faithful source that has them. What a task may have changed must be what its events say, if they do. */
function exactValues(findings: readonly Finding[], refusals: readonly RetryRefusal[]): Values | RetryRefusal {
  let why = refusals.at(-1) ?? refused('RETRY_ARGS_UNKNOWN', 'nothing is known of it');
  for (const finding of findings) {
    const values = valuesIn(finding);
    if ('code' in values) {
      why = values;
      continue;
    }
    const told = findings.find(({ from }) => from === 'events');
    const described = told === undefined || finding.from !== 'result' ? values : valuesIn(told);
    if ('code' in described) return values;
    const isSame = described.args === values.args && described.kwargs === values.kwargs;
    if (isSame) return values;
    const reason = 'the result backend and its events tell different arguments: it may have changed them while it ran';
    return refused('RETRY_SOURCES_DIFFER', `${reason}; send it anew with its arguments written out`);
  }
  return why;
}

interface Named {
  readonly name: string;
  readonly from: RetryOrigin;
}

function nameIn(findings: readonly Finding[]): Named | null {
  for (const { name, from } of findings) if (name !== null) return { name, from };
  return null;
}

interface Routed {
  readonly finding: Finding;
  readonly route: Route;
}

/** What a backend calls the queue is the routing key, so that events are asked before it. */
function routeIn(findings: readonly Finding[]): Routed | null {
  const ordered = [...findings].sort((a, b) => Number(a.from === 'result') - Number(b.from === 'result'));
  for (const finding of ordered) if (finding.route !== null) return { finding, route: finding.route };
  return null;
}

function draftOf(
  id: string,
  found: { values: Values; named: Named; routed: Routed; findings: readonly Finding[] },
): RetryDraft | RetryRefusal {
  const { values, named, routed, findings } = found;
  const optioned = findings.find(({ options }) => options !== null);
  const priority = findings.find((finding) => finding.priority !== undefined)?.priority ?? null;
  const parsed = taskRequest.safeParse({
    name: named.name,
    args: values.args,
    kwargs: values.kwargs,
    ...routed.route,
    priority,
    ...optioned?.options,
    retryOf: id,
  });
  if (!parsed.success) {
    return refused('RETRY_REQUEST_INVALID', `what was found cannot be sent: ${z.prettifyError(parsed.error)}`);
  }
  return {
    kind: 'draft',
    request: parsed.data,
    from: {
      name: named.from,
      arguments: values.finding.from,
      route: routed.finding.from,
      options: optioned?.from ?? null,
    },
    warnings: warningsOf(values.finding, routed, findings),
  };
}

function warningsOf(valued: Finding, { finding: routed, route }: Routed, findings: readonly Finding[]): RetryWarning[] {
  const again = 'what the original did is done once more, unless the task is idempotent';
  const late = 'with acks_late the broker may hand out the original once more, too';
  const warnings = [warning('RUNS_AGAIN', `${again}; ${late}`)];
  if (findings.every(({ options }) => options === null)) {
    const also = findings.every((finding) => finding.priority === undefined) ? 'its priority, ' : '';
    const text = `${also}time limits, headers and stamps of the original are not known: the retry has none`;
    warnings.push(warning('OPTIONS_UNKNOWN', text));
  }
  if ('exchange' in route) {
    const text = `every queue that is bound to the exchange ${route.exchange} for the key ${route.routingKey} gets it`;
    warnings.push(warning('EXCHANGE_ROUTED', text));
  } else if (routed.from === 'result') {
    warnings.push(warning('ROUTING_KEY_AS_QUEUE', `${route.queue} is its routing key, and taken for the queue's name`));
  }
  // the source of the arguments tells of them; of everything else whoever tells it
  const ofArguments = new Set(['ARGS_AFTER_RUN', 'ARGS_FROM_REPR', 'TUPLES_BECOME_LISTS']);
  for (const finding of findings) {
    for (const told of finding.warnings) {
      if (ofArguments.has(told.code) && finding !== valued) continue;
      if (!warnings.some(({ code }) => code === told.code)) warnings.push(told);
    }
  }
  const isLeft =
    warnings.some(({ code }) => code === 'WORKFLOW_LEFT') || findings.some(({ from }) => from === 'message');
  return isLeft ? warnings.filter(({ code }) => code !== 'WORKFLOW_UNKNOWN') : warnings;
}
