import type { ClusterDefinition } from '@meadow/contract';

type Options = ClusterDefinition['transportOptions'];

export interface ChannelNaming {
  readonly db: number;
  readonly eventExchange: string;
  readonly transportOptions: Options;
  /**
   * kombu before 5.4 forgets to fill `{db}` in behind a sentinel, and publishes to the literal text. Workers of both
   * kinds may share a cluster, so both names are listened to.
   */
  readonly behindSentinel: boolean;
}

/** The PSUBSCRIBE patterns on which kombu publishes a cluster's events. */
export function eventPatterns(naming: ChannelNaming): string[] {
  const options = naming.transportOptions;
  const template = prefixTemplate(options.fanout_prefix);
  const filled = template.replaceAll('{db}', String(naming.db));
  const prefixes = naming.behindSentinel && filled !== template ? [filled, template] : [filled];
  const tail = options.fanout_patterns === false ? '' : '/*';
  return prefixes.map((prefix) => {
    return escapeGlob(`${options.global_keyprefix ?? ''}${prefix}${naming.eventExchange}`) + tail;
  });
}

function prefixTemplate(fanoutPrefix: Options['fanout_prefix']): string {
  if (fanoutPrefix === undefined || fanoutPrefix === true) return '/{db}.';
  return fanoutPrefix === false ? '' : fanoutPrefix;
}

/** A name may hold what a pattern means otherwise, as in the key prefix `[team]`. */
export function escapeGlob(name: string): string {
  return name.replace(/[\\*?[\]^]/g, '\\$&');
}
