import type { Service } from '@meadow/testkit';

/** The answer of one of the gateway's procedures. */
export async function ask<Answer>(gateway: Pick<Service, 'url'>, procedure: string, input?: object): Promise<Answer> {
  const question = input === undefined ? '' : `?input=${encodeURIComponent(JSON.stringify(input))}`;
  const answer = await fetch(`${gateway.url}/trpc/${procedure}${question}`, { signal: AbortSignal.timeout(8_000) });
  if (!answer.ok) throw new Error(`${procedure} answered ${answer.status}: ${await answer.text()}`);
  const { result } = (await answer.json()) as { result: { data: Answer } };
  return result.data;
}

/** The values of a metric with one label, by that label; '' for a metric without. */
export async function metric(service: Service, name: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${service.url}/metrics`, { signal: AbortSignal.timeout(3_000) })).text();
  const lines = text.matchAll(new RegExp(`^${name}(?:\\{[a-z]+="([^"]*)"[^}]*\\})? (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, label = '', value]) => [label, Number(value)]));
}

/** Resident memory, MB. */
export async function memoryMb(service: Service): Promise<number> {
  return ((await metric(service, 'process_resident_memory_bytes')).get('') ?? 0) / 1e6;
}
