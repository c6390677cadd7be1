import {
  acceptCompletion,
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  closeCompletion,
  completionKeymap,
  completionStatus,
  type Completion,
  type CompletionContext,
  type CompletionResult,
} from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { SQLDialect } from '@codemirror/lang-sql';
import { setDiagnostics } from '@codemirror/lint';
import { EditorState, Prec, StateEffect, type Extension } from '@codemirror/state';
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { KEYWORDS, proposalsAt, type Vocabulary } from './completion.ts';

export interface EditorOptions {
  readonly label: string;
  readonly text: string;
  readonly placeholder: string;
  /** Asked at every completion: what is known may come later. */
  readonly vocabulary: () => Vocabulary;
  /** The text was changed by whoever writes, not by `text = …`. */
  readonly onEdit: (text: string) => void;
  /** Ctrl+Enter or Cmd+Enter. */
  readonly onRun: () => void;
}

/**
 * The editor of a statement. It lives in a shadow tree: its styles are made while it runs, which the page's content security
 * policy allows there alone. Tab indents; after Escape, Tab leaves.
 */
export class StatementEditor implements Disposable {
  readonly #view: EditorView;

  constructor(host: HTMLElement, options: EditorOptions) {
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    // single keys are written here; elsewhere on the page they are shortcuts
    const own = (event: KeyboardEvent): void => {
      if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
    };
    this.#view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({ doc: options.text, extensions: extensionsOf(options) }),
    });
    this.#view.dom.addEventListener('keydown', own);
  }

  get text(): string {
    return this.#view.state.doc.toString();
  }

  set text(text: string) {
    if (text === this.text) return;
    this.#view.dispatch({
      changes: { from: 0, to: this.#view.state.doc.length, insert: text },
      selection: { anchor: text.length },
      effects: given.of(true),
    });
  }

  /** What is selected, and where it begins; the whole text when nothing is. */
  get chosen(): { readonly text: string; readonly offset: number } {
    const { main } = this.#view.state.selection;
    const text = this.#view.state.sliceDoc(main.from, main.to);
    return text.trim() === '' ? { text: this.text, offset: 0 } : { text, offset: main.from };
  }

  /** Writes a text where the cursor is, in place of what is selected. */
  insert(text: string): void {
    this.#view.dispatch(this.#view.state.replaceSelection(text), { scrollIntoView: true });
    this.#view.focus();
  }

  /** Underlines what is wrong until the text changes; null takes it back. */
  mark(problem: { readonly offset: number; readonly message: string } | null): void {
    const { doc } = this.#view.state;
    if (problem === null) {
      this.#view.dispatch(setDiagnostics(this.#view.state, []));
      return;
    }
    const from = Math.max(0, Math.min(problem.offset, doc.length - 1));
    const word = /^\w+/.exec(doc.sliceString(from, from + 200))?.[0].length ?? 1;
    const to = Math.min(doc.length, from + word);
    this.#view.dispatch(setDiagnostics(this.#view.state, [{ from, to, severity: 'error', message: problem.message }]));
  }

  /** Puts the cursor at a place and shows it. */
  goTo(offset: number): void {
    this.#view.dispatch({ selection: { anchor: Math.min(offset, this.text.length) }, scrollIntoView: true });
    this.#view.focus();
  }

  focus(): void {
    this.#view.focus();
  }

  [Symbol.dispose](): void {
    this.#view.destroy();
  }
}

/** Marks a change that the page made. */
const given = StateEffect.define<boolean>();

const clickHouse = SQLDialect.define({
  keywords: KEYWORDS.join(' ').toLowerCase(),
  types:
    'int8 int16 int32 int64 int128 int256 uint8 uint16 uint32 uint64 uint128 uint256 float32 float64 decimal bool string ' +
    'fixedstring uuid date date32 datetime datetime64 enum8 enum16 array map tuple nullable lowcardinality json ipv4 ipv6',
  backslashEscapes: true,
  doubleDollarQuotedStrings: true,
  identifierQuotes: '`"',
  caseInsensitiveIdentifiers: true,
  hashComments: false,
});

const highlight = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--off-fg)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--ok-fg)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn-fg)' },
  { tag: [tags.typeName, tags.standard(tags.name)], color: 'var(--custom-fg)' },
  { tag: [tags.lineComment, tags.blockComment], color: 'var(--text-3)', fontStyle: 'italic' },
  { tag: [tags.operator, tags.punctuation, tags.separator], color: 'var(--text-2)' },
  { tag: tags.special(tags.name), color: 'var(--run-fg)' },
]);

