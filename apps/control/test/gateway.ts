import { startEmbeddedClickHouse, startService } from '@meadow/testkit';

export interface Gateway extends AsyncDisposable {
  readonly url: string;
}

/** A gateway, and the store without which it is not ready. */
export async function startGateway(natsUrl: string): Promise<Gateway> {
  await using stack = new AsyncDisposableStack();
  const clickhouse = stack.use(await startEmbeddedClickHouse());
  const at = { natsUrl, clickhouseUrl: clickhouse.url };
  stack.use(await startService('aggregator', at));
  const { url } = stack.use(await startService('gateway', at));
  const kept = stack.move();
  return { url, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Asks a gateway to change something, as a browser does. */
export async function mutate(
  { url }: Gateway,
  procedure: string,
  input: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/trpc/${procedure}`, { method: 'POST', headers, body: JSON.stringify(input) });
  return { status: answer.status, text: await answer.text() };
}
