import { createContext } from 'svelte';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type ThemeChoice = (typeof THEMES)[number];
const KEY = 'meadow.theme';

/** Light, dark or as the system has it; remembered in this browser. */
export class Theme {
  readonly #system: MediaQueryList;
  #choice = $state<ThemeChoice>('auto');
  #systemDark = $state(false);

  constructor() {
    this.#system = window.matchMedia('(prefers-color-scheme: dark)');
    this.#systemDark = this.#system.matches;
    // lives as long as the page
    this.#system.addEventListener('change', () => (this.#systemDark = this.#system.matches));
    this.choose(THEMES.find((theme) => theme === remembered()) ?? 'auto');
  }

  get choice(): ThemeChoice {
    return this.#choice;
  }

  /** What is on the screen. */
  get shown(): 'light' | 'dark' {
    if (this.#choice !== 'auto') return this.#choice;
    return this.#systemDark ? 'dark' : 'light';
  }

  choose(choice: ThemeChoice): void {
    this.#choice = choice;
    if (choice === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // browsers may refuse storage: the choice then lasts as long as the page
    }
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export const [getTheme, setTheme] = createContext<Theme>();
