/** A line of a menu. */
export interface MenuItem {
  readonly id: string;
  readonly label: string;
  /** Why it cannot be chosen now, a sentence; null when it can. */
  readonly whyNot: string | null;
  /** Looks like what it is: it ends something. */
  readonly danger?: boolean;
  onchoose(): void;
}
