import { closesItself } from './cursor.ts';
import { parseRepr } from './parse.ts';

/**
 * Whether Celery, or anybody else, cut this text. Cheap for the usual text without dots: then only its ends are compared,
 * so a plain chop that happens to end in the right bracket goes unnoticed. With dots it answers as `parseRepr` does.
 */
export function isCut(text: string): boolean {
  return text.includes('...') ? parseRepr(text).cut : !closesItself(text);
}
