import { parseDocument } from 'yaml';
import type { Tags } from 'yaml';
import { CeleryDecodeError } from './errors.ts';
import type { JsonValue } from './json.ts';
import { MAX_YAML_BYTES } from './limits.ts';
import { plainValue } from './plain.ts';

/** YAML 1.1 types that are not JSON: their text is kept instead. */
const notJson: ReadonlySet<string> = new Set(['binary', 'timestamp', 'set', 'omap', 'pairs'].map(nameOfTag));

const bool = nameOfTag('bool');
const int = nameOfTag('int');
const float = nameOfTag('float');

function nameOfTag(name: string): string {
  return `tag:yaml.org,2002:${name}`;
}

/**
 * The YAML 1.1 schema as PyYAML has it, where the specification and the parser's own schema differ: `y` and `n` are text,
 * and a float has a point and a sign in its exponent, an integer no leading zero but octal's, so that text such as `1e3`, `08` or `y` stays what its writer meant.
 */
function pythonTags(tags: Tags): Tags {
  const tagsToKeep = tags.filter((tag) => typeof tag === 'string' || !notJson.has(tag.tag));
  return tagsToKeep.map((tag) => {
    if (typeof tag === 'string' || tag.collection !== undefined) return tag;
    if (tag.tag === bool) {
      const test = tag.test?.test('yes')
        ? /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/
        : /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/;
      return { ...tag, test };
    }
    if (tag.tag === float && tag.format === 'EXP') {
      return { ...tag, test: /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)[eE][-+][0-9]+$/ };
    }
    if (tag.tag === float && tag.test?.test('1.5') === true) {
      return { ...tag, test: /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)$/ };
    }
    if (tag.tag === int && tag.test?.test('9') === true && tag.format === undefined) {
      return { ...tag, test: /^[-+]?(?:0|[1-9][0-9_]*)$/ };
    }
    return tag;
  });
}

/**
 * Reads YAML 1.1, as PyYAML's safe loader does, into JSON values: no custom tags, at most 100 alias uses, dates as their
 * text.
 * @throws CeleryDecodeError `CELERY_YAML_INVALID`, `CELERY_TOO_LARGE` beyond {@link MAX_YAML_BYTES}, `CELERY_TOO_DEEP`
 */
export function readYaml(text: string): JsonValue {
  if (text.length > MAX_YAML_BYTES) {
    throw new CeleryDecodeError('CELERY_TOO_LARGE', `yaml of ${text.length} characters`, { limit: MAX_YAML_BYTES });
  }
  let value: unknown;
  try {
    const document = parseDocument(text, {
      schema: 'yaml-1.1',
      version: '1.1',
      customTags: pythonTags,
      intAsBigInt: true,
      prettyErrors: false,
      logLevel: 'silent',
    });
    const [error] = document.errors;
    if (error !== undefined) throw error;
    value = document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    // Also a stack overflow: the library recurses.
    throw new CeleryDecodeError('CELERY_YAML_INVALID', 'body is not yaml', { characters: text.length }, cause);
  }
  return plainValue(value);
}
