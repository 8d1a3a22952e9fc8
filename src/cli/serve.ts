/** `npm start`: builds the site, serves it with cross-origin isolation and opens the browser. */
import { parseArgs } from 'node:util';
import { build, preview } from 'vite';
import { openBrowser } from './browser';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: process.env.PORT ?? '4173' },
    host: { type: 'string', default: 'localhost' },
    'no-open': { type: 'boolean', default: false },
  },
});
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`--port must be a number from 0 to 65535, not "${values.port}".`);
  process.exit(2);
}

await build({ logLevel: 'warn' });
const server = await preview({ preview: { port, host: values.host, strictPort: false } });
const url = server.resolvedUrls?.local[0] ?? `http://localhost:${port}/`;
console.log(`Bonsai Studio is served at ${url} (Ctrl+C stops it). Nothing leaves this machine.`);
if (!values['no-open'] && !process.env.CI && !openBrowser(url)) console.log('No desktop was found: open that address in a browser.');
