import { defineConfig } from 'vite';

export default defineConfig({
  base: '/graphiql/',
  // libraries carry directives of React's server components, which mean nothing here and would be a page of warnings
  logLevel: 'error',
  worker: { format: 'es' },
  // the page is served by the binary: no inlined files, which its content security policy would refuse
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 8000, sourcemap: false },
});
