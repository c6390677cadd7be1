const KEY = 'meadow.sql.draft';

/** What was written last in this tab, as a fragment: whoever comes back to the page finds it. */
export const draft = {
  read(): string {
    try {
      return sessionStorage.getItem(KEY) ?? '';
    } catch {
      return '';
    }
  },
  keep(fragment: string): void {
    try {
      sessionStorage.setItem(KEY, fragment);
    } catch {
      // browsers may refuse storage: the address still has it
    }
  },
};
