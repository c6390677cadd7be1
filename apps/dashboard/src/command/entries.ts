import type { IconName } from '../design/icons.ts';

/** A place that can be gone to. */
export interface Entry {
  readonly kind: 'Page' | 'Cluster' | 'Task' | 'Worker' | 'Queue' | 'Saved query';
  readonly label: string;
  /** What tells it from others of the same name; '' for nothing. */
  readonly hint: string;
  readonly icon: IconName;
  readonly href: string;
}

const MOST = 40;

/**
 * Entries in which every word of the text occurs, those first whose label begins with it, then those with a word that
 * does; at most 40. All of them, up to that, for no text.
 */
export function matching(entries: readonly Entry[], text: string): readonly Entry[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  const [first = ''] = words;
  const rank = ({ label }: Entry): number => {
    const at = label.toLowerCase().indexOf(first);
    if (at < 0) return 3;
    if (at === 0) return 0;
    return /\w/.test(label.charAt(at - 1)) ? 2 : 1;
  };
  return entries
    .filter(({ kind, label, hint }) => {
      const whole = `${label} ${hint} ${kind}`.toLowerCase();
      return words.every((word) => whole.includes(word));
    })
    .map((entry) => ({ entry, at: rank(entry) }))
    .sort((a, b) => a.at - b.at)
    .slice(0, MOST)
    .map(({ entry }) => entry);
}

/** Whether a text is a task's id, as Celery makes them. */
export function isTaskId(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text.trim());
}
