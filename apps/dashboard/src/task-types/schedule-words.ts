import type { LearntSchedule } from '@meadow/api';
import { formatDuration, formatSeconds } from '../format/duration.ts';

/** `every 30 s`, or the five fields of a crontab. */
export function scheduleTitle({ cron, everySeconds }: Pick<LearntSchedule, 'cron' | 'everySeconds'>): string {
  if (cron !== null) return cron;
  if (everySeconds === null) return '';
  // a beat is a little late each time: 30.03 s are thirty
  const whole = Math.round(everySeconds);
  return `every ${Math.abs(everySeconds - whole) < 0.05 * Math.sqrt(everySeconds) ? formatSeconds(whole) : formatDuration(everySeconds)}`;
}

/** What stands beneath it: whose clock it follows, and who sent it. */
export function scheduleSays({ cron, zone, client, runs }: LearntSchedule): string {
  const clock =
    cron === null ? '' : zone === 'UTC' ? ', in UTC' : `, by clocks that are shifted as those of ${zone} are`;
  const sender = client === '' ? '' : `, mostly sent by ${client}`;
  return `Learnt from ${runs} runs${clock}${sender}.`;
}

/** How sure that is. */
export function confidenceWord(confidence: number): string {
  if (confidence >= 0.9) return 'high';
  return confidence >= 0.75 ? 'good' : 'fair';
}
