import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Counters there is room for; the code under test has about two thousand places. */
const PLACES = 8_192;
const LONGEST_WORD = 60;

/** What a run of instrumented code leaves behind. */
export interface Coverage {
  /** How often each place was reached, modulo 256. Set to zero before a run. */
  readonly hits: Uint8Array;
  /** Every string literal of the code, to build inputs from. */
  readonly words: ReadonlySet<string>;
}

/**
 * Counts, in every module loaded from now on whose path matches, each function, branch, loop body and right side of a
 * logical operator. Done to the source text while it is loaded, because the engine's own coverage costs milliseconds a
 * look, and a look follows every input.
 */
export function instrument(paths: RegExp): Coverage {
  const hits = new Uint8Array(PLACES);
  const words = new Set<string>();
  Object.assign(globalThis, { fuzzHits: hits });
  let places = 0;
  const counter = (): string => `fuzzHits[${places++ % PLACES}]++`;
  registerHooks({
    load(url, context, nextLoad) {
      if (!paths.test(url)) return nextLoad(url, context);
      const source = withCounters(readFileSync(fileURLToPath(url), 'utf8'), counter, words);
      return { format: 'module-typescript', source, shortCircuit: true };
    },
  });
  return { hits, words };
}

interface Edit {
  readonly at: number;
  /** What is closed at a place comes before what is opened there. */
  readonly closes: boolean;
  readonly text: string;
}

function withCounters(source: string, counter: () => string, words: Set<string>): string {
  const edits: Edit[] = [];
  const file = ts.createSourceFile('module.ts', source, ts.ScriptTarget.Latest, true);

  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) && node.text !== '' && node.text.length <= LONGEST_WORD) words.add(node.text);
    if (ts.isIfStatement(node)) {
      countedStatement(node.thenStatement);
      if (node.elseStatement !== undefined) countedStatement(node.elseStatement);
      visit(node.expression);
      return;
    }
    if (ts.isIterationStatement(node, false)) {
      ts.forEachChild(node, (child) => (child === node.statement ? countedStatement(node.statement) : visit(child)));
      return;
    }
    if (ts.isConditionalExpression(node)) {
      visit(node.condition);
      countedExpression(node.whenTrue);
      countedExpression(node.whenFalse);
      return;
    }
    if (ts.isBinaryExpression(node) && isLogical(node.operatorToken.kind)) {
      visit(node.left);
      countedExpression(node.right);
      return;
    }
    if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
      node.parameters.forEach(visit);
      countedExpression(node.body);
      return;
    }
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined && ts.isBlock(node.body as ts.Node)) {
      enter(node.body as ts.Block);
    }
    if (ts.isCatchClause(node)) enter(node.block);
    const [first] = ts.isCaseOrDefaultClause(node) ? node.statements : [];
    if (first !== undefined) edits.push({ at: first.getStart(), closes: false, text: `${counter()};` });
    ts.forEachChild(node, visit);
  };
  const enter = (block: ts.Block): void => {
    edits.push({ at: block.getStart() + 1, closes: false, text: `${counter()};` });
  };
  const countedStatement = (statement: ts.Statement): void => {
    if (ts.isBlock(statement)) {
      enter(statement);
      visit(statement);
    } else wrapped(statement, `{${counter()};`, '}');
  };
  const countedExpression = (expression: ts.Expression | ts.ConciseBody): void =>
    wrapped(expression, `(${counter()},`, ')');
  const wrapped = (node: ts.Node, before: string, after: string): void => {
    edits.push({ at: node.getStart(), closes: false, text: before });
    visit(node);
    edits.push({ at: node.getEnd(), closes: true, text: after });
  };

  ts.forEachChild(file, visit);
  // sorting keeps the order of equals: outer openings first, inner closings first
  edits.sort((a, b) => a.at - b.at || Number(b.closes) - Number(a.closes));
  let text = 'const fuzzHits = globalThis.fuzzHits;';
  let copied = 0;
  for (const edit of edits) {
    text += source.slice(copied, edit.at) + edit.text;
    copied = edit.at;
  }
  return text + source.slice(copied);
}

function isLogical(kind: ts.SyntaxKind): boolean {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}
