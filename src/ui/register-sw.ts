/**
 * The service worker: isolation headers where the host sends none, and the site for offline use. Built pages only.
 * Where the page is not isolated, it is loaded again once under the worker; if that doesn't help, everything still
 * works with one thread.
 */
const RELOADED = 'bonsai-reloaded-for-isolation';

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

/** @param onOfflineReady called when the page would start with the network off */
export async function registerServiceWorker(onOfflineReady: () => void): Promise<void> {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  try {
    const registration = await navigator.serviceWorker.register(new URL('sw.js', document.baseURI));
    await navigator.serviceWorker.ready;
    if (crossOriginIsolated) forgetTries();
    else if (firstTry()) {
      location.reload();
      return;
    }
    if (await keepSite(registration)) onOfflineReady();
  } catch {
    // Private windows refuse service workers; the page works without, online and with what the host's headers allow.
  }
}
