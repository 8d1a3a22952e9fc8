/**
 * The service worker: isolation and policy headers where the host sends none, and the site for offline use. Built sites
 * only. Where the page is not isolated, it is loaded again once under the worker; if that doesn't help, everything still
 * works with one thread.
 */
const RELOADED = 'bonsai-reloaded-for-isolation';
/** A host that answers slower than this gets no reload before the page begins its work. */
const PATIENCE_MS = 4000;

let settling: Promise<unknown> = Promise.resolve();

/** Resolves when it is clear that the page won't be loaded again, so that nothing is started, or fetched, twice. */
export const settled = (): Promise<unknown> => settling;

/** True the first time since the page was last isolated. */
function firstTry(): boolean {
  try {
    if (sessionStorage.getItem(RELOADED)) return false;
    sessionStorage.setItem(RELOADED, '1');
    return true;
  } catch {
    return false; // without session storage a reload could go on for ever
  }
}

function forgetTries(): void {
  try {
    sessionStorage.removeItem(RELOADED);
  } catch {
    // Then none was kept either.
  }
}

/** Asks the worker to keep every file of the build; true once they are all there. */
async function keepSite(registration: ServiceWorkerRegistration): Promise<boolean> {
  const channel = new MessageChannel();
  const answer = new Promise<boolean>((resolve) => {
    channel.port1.onmessage = ({ data }) => resolve(data === true);
  });
  registration.active?.postMessage('keep-site', [channel.port2]);
  return answer;
}

async function register(): Promise<ServiceWorkerRegistration | null> {
  try {
    await navigator.serviceWorker.register(new URL('sw.js', document.baseURI));
    return await navigator.serviceWorker.ready;
  } catch {
    // Private windows refuse service workers; the page works without, online and with what the host's headers allow.
    return null;
  }
}

/** @param onOfflineReady called when the page would start with the network off */
export async function registerServiceWorker(onOfflineReady: () => void): Promise<void> {
  if (!import.meta.env.PROD || import.meta.env.MODE === 'single' || !('serviceWorker' in navigator)) return;
  const registering = register();
  const reloading = registering.then((registration) => {
    if (!registration || crossOriginIsolated || !firstTry()) return null;
    location.reload();
    return new Promise(() => {});
  });
  if (!crossOriginIsolated) settling = Promise.race([reloading, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  else forgetTries();
  const registration = await registering;
  await reloading;
  if (registration && (await keepSite(registration))) onOfflineReady();
}
