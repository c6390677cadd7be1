/** One call of a Python traceback. */
export interface Frame {
  readonly file: string;
  readonly line: number;
  readonly name: string;
  /** The lines below the call: source, and markers of newer Pythons. */
  readonly code: readonly string[];
  /** In installed packages or the standard library rather than in the user's own code. */
  readonly library: boolean;
}

export type TracebackPart =
  { readonly kind: 'frames'; readonly frames: readonly Frame[] } | { readonly kind: 'text'; readonly text: string };

const CALL = /^ {2}File "(.*)", line (\d+)(?:, in (.*))?$/;

/** Splits a traceback into calls and what stands between them (headings, exceptions, "During handling of …"). */
export function parseTraceback(text: string): TracebackPart[] {
  const parts: TracebackPart[] = [];
  let frames: Frame[] = [];
  let lines: string[] = [];
  const closeFrames = () => {
    if (frames.length > 0) parts.push({ kind: 'frames', frames });
    frames = [];
  };
  const closeText = () => {
    const joined = lines.join('\n').trim();
    if (joined !== '') parts.push({ kind: 'text', text: joined });
    lines = [];
  };
  for (const line of text.split('\n')) {
    const call = CALL.exec(line);
    const last = frames.at(-1);
    if (call !== null) {
      closeText();
      const [, file = '', number = '', name = ''] = call;
      frames.push({ file, line: Number(number), name, code: [], library: isLibrary(file) });
    } else if (last !== undefined && lines.length === 0 && line.startsWith('    ')) {
      frames[frames.length - 1] = { ...last, code: [...last.code, line.slice(4)] };
    } else if (line.trim() !== '' || lines.length > 0) {
      closeFrames();
      lines.push(line);
    }
  }
  closeFrames();
  closeText();
  return parts;
}

function isLibrary(file: string): boolean {
  return /[\\/](site-packages|dist-packages|lib[\\/]python[\d.]+)[\\/]/.test(file) || file.startsWith('<');
}
