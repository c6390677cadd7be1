import type { Session } from '../shell/session.svelte.ts';
import type { TaskList } from './task-list.ts';

/** Tells the top bar how the list stands, while there is one. Call while a component is set up. */
export function showList(session: Session, list: () => TaskList | null): void {
  $effect(() => {
    const source = list();
    if (source === null) return;
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
