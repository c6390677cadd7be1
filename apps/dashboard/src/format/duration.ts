const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** A length of time for reading: `0.4 ms`, `12 ms`, `1.24 s`, `2 m 05 s`, `3 h 10 m`, `4 d 6 h`; `–` when not known. */
export function formatDuration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '–';
  if (seconds < 0) return `−${formatDuration(-seconds)}`;
  if (seconds === 0) return '0 s';
  if (seconds < 0.001) return `${(seconds * 1000).toFixed(2)} ms`;
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return coarse(Math.round(seconds));
}

/** The same for what is counted in whole seconds: `39 s` rather than `39.0 s`. */
export function formatSeconds(seconds: number | null): string {
  const whole = seconds !== null && Number.isInteger(seconds) && seconds >= 0 && seconds < MINUTE;
  return whole ? `${seconds} s` : formatDuration(seconds);
}

function coarse(seconds: number): string {
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} m ${pad(seconds % MINUTE)} s`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ${pad(Math.floor((seconds % HOUR) / MINUTE))} m`;
  return `${Math.floor(seconds / DAY)} d ${Math.floor((seconds % DAY) / HOUR)} h`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
