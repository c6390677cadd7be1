import { defineConfig } from 'vitest/config';

// Integration tests start services and servers: they wait for conditions with deadlines of their own.
export default defineConfig({ test: { testTimeout: 30_000, hookTimeout: 60_000 } });
