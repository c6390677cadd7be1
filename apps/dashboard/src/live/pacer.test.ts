import { expect, test } from 'vitest';
import { Pacer, type Frames } from './pacer.ts';

class Clock implements Frames {
  time = 0;
  readonly #due: { at: number; run: () => void; handle: number }[] = [];
  #next = 1;
  now() {
    return this.time;
  }
  requestFrame(run: () => void) {
    return this.setTimer(run, 16);
  }
  cancelFrame(handle: number) {
    this.clearTimer(handle);
  }
  setTimer(run: () => void, ms: number) {
    const handle = this.#next++;
    this.#due.push({ at: this.time + ms, run, handle });
    return handle;
  }
  clearTimer(handle: number) {
    const at = this.#due.findIndex((each) => each.handle === handle);
    if (at >= 0) this.#due.splice(at, 1);
  }
  advanceTo(time: number) {
    for (;;) {
      this.#due.sort((a, b) => a.at - b.at);
      const first = this.#due[0];
      if (first === undefined || first.at > time) break;
      this.#due.shift();
      this.time = Math.max(this.time, first.at);
      first.run();
    }
    this.time = Math.max(this.time, time);
  }
}

test('many requests make few runs', () => {
  const clock = new Clock();
  let runs = 0;
  const pacer = new Pacer(() => (runs += 1), 200, clock);
  for (let ms = 0; ms < 1000; ms += 1) {
    clock.advanceTo(ms);
    pacer.request();
  }
  expect(runs).toBeGreaterThanOrEqual(4);
  expect(runs).toBeLessThanOrEqual(6);
});

test('the last request is never lost', () => {
  const clock = new Clock();
  let runs = 0;
  const pacer = new Pacer(() => (runs += 1), 200, clock);
  pacer.request();
  clock.advanceTo(50);
  pacer.request();
  clock.advanceTo(1000);
  expect(runs).toBe(2);
});

test('slow runs stretch the interval', () => {
  const clock = new Clock();
  let runs = 0;
  const pacer = new Pacer(
    () => {
      runs += 1;
      clock.time += 300;
    },
    200,
    clock,
  );
  for (let ms = 0; ms < 5000; ms += 10) {
    clock.advanceTo(ms);
    pacer.request();
  }
  expect(runs).toBeLessThanOrEqual(5);
});

test('a cancelled pacer runs no more', () => {
  const clock = new Clock();
  let runs = 0;
  const pacer = new Pacer(() => (runs += 1), 200, clock);
  pacer.request();
  pacer.cancel();
  clock.advanceTo(1000);
  expect(runs).toBe(0);
});
