import { ESLint } from 'eslint';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const cwd = fileURLToPath(new URL('../..', import.meta.url));

async function complaints(filePath: string, code: string): Promise<string[]> {
  const [result] = await new ESLint({ cwd }).lintText(code, { filePath: `${cwd}/${filePath}` });
  return (result?.messages ?? []).map(({ message, ruleId }) => `${ruleId}: ${message}`);
}

test.each([
  [
    'the gateway cannot see a broker',
    'apps/gateway/src/main.ts',
    `import { maskUrl } from '@meadow/broker';\nmaskUrl('');\n`,
  ],
  [
    'the collector cannot see ClickHouse',
    'apps/collector/src/main.ts',
    `import { ping } from '@meadow/store';\nping;\n`,
  ],
  [
    'only libs/broker imports ioredis',
    'apps/collector/src/main.ts',
    `import { Redis } from 'ioredis';\nnew Redis();\n`,
  ],
  ['only libs/bus imports NATS', 'apps/gateway/src/main.ts', `import { Kvm } from '@nats-io/kv';\nKvm;\n`],
  ['libs/celery is pure', 'libs/celery/src/index.ts', `import { readFileSync } from 'node:fs';\nreadFileSync('');\n`],
])(
  'lint enforces the architecture: %s',
  async (_, file, violation) => {
    const found = (await complaints(file, violation)).join('\n');
    expect(found).toMatch(/enforce-module-boundaries|no-restricted-(syntax|imports)/);
  },
  60_000,
);
