/** Seconds. */
const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const DAY = 86_400;

/** What a written time means: an instant, or from `start` on and before `end` where it names a day or a minute. */
export interface TimeValue {
  readonly start: number;
  readonly end: number;
}

/** `30`, `250ms`, `1.5h` as seconds; null for anything else. */
export function durationIn(text: string): number | null {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|[smhdw])?$/.exec(text) ?? [];
  return digits === undefined ? null : Number(digits) * (UNITS[unit] ?? 1);
}

/** `3`, `-1`, `2.5`; null for anything else. */
export function numberIn(text: string): number | null {
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : null;
}

/** `-1h`, `+30m`, `now`, `today`, `yesterday`, a date or a time of UTC, as Unix seconds; null for anything else. */
export function timeIn(text: string, now: number): TimeValue | null {
  const today = Math.floor(now / DAY) * DAY;
  switch (text) {
    case 'now':
      return { start: now, end: now };
    case 'today':
      return { start: today, end: today + DAY };
    case 'yesterday':
      return { start: today - DAY, end: today };
    default: {
      const sign = text[0] === '-' ? -1 : text[0] === '+' ? 1 : 0;
      if (sign === 0) return dateIn(text);
      const offset = /[a-z]$/.test(text) ? durationIn(text.slice(1)) : null;
      return offset === null ? null : { start: now + sign * offset, end: now + sign * offset };
    }
  }
}

const DATE = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2})?(\.\d{1,6})?Z?)?$/;

function dateIn(text: string): TimeValue | null {
  const [, date, minute, second, fraction] = DATE.exec(text) ?? [];
  if (date === undefined || (fraction !== undefined && second === undefined)) return null;
  const whole = `${date}T${minute ?? '00:00'}${second ?? ':00'}`;
  const millis = Date.parse(`${whole}Z`);
  // the 30th of February is read as a day of March
  if (Number.isNaN(millis) || !new Date(millis).toISOString().startsWith(whole)) return null;
  const start = millis / 1000 + Number(`0${fraction ?? ''}`);
  return {
    start,
    end: start + (fraction !== undefined ? 0 : second !== undefined ? 1 : minute !== undefined ? 60 : DAY),
  };
}
