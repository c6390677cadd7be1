import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

/** Who may import whom: this table is the data-flow diagram of ARCHITECTURE.md, kept true by lint. */
const mayImport = {
  celery: [],
  contract: ['celery'],
  runtime: [],
  bus: ['contract'],
  broker: ['celery', 'contract'],
  store: ['contract'],
  api: ['celery', 'contract'],
  testkit: ['contract'],
  collector: ['celery', 'contract', 'broker', 'bus', 'runtime'],
  aggregator: ['celery', 'contract', 'bus', 'store', 'runtime'],
  control: ['celery', 'contract', 'broker', 'bus', 'runtime'],
  gateway: ['contract', 'api', 'bus', 'store', 'runtime'],
  dashboard: ['celery', 'contract', 'api'],
  'embedded-clickhouse': ['runtime'],
  standalone: ['contract', 'runtime'],
  bench: ['testkit', 'celery', 'contract', 'runtime'],
  e2e: ['testkit', 'contract'],
};

/** Client libraries with exactly one importer. */
const soleImporter = {
  ioredis: 'libs/broker',
  amqplib: 'libs/broker',
  '@nats-io/transport-node': 'libs/bus',
  '@nats-io/jetstream': 'libs/bus',
  '@nats-io/kv': 'libs/bus',
  '@clickhouse/client': 'libs/store',
  chdb: 'apps/embedded-clickhouse',
};

const constraints = (always) =>
  Object.entries(mayImport).map(([scope, targets]) => ({
    sourceTag: `scope:${scope}`,
    onlyDependOnLibsWithTags: [scope, ...targets, ...always].map((target) => `scope:${target}`),
  }));

const moduleBoundaries = (always) => [
  'error',
  { enforceBuildableLibDependency: false, allow: [], depConstraints: constraints(always) },
];

const bannedSyntax = [
  { selector: 'ExportAllDeclaration', message: 'name each export' },
  { selector: 'TSEnumDeclaration', message: 'use a string union or an `as const` object' },
];

/** Bans every client library that `owner` does not own (flat config replaces a rule, it does not merge it). */
const bannedClients = (owner) => [
  'error',
  ...bannedSyntax,
  ...Object.entries(soleImporter)
    .filter(([, project]) => project !== owner)
    .map(([name, project]) => ({
      selector: `ImportDeclaration[source.value='${name}']`,
      message: `only ${project} imports ${name}`,
    })),
];

export default ts.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/.nx/**', '**/data/**', '**/generated/**', '**/*.svelte.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.node } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      'no-restricted-syntax': bannedClients(null),
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.ts', '**/*.svelte'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': moduleBoundaries([]),
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser }, globals: { ...globals.browser } },
  },
  { files: ['apps/dashboard/**'], languageOptions: { globals: { ...globals.browser } } },
  {
    files: ['libs/celery/src/**/*.ts', 'libs/contract/src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            { regex: '^node:(?!zlib$|buffer$|crypto$)', message: 'this library is pure: bytes in, facts out' },
          ],
        },
      ],
    },
  },
  ...[...new Set(Object.values(soleImporter))].map((owner) => ({
    files: [`${owner}/**`],
    rules: { 'no-restricted-syntax': bannedClients(owner) },
  })),
  {
    files: ['**/*.test.ts', '**/test/**', 'libs/testkit/**', 'bench/**', 'e2e/**'],
    plugins: { '@nx': nx },
    rules: {
      'no-restricted-syntax': ['error', ...bannedSyntax],
      '@typescript-eslint/no-non-null-assertion': 'off',
      // tests start real servers and services, and write what they then read through the store
      '@nx/enforce-module-boundaries': moduleBoundaries(['testkit', 'store', 'bus', 'contract']),
    },
  },
  { files: ['**/*.config.js', '**/*.config.ts'], rules: { 'no-restricted-exports': 'off' } },
  prettier,
);
