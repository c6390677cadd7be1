import { forgotten, readMemory, remembered, saved, type SavedSearch, type SearchMemory } from './search-memory.ts';

const KEY = 'meadow.searches';

/** Searches that this browser remembers. */
export class Searches {
  #memory = $state.raw(readMemory(stored()));

  get memory(): SearchMemory {
    return this.#memory;
  }

  remember(query: string): void {
    this.#keep(remembered(this.#known(), query));
  }

  save(search: SavedSearch): void {
    this.#keep(saved(this.#known(), search));
  }

  forget(name: string): void {
    this.#keep(forgotten(this.#known(), name));
  }

  /** Another tab may have added its own. */
  #known(): SearchMemory {
    const text = stored();
    return text === null ? this.#memory : readMemory(text);
  }

  #keep(memory: SearchMemory): void {
    this.#memory = memory;
    try {
      localStorage.setItem(KEY, JSON.stringify(memory));
    } catch {
      // browsers may refuse storage: what is remembered then lasts as long as the page
    }
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
