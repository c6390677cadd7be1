import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  // relative, so that the same files work under any URL prefix; `<base href>` in index.html says which
  base: './',
  plugins: [svelte()],
  build: {
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // fonts stay files of their own: cached apart, loaded only when used
    assetsInlineLimit: 0,
  },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/trpc': 'http://127.0.0.1:5555', '/export': 'http://127.0.0.1:5555', '/sql/': 'http://127.0.0.1:5555' },
  },
});
