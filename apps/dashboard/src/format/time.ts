const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** How long ago, in one unit: `now`, `12s ago`, `4m ago`, `in 3h`. Both in Unix seconds. */
export function formatRelative(at: number, now: number): string {
  const past = now - at;
  const size = Math.abs(past);
  if (size < 1.5) return 'now';
  const text = oneUnit(size);
  return past > 0 ? `${text} ago` : `in ${text}`;
}

function oneUnit(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)}s`;
  if (seconds < 90 * MINUTE) return `${Math.round(seconds / MINUTE)}m`;
  if (seconds < 36 * HOUR) return `${Math.round(seconds / HOUR)}h`;
  return `${Math.round(seconds / DAY)}d`;
}

/** The viewer's locale and zone, unless a test says otherwise. */
export interface Place {
  readonly locale?: string;
  readonly timeZone?: string;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(kind: string, place: Place, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${kind} ${place.locale ?? ''} ${place.timeZone ?? ''}`;
  let made = formats.get(key);
  if (made === undefined) {
    // building one costs about as much as a thousand uses of it
    made = new Intl.DateTimeFormat(place.locale, {
      ...options,
      ...(place.timeZone ? { timeZone: place.timeZone } : {}),
    });
    formats.set(key, made);
  }
  return made;
}

/** Time of day to the second in the viewer's zone, with the day in front when it is not today's: `14:03:22`. */
export function formatClock(at: number, now: number, place: Place = {}): string {
  const date = new Date(at * 1000);
  const day = format('day', place, { day: '2-digit', month: 'short' });
  const time = format('clock', place, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(date);
  const on = day.format(date);
  return on === day.format(new Date(now * 1000)) ? time : `${on} ${time}`;
}

/** Everything, with zone and milliseconds: for tooltips and details. */
export function formatAbsolute(at: number, place: Place = {}): string {
  return format('absolute', place, {
    year: 'numeric',
    month: 'short',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
    timeZoneName: 'short',
  }).format(new Date(at * 1000));
}

/** A point of a chart that reaches over days: `14 Nov, 02:00 – 04:00`, with both days where it is as long as one. */
export function formatDayLabel(from: number, to: number, place: Place = {}): string {
  const label = formatSpanLabel(from, to, place);
  if (to - from >= DAY) return label;
  return `${format('day', place, { day: '2-digit', month: 'short' }).format(new Date(from * 1000))}, ${label}`;
}

/** Hour and minute; with the day for spans beyond a day. For chart labels. */
export function formatSpanLabel(from: number, to: number, place: Place = {}): string {
  const long = to - from >= DAY;
  const label = format(long ? 'span-day' : 'span', place, {
    ...(long ? { day: '2-digit', month: 'short' } : {}),
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return `${label.format(new Date(from * 1000))} – ${label.format(new Date(to * 1000))}`;
}
