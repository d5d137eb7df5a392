import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react()],
  // libraries carry directives of React's server components, which mean nothing here and would be a page of warnings
  logLevel: 'error',
  worker: { format: 'es' },
  build: {
    rollupOptions: { input: { index: 'index.html', graphiql: 'graphiql.html' } },
    // the pages are served by the binary: no inlined files, which its content security policy would refuse
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 8000,
    sourcemap: false,
    manifest: 'manifest.json',
  },
  // `npx vite` beside `runnel dev`
  server: { proxy: { '/graphql': { target: 'http://127.0.0.1:7420', ws: true }, '/api': 'http://127.0.0.1:7420' } },
  test: { environment: 'happy-dom', include: ['src/**/*.test.{ts,tsx}'] },
});
