import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds a gateway: `millrace up` or `make run`. */
const gateway = process.env.MILLRACE_HTTP ?? 'http://127.0.0.1:8080';

export default defineConfig({
  appType: 'mpa',
  plugins: [svelte()],
  server: { proxy: { '/v1': gateway, '/openapi.json': gateway, '/asyncapi.json': gateway } },
  build: {
    target: 'es2022',
    // nothing inline: the policy of the pages allows neither data: addresses nor scripts within a page
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // checked in: a diff shows what is served, and the names say what is in the files
    emptyOutDir: true,
    rolldownOptions: { input: ['index.html', 'shop.html', 'chirp.html', 'accounts.html', 'identity.html', 'projects.html', 'console.html'] },
  },
});
