import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/engine.ts'],
    // one engine for all files, each in a database of its own; a second engine would cost another 500 MB
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
