import { defineConfig } from 'vitest/config';

// Properties take thousands of cases each, and other projects' tests may run at the same time.
export default defineConfig({ test: { testTimeout: 60_000 } });
