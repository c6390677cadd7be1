import { quantile, type Fit } from './fit.ts';

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;

/** Zones that stand for the rules by which clocks are shifted; only their shifts matter, and UTC has none. */
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'America/Los_Angeles', 'Australia/Sydney'] as const;

const LEAST_TURNS = 4;
/** A clock may be behind by so much when a minute begins. */
const EARLY_SECONDS = 2;
/** What a calendar begins is begun in the first part of a minute. */
const LATE_SECONDS = 20;
const LEAST_PROMPT = 0.8;
/** Runs beside the schedule, by hand for instance. */
const LEAST_PRECISION = 0.85;
/** Runs that are there, of those that the pattern expects. */
const LEAST_RECALL = 0.75;
/** A value of minute, hour or weekday belongs to the pattern when it comes at least a third as often as the most frequent. */
const BELONGS = 1 / 3;

/** null: every. */
interface Pattern {
  readonly minutes: readonly number[];
  readonly hours: readonly number[] | null;
  readonly weekdays: readonly number[] | null;
}

/** Seconds that local time is ahead of UTC at a time. */
type Offset = (at: number) => number;

/** Minutes, hours and days of the week at which it runs. @param runs oldest first */
export function fitCalendar(runs: readonly number[], now: number): Fit | null {
  const slots = [...new Set(runs.map((at) => Math.floor((at + EARLY_SECONDS) / MINUTE) * MINUTE))];
  const late = runs.map((at) => at - Math.floor((at + EARLY_SECONDS) / MINUTE) * MINUTE);
  const prompt = late.filter((seconds) => seconds <= LATE_SECONDS).length / runs.length;
  const [first, last] = [slots[0], slots.at(-1)];
  if (first === undefined || last === undefined || slots.length < LEAST_TURNS) return null;
  if (prompt < LEAST_PROMPT || runs.length > slots.length * 1.25) return null;
  let best: { readonly pattern: Pattern; readonly fit: number; readonly zone: string; readonly offset: Offset } | null =
    null;
  for (const zone of ZONES) {
    const offset = offsetOf(zone);
    // without a shift it is UTC with other numbers
    if (zone !== 'UTC' && offset(first) === offset(now)) continue;
    const found = patternOf(slots, offset);
    if (found !== null && found.fit > (best?.fit ?? 0) + 0.001) best = { ...found, zone, offset };
  }
  if (best === null) return null;
  const { pattern, fit, zone, offset } = best;
  const jitterSeconds = quantile(late.map(Math.abs), 0.95);
  return {
    ...{ everySeconds: null, cron: cronOf(pattern), zone, fit, jitterSeconds },
    patienceSeconds: Math.min(30, Math.max(25, jitterSeconds * 2)),
    expected: (from, to) => expectedOf(pattern, offset, from, to),
  };
}

function patternOf(slots: readonly number[], offset: Offset): { pattern: Pattern; fit: number } | null {
  const local = slots.map((at) => at + offset(at));
  const minutes = belonging(local.map((at) => Math.floor((at % HOUR) / MINUTE)));
  const hours = belonging(local.map((at) => Math.floor((at % DAY) / HOUR)));
  // the first of January 1970 was a Thursday
  const weekdays = belonging(local.map((at) => (Math.floor(at / DAY) + 4) % 7));
  if (minutes === null) return null;
  // the simplest that is nearly always kept
  const patterns: Pattern[] = [{ minutes, hours: null, weekdays: null }];
  if (hours !== null) patterns.push({ minutes, hours, weekdays: null });
  if (weekdays !== null) patterns.push({ minutes, hours: null, weekdays });
  if (hours !== null && weekdays !== null) patterns.push({ minutes, hours, weekdays });
  let best: { pattern: Pattern; fit: number } | null = null;
  for (const pattern of patterns) {
    const fit = fitOf(pattern, slots, offset);
    if (fit !== null && fit > (best?.fit ?? 0) + 0.05) best = { pattern, fit };
  }
  return best;
}

/** Values that come often enough; null where they came once only, which is no pattern. */
function belonging(values: readonly number[]): number[] | null {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...counts.values());
  if (most < 2) return null;
  return [...counts]
    .filter(([, count]) => count >= most * BELONGS)
    .map(([value]) => value)
    .sort((a, b) => a - b);
}

/** Null where the pattern does not hold. */
function fitOf(pattern: Pattern, slots: readonly number[], offset: Offset): number | null {
  const [first = 0, last = 0] = [slots[0], slots.at(-1)];
  const expected = new Set(expectedOf(pattern, offset, first, last + 1));
  const kept = slots.filter((at) => expected.has(at)).length;
  const precision = kept / slots.length;
  const recall = kept / Math.max(1, expected.size);
  if (precision < LEAST_PRECISION || recall < LEAST_RECALL || kept < LEAST_TURNS) return null;
  // two turns of all its minutes and hours, or it may be a part of another
  const aDay = pattern.minutes.length * (pattern.hours?.length ?? 1);
  return kept < 2 * aDay ? null : precision * recall;
}

/** Clocks that are set back pass an hour twice: its runs are expected once. */
function expectedOf({ minutes, hours, weekdays }: Pattern, offset: Offset, from: number, to: number): number[] {
  const expected: number[] = [];
  let before = -1;
  for (let hour = Math.floor(from / HOUR) * HOUR; hour < to; hour += HOUR) {
    const local = hour + offset(hour);
    if (local === before) continue;
    before = local;
    if (hours !== null && !hours.includes(Math.floor((local % DAY) / HOUR))) continue;
    if (weekdays !== null && !weekdays.includes((Math.floor(local / DAY) + 4) % 7)) continue;
    for (const minute of minutes) {
      const at = hour + minute * MINUTE;
      if (at >= from && at < to) expected.push(at);
    }
  }
  return expected;
}

function cronOf({ minutes, hours, weekdays }: Pattern): string {
  return `${field(minutes, 60)} ${hours === null ? '*' : field(hours, 24)} * * ${weekdays === null ? '*' : field(weekdays, 7)}`;
}

/** `*`, `*\/5`, `9-17` or `0,15,30-35`. */
function field(values: readonly number[], size: number): string {
  if (values.length === size) return '*';
  const step = size / values.length;
  if (values.length > 1 && Number.isInteger(step) && values.every((value, index) => value === index * step)) {
    return `*/${step}`;
  }
  const spans: { first: number; last: number }[] = [];
  for (const value of values) {
    const span = spans.at(-1);
    if (span !== undefined && value === span.last + 1) span.last = value;
    else spans.push({ first: value, last: value });
  }
  return spans
    .map(({ first, last }) =>
      first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',');
}

/** Shifts happen at whole hours: each is looked up once. */
function offsetOf(zone: string): Offset {
  if (zone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-GB', {
    ...{ timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric' },
  });
  const known = new Map<number, number>();
  return (at) => {
    const hour = Math.floor(at / HOUR) * HOUR;
    const before = known.get(hour);
    if (before !== undefined) return before;
    const parts = new Map(format.formatToParts(hour * 1_000).map(({ type, value }) => [type, Number(value)]));
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0;
    const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour')) / 1_000;
    known.set(hour, local - hour);
    return local - hour;
  };
}
