import { startEmbeddedClickHouse } from '@meadow/testkit';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    clickhouseUrl: string;
  }
}

/** Starts the engine that every test file of this project asks. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const engine = await startEmbeddedClickHouse();
  project.provide('clickhouseUrl', engine.url);
  return async () => {
    await engine[Symbol.asyncDispose]();
  };
}
