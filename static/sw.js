// Adds the isolation headers that a static host lacks (threads need them), and keeps the whole site for offline use.
// Works under any path: every address is relative to where this file lies.
const CACHE = 'bonsai-studio-v1';
const LIST = new URL('precache.json', self.location.href).href;

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('activate', (event) => {
  const tidy = async () => {
    for (const key of await caches.keys()) if (key.startsWith('bonsai-studio-') && key !== CACHE) await caches.delete(key);
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

function isolated(response) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

const isHashed = (url) => /\/assets\//.test(url);

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = () => cache.match(request, { ignoreVary: true, ignoreSearch: request.mode === 'navigate' });
  if (isHashed(request.url)) {
    const hit = await kept();
    if (hit) return isolated(hit);
  }
  try {
    const response = await fetch(request);
    if (response.ok && response.type === 'basic' && response.status === 200) await cache.put(request, response.clone());
    return isolated(response);
  } catch (error) {
    const hit = await kept();
    if (hit) return isolated(hit);
    throw error;
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || !request.url.startsWith(self.location.origin)) return;
  if (request.cache === 'only-if-cached' && request.mode !== 'same-origin') return;
  event.respondWith(answer(request));
});

// Which of ONNX Runtime's WebGPU builds this browser takes; the other one's 27 (or 17) MB are not fetched.
const isOtherBuild = (url) => ('Suspending' in WebAssembly ? /asyncify/.test(url) : /jspi/.test(url));

/** Fetches what is missing of the build's files, drops what an older build left. */
async function keepSite() {
  const cache = await caches.open(CACHE);
  const response = await fetch(LIST, { cache: 'no-cache' });
  if (!response.ok) return false;
  const wanted = (await response.json()).map((path) => new URL(path, self.location.href).href).filter((url) => !isOtherBuild(url));
  const present = (await cache.keys()).map((request) => request.url);
  for (const url of present) if (isHashed(url) && !wanted.includes(url)) await cache.delete(url);
  for (const url of wanted) {
    if (isHashed(url) && present.includes(url)) continue;
    const file = await fetch(url);
    if (file.ok) await cache.put(url, file);
  }
  return true;
}

self.addEventListener('message', (event) => {
  if (event.data !== 'keep-site') return;
  event.waitUntil(
    keepSite().then(
      (kept) => event.ports[0]?.postMessage(kept),
      () => event.ports[0]?.postMessage(false),
    ),
  );
});
