/** A static host as people have them: with or without isolation headers, at the root or under a path, stopped at will. */
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};

export interface ServerOptions {
  /** Whether the host sends the two headers of cross-origin isolation. */
  readonly headers: boolean;
  /** Where the site lies: '/' or '/some/path/'. */
  readonly base: string;
}

export interface StaticServer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly requests: readonly string[];
  /** Stops answering at once, open connections included. */
  close(): Promise<void>;
}

function fileOf(folder: string, path: string): string | null {
  const file = join(folder, normalize(`/${path}`), path === '' || path.endsWith('/') ? 'index.html' : '');
  return statSync(file, { throwIfNoEntry: false })?.isFile() ? file : null;
}

/** Serves `folder` on a free port of this machine. */
export async function serve(folder: string, { headers, base }: ServerOptions): Promise<StaticServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url!, 'http://localhost').pathname);
    requests.push(path);
    const file = path.startsWith(base) ? fileOf(folder, path.slice(base.length)) : null;
    if (!file) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found');
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Cache-Control': 'no-cache',
      ...(headers ? { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' } : {}),
    });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}${base}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
