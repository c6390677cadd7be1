import { defineConfig } from 'vitest/config';

/** For `npx vitest` at the root; `npm test` runs the same projects one by one. */
export default defineConfig({ test: { projects: ['libs/*', 'apps/*', 'infra', 'e2e'] } });
