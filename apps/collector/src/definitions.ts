import { clusterDefinition, clusterName, type ClusterDefinition } from '@meadow/contract';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';

/** Where definitions were written down: named in every complaint about them. */
export interface Seed {
  readonly origin: string;
  /** A list of definitions, or an object with it under `clusters`. */
  readonly value: unknown;
}

export interface DefinitionProblem {
  /** The cluster, where its name could be read. */
  readonly cluster: string | null;
  /** One line: where, what is wrong, what to write instead. Never holds a broker URL. */
  readonly message: string;
}

export interface Definitions {
  readonly clusters: readonly ClusterDefinition[];
  readonly problems: readonly DefinitionProblem[];
}

const seedShape = z.union([
  z.array(z.unknown()),
  z.object({ clusters: z.array(z.unknown()) }).transform((file) => file.clusters),
]);

/** Checks every definition on its own: a bad one is told and left out, the others stand. Later seeds win by name. */
export function readDefinitions(seeds: readonly Seed[]): Definitions {
  const clusters = new Map<string, ClusterDefinition>();
  const problems: DefinitionProblem[] = [];
  for (const { origin, value } of seeds) {
    const list = seedShape.safeParse(value);
    if (!list.success) {
      problems.push({
        cluster: null,
        message: `${origin}: expected a list of clusters, each with "name" and "broker"`,
      });
      continue;
    }
    list.data.forEach((item, index) => {
      const parsed = clusterDefinition.safeParse(item);
      if (parsed.success) return void clusters.set(parsed.data.name, parsed.data);
      const name = clusterName.safeParse((item as { name?: unknown } | null)?.name);
      const where = name.success ? `cluster "${name.data}"` : `cluster number ${index + 1}`;
      for (const issue of parsed.error.issues) {
        const path = issue.path.join('.');
        const message = `${origin}: ${where}: ${path === '' ? '' : `${path}: `}${issue.message}`;
        problems.push({ cluster: name.success ? name.data : null, message });
      }
    });
  }
  return { clusters: [...clusters.values()], problems };
}

/** Seeds from `MEADOW_CLUSTERS` (JSON), the text of `MEADOW_CLUSTERS_FILE` (YAML) and `--cluster name=url` arguments. */
export function gatherSeeds(input: {
  readonly environment: string | undefined;
  readonly file: { readonly path: string; readonly text: string } | null;
  readonly args: readonly string[];
}): { seeds: Seed[]; problems: DefinitionProblem[] } {
  const seeds: Seed[] = [];
  const problems: DefinitionProblem[] = [];
  const read = (origin: string, parse: () => unknown): void => {
    try {
      seeds.push({ origin, value: parse() });
    } catch (error) {
      const detail = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
      problems.push({ cluster: null, message: `${origin}: cannot be parsed: ${withoutUrls(detail)}` });
    }
  };
  const { environment, file, args } = input;
  if (file !== null) read(file.path, () => parseYaml(file.text) as unknown);
  if (environment !== undefined && environment !== '') {
    read('MEADOW_CLUSTERS', () => JSON.parse(environment) as unknown);
  }
  if (args.length > 0) {
    seeds.push({
      origin: '--cluster',
      value: args.map((arg) => {
        const equals = arg.indexOf('=');
        return { name: arg.slice(0, equals), broker: arg.slice(equals + 1) };
      }),
    });
  }
  return { seeds, problems };
}

/** A parser quotes what it stumbled over, which may be a broker URL with its password. */
function withoutUrls(text: string): string {
  return text.replace(/\S*:\/\/\S*/g, '<url>');
}
