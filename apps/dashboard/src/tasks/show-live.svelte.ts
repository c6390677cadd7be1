import type { Session } from '../shell/session.svelte.ts';
import type { LiveTasks } from './live-tasks.ts';

/** Tells the top bar how the live list stands, while the page is there. Call while a component is set up. */
export function showLive(session: Session, list: () => LiveTasks): void {
  $effect(() => {
    const source = list();
    return session.show({
      get mode() {
        return source.state.link.mode;
      },
      get since() {
        return source.state.link.since;
      },
      get paused() {
        return source.state.paused;
      },
      setPaused(paused) {
        source.pause(paused);
      },
    });
  });
}
