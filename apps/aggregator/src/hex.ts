/** In place of the value of a byte that is no digit: larger than any. */
const NO_DIGIT = 0xff;

/** The value of each ASCII character as a lower-case hex digit. */
export const HEX_DIGITS: Uint8Array = new Uint8Array(256).fill(NO_DIGIT);
for (let value = 0; value < 16; value++) HEX_DIGITS[value.toString(16).charCodeAt(0)] = value;
