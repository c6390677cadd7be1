import { createContext } from 'svelte';
import type { Tone } from './states.ts';

export interface Toast {
  readonly id: number;
  readonly tone: Tone;
  readonly text: string;
}

/** Short notices at the edge of the page; each leaves by itself. */
export class Toasts {
  #shown = $state.raw<readonly Toast[]>([]);
  #next = 1;

  get shown(): readonly Toast[] {
    return this.#shown;
  }

  /** @param forMs how long it stays. @default 4000 */
  tell(tone: Tone, text: string, forMs = 4000): void {
    const id = this.#next++;
    this.#shown = [...this.#shown.slice(-3), { id, tone, text }];
    setTimeout(() => {
      this.dismiss(id);
    }, forMs);
  }

  dismiss(id: number): void {
    this.#shown = this.#shown.filter((toast) => toast.id !== id);
  }
}

export const [getToasts, setToasts] = createContext<Toasts>();
