/**
 * One node of a parsed Python repr. Plain data: survives `JSON.stringify` unchanged.
 *
 * `int` holds what a double holds exactly, `bigint` the digits of anything larger. `float` keeps its text because
 * `nan`, `inf` and `1.0` have no JSON number of their own. `elided` marks where Celery (or somebody's scissors) left
 * something out: `text` is what remains of the item, empty when nothing does.
 *
 * A `str` is `unsure` when its text reads differently the way Celery quotes (only `'` is escaped) and the way Python
 * does, or when it ends in dots that may be Celery's.
 */
export type ReprNode =
  | { readonly kind: 'none' }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'bigint'; readonly digits: string }
  | { readonly kind: 'float'; readonly text: string }
  | { readonly kind: 'complex'; readonly text: string }
  | { readonly kind: 'str'; readonly value: string; readonly cut?: true; readonly unsure?: true }
  | { readonly kind: 'bytes'; readonly text: string; readonly cut?: true }
  | { readonly kind: 'list' | 'tuple' | 'set' | 'frozenset'; readonly items: readonly ReprNode[] }
  | { readonly kind: 'dict'; readonly entries: readonly ReprEntry[] }
  | { readonly kind: 'datetime' | 'date' | 'time'; readonly iso: string; readonly text: string }
  | { readonly kind: 'timedelta'; readonly seconds: number; readonly text: string }
  | { readonly kind: 'uuid' | 'decimal'; readonly value: string }
  | {
      readonly kind: 'call';
      readonly name: string;
      readonly args: readonly ReprNode[];
      readonly named: readonly { readonly name: string; readonly value: ReprNode }[];
    }
  | { readonly kind: 'opaque'; readonly text: string }
  | { readonly kind: 'elided'; readonly text: string };

/** One item of a dict; an entry whose value was cut away has an `elided` value, `{...}` is one entry elided twice. */
export interface ReprEntry {
  readonly key: ReprNode;
  readonly value: ReprNode;
}

/** What {@link parseRepr} makes of a text. */
export interface ReprResult {
  /** The tree; a single `opaque` node with the whole text when it cannot be read. */
  readonly value: ReprNode;
  /** True when something is missing from the text: Celery's `...` marks, or a text that ends before its brackets do. */
  readonly cut: boolean;
  /** UTF-16 offset in `raw` of the first missing piece, null when nothing is known to be missing. */
  readonly cutAt: number | null;
  /**
   * True only when the tree is certainly what the publisher passed and JSON can carry it unchanged: nothing cut, nothing
   * opaque, no type JSON lacks, no character that the two ways of quoting (Celery's and Python's) read differently.
   */
  readonly exact: boolean;
  readonly raw: string;
}
