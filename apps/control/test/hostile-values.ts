const TEXTS = [
  ...[
    '',
    ' ',
    'celery',
    'no.such',
    'a'.repeat(300),
    'ü'.repeat(200),
    '\0',
    '\ud800',
    "'; DROP",
    '{}',
    '10/m',
    'SIGKILL',
  ],
  ...['SIGNOPE', '../..', '*', '#', '\x06\x16', '💣', 'None', 'null', '1e999'],
];

/** A whole number from 0 up to what is given. */
export type Random = (below: number) => number;

/** The same numbers for the same seed. */
export function randomly(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // the low bits repeat too soon
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What JSON can hold, and nobody should send. */
export function anyValue(random: Random, depth = 0): unknown {
  const text = () => TEXTS[random(TEXTS.length)];
  switch (random(depth > 2 ? 6 : 9)) {
    case 0:
      return null;
    case 1:
      return random(2) === 0;
    case 2:
      return [0, 1, 2, -1, 1.5, 1e308, 2 ** 53, -0][random(8)];
    case 3:
    case 4:
    case 5:
      return text();
    case 6:
      return Array.from({ length: random(4) }, () => anyValue(random, depth + 1));
    case 7:
      return Object.fromEntries(Array.from({ length: random(4) }, () => [text() ?? '', anyValue(random, depth + 1)]));
    default:
      return [text(), text()];
  }
}