const theme = EditorView.theme({
  '&': { height: '100%', color: 'var(--text)', fontSize: 'var(--text-md)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', fontFeatureSettings: "'calt' 0", lineHeight: '1.6', overflow: 'auto' },
  '.cm-content': { padding: 'var(--s2) 0', caretColor: 'var(--accent)' },
  '.cm-line': { padding: '0 var(--s3) 0 var(--s2)' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)', borderLeftWidth: '2px' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--text-3)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 var(--s1) 0 var(--s3)', minWidth: '2.25rem' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
  '&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter': {
    backgroundColor: 'color-mix(in srgb, var(--surface-3) 45%, transparent)',
  },
  '&.cm-focused .cm-activeLineGutter': { color: 'var(--text)' },
  '.cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 24%, transparent)',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--surface-3)', outline: '1px solid var(--line-strong)' },
  '.cm-placeholder': { color: 'var(--text-3)' },
  '.cm-tooltip': {
    border: '1px solid var(--line)',
    borderRadius: 'var(--r2)',
    backgroundColor: 'var(--overlay)',
    color: 'var(--text)',
    boxShadow: 'var(--shadow-2)',
    overflow: 'hidden',
  },
  '.cm-tooltip.cm-tooltip-autocomplete': { overflow: 'visible' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': {
    maxWidth: 'min(32rem, calc(100vw - 2rem))',
    maxHeight: '15rem',
    fontFamily: 'var(--mono)',
    fontSize: 'var(--text-sm)',
  },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '0.2rem var(--s2)', lineHeight: '1.4' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--accent-soft)', color: 'var(--text)' },
  '.cm-completionIcon': { width: '1.1em', opacity: '0.75', color: 'var(--text-3)' },
  '.cm-completionMatchedText': { textDecoration: 'none', color: 'var(--accent)', fontWeight: '600' },
  '.cm-completionDetail': { color: 'var(--text-3)', fontStyle: 'normal', marginLeft: 'var(--s3)' },
  '.cm-completionInfo': {
    padding: 'var(--s2) var(--s3)',
    maxWidth: '20rem',
    fontFamily: 'var(--sans)',
    fontSize: 'var(--text-sm)',
  },
  '.cm-diagnostic': { padding: 'var(--s1) var(--s3)', fontFamily: 'var(--sans)', fontSize: 'var(--text-sm)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad-solid)' },
  '.cm-lintRange-error': {
    backgroundImage: 'none',
    textDecoration: 'underline wavy var(--bad-solid)',
    textUnderlineOffset: '4px',
  },
});

/** A list that is open takes Tab, also in its first moment, in which nothing is taken by a slip; else Tab indents. */
function takeProposal(view: EditorView): boolean {
  if (completionStatus(view.state) !== 'active') return false;
  acceptCompletion(view);
  return true;
}

const ICON_OF = { table: 'class', column: 'property', function: 'function', keyword: 'keyword' } as const;
/** What is of the tables in hand comes before what is of every statement. */
const BOOST_OF = { table: 10, column: 20, function: 0, keyword: -10 } as const;

function extensionsOf({ label, placeholder: hint, vocabulary, onEdit, onRun }: EditorOptions): Extension {
  const complete = (context: CompletionContext): CompletionResult | null => {
    const found = proposalsAt(context.state.doc.toString(), context.pos, vocabulary(), context.explicit);
    if (found === null) return null;
    const options = found.options.map(({ label: name, kind, detail, info }, index): Completion => ({
      label: name,
      type: ICON_OF[kind],
      // in the order of the documentation
      boost: BOOST_OF[kind] - (kind === 'table' || kind === 'column' ? index / 100 : 0),
      ...(detail === '' ? {} : { detail }),
      ...(info === '' ? {} : { info }),
    }));
    return { from: found.from, options, validFor: /^\w*$/ };
  };
  return [
    Prec.highest(
      keymap.of([
        {
          key: 'Mod-Enter',
          run: (view) => {
            closeCompletion(view);
            onRun();
            return true;
          },
        },
      ]),
    ),
    keymap.of([{ key: 'Tab', run: takeProposal }]),
    keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap, indentWithTab]),
    lineNumbers(),
    highlightActiveLine(),
    highlightActiveLineGutter(),
    drawSelection(),
    history(),
    bracketMatching(),
    closeBrackets(),
    clickHouse.extension,
    indentUnit.of('    '),
    EditorState.tabSize.of(4),
    EditorView.lineWrapping,
    autocompletion({ override: [complete], icons: true, maxRenderedOptions: 200 }),
    placeholder(hint),
    syntaxHighlighting(highlight),
    theme,
    EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', autocapitalize: 'off' }),
    EditorView.updateListener.of((update) => {
      const byPage = update.transactions.some((each) => each.effects.some((effect) => effect.is(given)));
      if (update.docChanged && !byPage) onEdit(update.state.doc.toString());
    }),
  ];
}
