import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every source file of the product, tests left out. */
function sources(): string[] {
  return ['libs', 'apps'].flatMap((kind) =>
    readdirSync(`${root}/${kind}`).flatMap((project) =>
      readdirSync(`${root}/${kind}/${project}/src`, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
        .map((file) => readFileSync(`${root}/${kind}/${project}/src/${file}`, 'utf8')),
    ),
  );
}

function found(texts: readonly string[], pattern: RegExp): string[] {
  return [...new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')))].sort();
}

test('docs/errors.md names every error code, and no other', () => {
  const prefixes =
    'CELERY|BROKER|BUS|STORE|CONFIG|CLUSTER|COLLECTOR|BATCH|TASK|CONTROL|CURSOR|ERROR|LIVE|INPUT|MARK|QUERY|QUEUE|SQL|SEND|RETRY|ABORT|GATEWAY_STOPPING';
  const inCode = found(sources(), new RegExp(`'((?:${prefixes})(?:_[A-Z]+)*)'`, 'g'));
  // names of Celery's settings and ClickHouse's codes are no codes of ours
  const foreign = ['CELERY_BROKER_URL', 'BROKER_URL', 'QUERY_IS_TOO_LARGE', 'QUERY_WAS_CANCELLED'];
  const inDocs = found(
    [readFileSync(`${root}/docs/errors.md`, 'utf8')],
    new RegExp(`\`((?:${prefixes})(?:_[A-Z]+)*)\``, 'g'),
  );
  expect(inDocs).toEqual(inCode.filter((code) => code.includes('_') && !foreign.includes(code)));
});

test('docs/telemetry.md names every metric, and no other', () => {
  const texts = sources();
  const named = found(texts, /'(meadow_(?:collector|aggregator|control|gateway|standalone|hop|buffer)_[a-z_]+)'/g);
  const counters = found(texts, /counter\('([a-z_]+)'/g).map((name) => `meadow_collector_${name}`);
  const inDocs = found([readFileSync(`${root}/docs/telemetry.md`, 'utf8')], /`(meadow_[a-z_]+)`/g);
  expect(inDocs).toEqual([...named, ...counters].sort());
});

test('the dashboard over Prometheus asks for metrics that there are', () => {
  const inDocs = found([readFileSync(`${root}/docs/telemetry.md`, 'utf8')], /`(meadow_[a-z_]+)`/g);
  const dashboard = JSON.parse(readFileSync(`${root}/infra/grafana/meadow-prometheus.json`, 'utf8')) as Dashboard;
  const asked = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const names = found(asked, /(meadow_[a-z_]+)/g).map((name) => name.replace(/_bucket$/, ''));
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !inDocs.includes(name))).toEqual([]);
});

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}

test('every test that docs/guarantees.md names is there', () => {
  const page = readFileSync(`${root}/docs/guarantees.md`, 'utf8');
  const named = found([page], /`((?:apps|libs|e2e)\/[^`*]+)`/g);
  expect(named.length).toBeGreaterThan(5);
  for (const path of named)
    expect(readdirSync(`${root}/${path.replace(/\/[^/]+$/, '')}`)).toContain(path.split('/').at(-1));
});
