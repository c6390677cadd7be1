import type { ReprNode } from './node.ts';

type Call = Extract<ReprNode, { kind: 'call' }>;

/** Gives the calls that Celery's own types print a node of their own; `text` is the call as written. */
export function refineCall(call: Call, text: string): ReprNode {
  switch (call.name) {
    case 'datetime.datetime':
      return stamp(call, text, 'datetime') ?? call;
    case 'datetime.date':
      return stamp(call, text, 'date') ?? call;
    case 'datetime.time':
      return stamp(call, text, 'time') ?? call;
    case 'datetime.timedelta':
      return duration(call, text) ?? call;
    case 'UUID':
      return scalar(call, 'uuid') ?? call;
    case 'Decimal':
      return scalar(call, 'decimal') ?? call;
    case 'set':
    case 'frozenset':
      return collection(call, call.name) ?? call;
    default:
      return call;
  }
}

function integers(nodes: readonly ReprNode[]): number[] | undefined {
  const values = nodes.map((node) => (node.kind === 'int' ? node.value : undefined));
  return values.every((value) => value !== undefined) ? values : undefined;
}

function pad(value: number | undefined, width = 2): string {
  return String(value ?? 0).padStart(width, '0');
}

function stamp(call: Call, text: string, kind: 'datetime' | 'date' | 'time'): ReprNode | undefined {
  const parts = integers(call.args);
  if (parts === undefined || parts.some((part) => part < 0) || parts.length > 7) return undefined;
  const [year, month, day] = parts;
  const clock = kind === 'time' ? parts : parts.slice(3);
  if (kind === 'date' && clock.length > 0) return undefined;
  if (kind !== 'time' && day === undefined) return undefined;
  const zone = offsetOf(call);
  if (zone === undefined) return undefined;
  const [hour, minute, second, micro] = clock;
  const date = kind === 'time' ? '' : `${pad(year, 4)}-${pad(month)}-${pad(day)}`;
  const fraction = micro === undefined || micro === 0 ? '' : `.${pad(micro, 6)}`;
  const time = kind === 'date' ? '' : `${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}${zone}`;
  return { kind, iso: kind === 'datetime' ? `${date}T${time}` : date + time, text };
}

/** `+00:00` for UTC, empty for naive times, undefined for zones that only Python knows. */
function offsetOf(call: Call): string | undefined {
  const rest = call.named.filter((argument) => argument.name !== 'fold');
  const zone = rest[0]?.value;
  if (zone === undefined) return '';
  if (rest.length > 1 || rest[0]?.name !== 'tzinfo') return undefined;
  if (zone.kind === 'opaque' && (zone.text === 'datetime.timezone.utc' || zone.text === '<UTC>')) return '+00:00';
  if (zone.kind !== 'call' || zone.name !== 'datetime.timezone') return undefined;
  const delta = zone.args[0];
  if (delta?.kind !== 'timedelta') return undefined;
  const minutes = Math.trunc(Math.abs(delta.seconds) / 60);
  return `${delta.seconds < 0 ? '-' : '+'}${pad(Math.trunc(minutes / 60))}:${pad(minutes % 60)}`;
}

const unitSeconds: Readonly<Record<string, number>> = { days: 86_400, seconds: 1, microseconds: 1e-6 };

function duration(call: Call, text: string): ReprNode | undefined {
  if (call.args.length === 1 && call.named.length === 0 && call.args[0]?.kind === 'int' && call.args[0].value === 0)
    return { kind: 'timedelta', seconds: 0, text };
  if (call.args.length > 0) return undefined;
  let seconds = 0;
  for (const { name, value } of call.named) {
    const unit = Object.hasOwn(unitSeconds, name) ? unitSeconds[name] : undefined;
    if (unit === undefined || value.kind !== 'int') return undefined;
    seconds += value.value * unit;
  }
  return { kind: 'timedelta', seconds, text };
}

function scalar(call: Call, kind: 'uuid' | 'decimal'): ReprNode | undefined {
  const [value] = call.args;
  if (call.args.length !== 1 || call.named.length > 0 || value?.kind !== 'str' || value.cut) return undefined;
  return { kind, value: value.value };
}

function collection(call: Call, kind: 'set' | 'frozenset'): ReprNode | undefined {
  const [inner] = call.args;
  if (call.named.length > 0 || call.args.length > 1) return undefined;
  if (inner === undefined) return { kind, items: [] };
  if (inner.kind === 'set') return { kind, items: inner.items };
  // `frozenset({...})`: without items Celery's braces look like a dict's.
  if (inner.kind === 'dict' && inner.entries.every((entry) => entry.key.kind === 'elided'))
    return { kind, items: inner.entries.map((entry) => entry.key) };
  return undefined;
}
