/** Deepest nesting of arrays and objects that is decoded. Python's own json gives up near 1000. */
export const MAX_DEPTH = 512;

/** Largest envelope or body, in bytes or UTF-16 units, before and after decompression. */
export const MAX_BYTES = 64 * 1024 * 1024;

/** Largest YAML body: the parser costs far more a byte than JSON's. */
export const MAX_YAML_BYTES = 1024 * 1024;

/** Decompressed bytes for each compressed byte; bodies below {@link RATIO_FREE_BYTES} are exempt. */
export const MAX_RATIO = 250;

/** Output that is never called a bomb, whatever its ratio. */
export const RATIO_FREE_BYTES = 4 * 1024 * 1024;

/** The same for bzip2, which is decoded in JavaScript: 20 ms for this much, however few bytes it came in. */
export const BZIP2_RATIO_FREE_BYTES = 256 * 1024;

/** Digits of one integer; Python's `sys.set_int_max_str_digits` has the same default. */
export const MAX_INT_DIGITS = 4300;

/** Values in one msgpack or YAML body, aliases counted each time they are used. */
export const MAX_VALUES = 2_000_000;

/** Failures told one by one for a single message; the rest is one failure with a count. */
export const MAX_FAILURES = 1000;

/** Largest bzip2 body before decompression: it is decoded in JavaScript, where a crafted stream of tiny blocks is slow. */
export const MAX_BZIP2_BYTES = 8 * 1024 * 1024;
