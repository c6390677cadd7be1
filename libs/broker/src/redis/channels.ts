import type { ClusterDefinition } from '@meadow/contract';

type Options = ClusterDefinition['transportOptions'];

export interface ChannelNaming {
  readonly db: number;
  readonly exchange: string;
  readonly transportOptions: Options;
  /**
   * kombu before 5.4 forgets to fill `{db}` in behind a sentinel, and publishes to the literal text. Workers of both
   * kinds may share a cluster, so both names are used.
   */
  readonly behindSentinel: boolean;
}

/** The PSUBSCRIBE patterns on which kombu publishes a cluster's events. */
export function eventPatterns(naming: ChannelNaming): string[] {
  const tail = naming.transportOptions.fanout_patterns === false ? '' : '/*';
  return channelsOf(naming).map((channel) => escapeGlob(channel) + tail);
}

/** The channels on which a cluster's workers hear what they are told. @param naming its `exchange` without `.pidbox` */
export function controlChannels(naming: ChannelNaming): string[] {
  return channelsOf({ ...naming, exchange: `${naming.exchange}.pidbox` });
}

function channelsOf({ db, exchange, transportOptions, behindSentinel }: ChannelNaming): string[] {
  const template = prefixTemplate(transportOptions.fanout_prefix);
  const filled = template.replaceAll('{db}', String(db));
  const prefixes = behindSentinel && filled !== template ? [filled, template] : [filled];
  return prefixes.map((prefix) => `${transportOptions.global_keyprefix ?? ''}${prefix}${exchange}`);
}

function prefixTemplate(fanoutPrefix: Options['fanout_prefix']): string {
  if (fanoutPrefix === undefined || fanoutPrefix === true) return '/{db}.';
  return fanoutPrefix === false ? '' : fanoutPrefix;
}

/** A name may hold what a pattern means otherwise, as in the key prefix `[team]`. */
export function escapeGlob(name: string): string {
  return name.replace(/[\\*?[\]^]/g, '\\$&');
}
