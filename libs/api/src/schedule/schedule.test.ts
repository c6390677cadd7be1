import { describe, expect, test } from 'vitest';
import { learnSchedule } from './schedule.ts';

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
/** Monday, UTC. */
const MONDAY = Date.UTC(2026, 5, 1) / 1_000;

/** Numbers from 0 to 1 that look random, the same in every run. */
function noise(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const every = (step: number, count: number, from = MONDAY): number[] =>
  Array.from({ length: count }, (_, turn) => from + turn * step);
const jittered = (times: readonly number[], most: number): number[] => {
  const next = noise();
  return times.map((at) => at + next() * most);
};
const utc = (...parts: [number, number, number, number?]): number => Date.UTC(...parts) / 1_000;
const hourOf = (at: number): number => Math.floor((at % DAY) / HOUR);
const weekdayOf = (at: number): number => new Date(at * 1_000).getUTCDay();

describe('an interval', () => {
  test.each([
    [10, 60, 0.4],
    [30, 40, 1],
    [47, 40, 3],
    [5 * MINUTE, 30, 8],
    [36 * HOUR, 8, 30],
  ])('of %s s is recognised', (step, count, most) => {
    // beside the minutes of the clock
    const times = jittered(every(step, count, MONDAY + 37), most);
    const now = (times.at(-1) ?? 0) + step / 2;
    const schedule = learnSchedule(times, now);
    expect(schedule).toMatchObject({ cron: null, runs: count, missedCount: 0, lastAt: times.at(-1) });
    expect(Math.abs((schedule?.everySeconds ?? 0) / step - 1)).toBeLessThan(0.02);
    expect(schedule?.confidence).toBeGreaterThan(0.7);
    expect(schedule?.jitterSeconds).toBeLessThanOrEqual(most);
    expect(Math.abs((schedule?.nextAt ?? 0) - (now + step / 2))).toBeLessThan(Math.max(1, most));
  });

  test('of a beat that drifts, and was restarted, is recognised', () => {
    const next = noise();
    let at = MONDAY + 11;
    const times = Array.from({ length: 60 }, (_, turn) => (at += 30 + next() * 0.2 + (turn === 30 ? 17 : 0)));
    expect(learnSchedule(times, at + 1)?.everySeconds).toBeCloseTo(30.1, 1);
  });

  test('tells which runs were missed, but for what may not have been heard', () => {
    const all = jittered(every(30, 60, MONDAY + 7), 1);
    const times = all.filter((_, turn) => ![10, 11, 40].includes(turn) && turn < 57);
    const now = MONDAY + 7 + 60 * 30;
    const schedule = learnSchedule(times, now, [{ from: MONDAY + 40 * 30, to: MONDAY + 40 * 30 + 15 }]);
    expect(schedule).toMatchObject({ missedCount: 5, unheard: 1 });
    const turns = schedule?.missed.map((at) => Math.round((at - MONDAY - 7) / 30));
    expect(turns).toEqual([59, 58, 57, 11, 10]);
  });
});

describe('a calendar', () => {
  const days = (count: number): number[] => every(DAY, count);
  test.each<[string, readonly number[]]>([
    ['*/5 * * * *', every(5 * MINUTE, 60)],
    ['0 * * * *', every(HOUR, 30)],
    ['15,45 * * * *', every(30 * MINUTE, 40, MONDAY + 15 * MINUTE)],
    ['0 */6 * * *', every(6 * HOUR, 30)],
    ['30 3 * * *', days(12).map((day) => day + 3.5 * HOUR)],
    [
      '0 9-17 * * 1-5',
      every(HOUR, 24 * 21).filter((at) => hourOf(at) >= 9 && hourOf(at) <= 17 && weekdayOf(at) % 6 !== 0),
    ],
    [
      '0 4 * * 0',
      days(36)
        .map((day) => day + 4 * HOUR)
        .filter((at) => weekdayOf(at) === 0),
    ],
    ['0 0 * * 1,4', days(36).filter((at) => [1, 4].includes(weekdayOf(at)))],
    ['* * * * *', every(MINUTE, 300)],
  ])('%s is recognised', (cron, times) => {
    const late = jittered(times, 3);
    const schedule = learnSchedule(late, (late.at(-1) ?? 0) + 40);
    expect(schedule).toMatchObject({ cron, zone: 'UTC', everySeconds: null, missedCount: 0, unheard: 0 });
    expect(schedule?.confidence).toBeGreaterThan(0.6);
  });

  test('expects the next run, and tells those that were missed', () => {
    const nights = days(20).map((day) => day + 3 * HOUR);
    const times = jittered(
      nights.filter((_, day) => day !== 6 && day < 18),
      2,
    );
    const now = MONDAY + 20 * DAY;
    expect(learnSchedule(times, now)).toMatchObject({
      ...{ cron: '0 3 * * *', nextAt: now + 3 * HOUR, missedCount: 3 },
      missed: [19, 18, 6].map((day) => MONDAY + day * DAY + 3 * HOUR),
    });
    // a run that is due within seconds is not missed yet
    expect(learnSchedule(times, MONDAY + 18 * DAY + 3 * HOUR + 10)).toMatchObject({ missedCount: 1 });
  });

  test('holds beside a run by hand', () => {
    const times = [...every(HOUR, 40), MONDAY + 5.31 * HOUR, MONDAY + 19.77 * HOUR];
    expect(learnSchedule(times, MONDAY + 40 * HOUR - 60)).toMatchObject({ cron: '0 * * * *', missedCount: 0 });
  });

  test.each([
    ['Europe/Berlin', utc(2026, 2, 9), utc(2026, 2, 29, 1), 2, 1],
    ['Europe/Berlin', utc(2026, 9, 5), utc(2026, 9, 25, 1), 1, 2],
    ['America/New_York', utc(2026, 2, 1), utc(2026, 2, 8, 7), 8, 7],
  ])('in a zone like %s follows the shift of the clocks', (zone, from, shift, before, after) => {
    const times = every(DAY, 30, from).map((day) => day + (day + 12 * HOUR < shift ? before : after) * HOUR);
    const kept = times.filter((at) => at < shift + 10 * DAY);
    const schedule = learnSchedule(kept, (kept.at(-1) ?? 0) + HOUR);
    expect(schedule).toMatchObject({ zone, missedCount: 0 });
    expect(schedule?.nextAt).toBe((kept.at(-1) ?? 0) + DAY);
  });
});

describe('no schedule', () => {
  const next = noise(7);
  const random = (count: number, mean: number): number[] => {
    let at = MONDAY;
    return Array.from({ length: count }, () => (at -= Math.log(1 - next()) * mean));
  };
  test.each<[string, readonly number[]]>([
    ['nothing', []],
    ['one run', [MONDAY]],
    ['three runs a day apart', every(DAY, 3)],
    ['what runs at random, often', random(500, 4)],
    ['what runs at random, now and then', random(200, 10 * MINUTE)],
    ['what runs at random, rarely', random(40, 8 * HOUR)],
    ['bursts', every(HOUR, 12).flatMap((at, turn) => every(0.7 + turn / 9, 30, at + next() * HOUR))],
    ['a stream of work', every(0.05, 900)],
    ['many at once', every(5 * MINUTE, 40).flatMap((at) => every(0.3, 20, at))],
    ['office hours, at random', random(300, 20 * MINUTE).filter((at) => hourOf(at) >= 8 && hourOf(at) < 18)],
  ])('is seen in %s', (_, times) => {
    expect(learnSchedule(times, (times.at(-1) ?? MONDAY) + 60)).toBeNull();
  });
});
