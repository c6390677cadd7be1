import type { Polled } from '../live/polled.ts';
import type { Session } from './session.svelte.ts';

/** Tells the top bar how a polled page stands, while the page is there. Call while a component is set up. */
export function showPolling(session: Session, polled: () => Polled<unknown>): void {
  $effect(() => {
    const source = polled();
    return session.show({
      get mode() {
        const { answeredAt, fault } = source.state;
        if (fault !== null) return answeredAt === null ? 'reconnecting' : 'stale';
        return answeredAt === null ? 'connecting' : 'polling';
      },
      get since() {
        return source.state.answeredAt ?? Date.now() / 1000;
      },
      get paused() {
        return source.paused;
      },
      setPaused(paused) {
        source.pause(paused);
      },
    });
  });
}
