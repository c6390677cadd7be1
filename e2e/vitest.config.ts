import { defineConfig } from 'vitest/config';

// Files one after another: each starts the whole system, and two cores are enough for one of it.
export default defineConfig({ test: { fileParallelism: false, testTimeout: 40_000, hookTimeout: 90_000 } });
