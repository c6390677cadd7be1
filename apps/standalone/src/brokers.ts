import type { ClusterDefinitionInput } from '@meadow/contract';

/**
 * Reads `--broker` arguments: a broker's URL, or `name=url`. Without a name it is made of host and database or virtual
 * host. What the names and URLs are worth is judged by the collector, cluster by cluster.
 */
export function readBrokers(args: readonly string[]): ClusterDefinitionInput[] {
  const taken = new Set<string>();
  return args.map((arg) => {
    const named = /^([^=:/?]+)=(.+)$/.exec(arg);
    if (named !== null) {
      taken.add(named[1] ?? '');
      return { name: named[1] ?? '', broker: named[2] ?? '' };
    }
    const base = deriveName(arg);
    let name = base;
    for (let count = 2; taken.has(name); count++) name = `${base}-${count}`;
    taken.add(name);
    return { name, broker: arg };
  });
}

/** `redis://:secret@Cache.example.com:6380/2` → `cache-example-com-2`. Falls back to `cluster`. */
function deriveName(url: string): string {
  const match = /^[a-z+]+:\/\/(?:[^/@;]*@)?([^:/;?]*)(?::\d+)?(?:\/([^?;]*))?/i.exec(url);
  const place = match?.[2] === '0' ? '' : (match?.[2] ?? '');
  const name = `${match?.[1] ?? ''}-${decodeURIComponentSafely(place)}`
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|[-_]+$/g, '')
    .slice(0, 60);
  return name === '' ? 'cluster' : name;
}

/** The URL as it may be shown: without user name and password. */
export function withoutSecrets(url: string): string {
  return url.replace(/:\/\/[^/;]*@/g, '://').replace(/\?[^;]*/g, '');
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
