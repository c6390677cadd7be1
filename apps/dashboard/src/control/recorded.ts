import { readFileSync } from 'node:fs';

interface Exchange {
  readonly transport: string;
  readonly command: string;
  readonly request_body: { readonly arguments?: Readonly<Record<string, unknown>> };
  readonly client_view: { readonly decoded_replies: readonly Readonly<Record<string, unknown>>[] | null } | null;
}

/**
 * What real workers answered, for tests: w1 is a prefork pool of two with restarts on, w2 an autoscaled one, w3 a pool of
 * threads.
 */
export function recorded(version: 'celery-5.2' | 'celery-latest', command: string, worker: string): unknown {
  const path = new URL(`../../../../vectors/${version}/pidbox-requests-replies.jsonl`, import.meta.url);
  const exchanges = readFileSync(path, 'utf8').trim().split('\n');
  const replies = exchanges
    .filter((line) => line.includes(`"command": "${command}"`))
    // Python's JSON knows Infinity
    .map((line) => JSON.parse(line.replaceAll(/: -?(?:Infinity|NaN)\b/g, ': null')) as Exchange)
    .filter(({ transport }) => transport === 'redis')
    .filter(({ request_body: { arguments: given = {} } }) =>
      Object.values(given).every((value) => !value || isEmpty(value)),
    )
    .flatMap(({ client_view: view }) => view?.decoded_replies ?? []);
  const reply = replies.find((each) => worker in each);
  if (reply === undefined) throw new Error(`no answer of ${worker} to ${command} was recorded`);
  return reply[worker];
}

const isEmpty = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
