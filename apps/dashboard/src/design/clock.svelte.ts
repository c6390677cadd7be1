import { createSubscriber } from 'svelte/reactivity';

let nowSeconds = Date.now() / 1000;
const subscribe = createSubscriber((update) => {
  const tick = () => {
    nowSeconds = Date.now() / 1000;
    update();
  };
  tick();
  const timer = setInterval(tick, 1000);
  return () => {
    clearInterval(timer);
  };
});

/** Unix seconds; what reads it is computed again every second. */
export function now(): number {
  subscribe();
  return nowSeconds;
}
