// Adds the headers that a static host lacks (isolation, which threads need, and the policy, which workers don't take from
// their page), and keeps the whole site for offline use. Works under any path: every address is relative to where this
// file lies. The build writes the words in percent signs.
const CACHE = '%CACHE%';
const POLICY = "%POLICY%";
const CATALOG_POLICY = "%CATALOG_POLICY%";
const CATALOG_WORKER = /%CATALOG_WORKER%/;
const LIST = new URL('precache.json', self.location.href).href;

self.addEventListener('install', () => self.skipWaiting());

self.addEventListener('activate', (event) => {
  const tidy = async () => {
    for (const key of await caches.keys()) if (key.startsWith('bonsai-studio-') && key !== CACHE) await caches.delete(key);
    await self.clients.claim();
  };
  event.waitUntil(tidy());
});

const policyOf = (url) => (CATALOG_WORKER.test(new URL(url).pathname) ? CATALOG_POLICY : POLICY);

function headed(response, url) {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  headers.set('Content-Security-Policy', policyOf(url));
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

const isHashed = (url) => /\/assets\//.test(url);

async function answer(request) {
  const cache = await caches.open(CACHE);
  const kept = () => cache.match(request, { ignoreVary: true, ignoreSearch: request.mode === 'navigate' });
  if (isHashed(request.url)) {
    const hit = await kept();
    if (hit) return headed(hit, request.url);
  }
  try {
    const response = await fetch(request);
    if (response.ok && response.type === 'basic' && response.status === 200) await cache.put(request, response.clone());
    return headed(response, request.url);
  } catch (error) {
    const hit = await kept();
    if (hit) return headed(hit, request.url);
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
  for (const url of wanted)
    // The page locks a file of the runtime while it fetches and keeps it.
    await navigator.locks.request(url, async () => {
      if (isHashed(url) && (await cache.match(url, { ignoreVary: true }))) return;
      const file = await fetch(url);
      if (file.ok) await cache.put(url, file);
    });
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
