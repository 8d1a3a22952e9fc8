import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { platform } from 'node:os';

const USUAL_PATHS: Readonly<Record<string, readonly string[]>> = {
  linux: [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/usr/bin/google-chrome-stable',
    '/snap/bin/chromium',
    '/opt/google/chrome/chrome',
  ],
  darwin: ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', '/Applications/Chromium.app/Contents/MacOS/Chromium'],
  win32: ['C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe', 'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe'],
};

export interface FoundBrowser {
  readonly path: string;
  /** One sentence that says how it was found. */
  readonly how: string;
}

/** A Chrome or Chromium: the CHROMIUM or CHROME_PATH variable, the usual paths, the PATH. null when there is none. */
export function findBrowser(env: NodeJS.ProcessEnv = process.env): FoundBrowser | null {
  for (const key of ['CHROMIUM', 'CHROME_PATH'])
    if (env[key] && existsSync(env[key])) return { path: env[key], how: `Using the browser that ${key} names: ${env[key]}.` };
  for (const path of USUAL_PATHS[platform()] ?? []) if (existsSync(path)) return { path, how: `Using the installed browser ${path}.` };
  const which = platform() === 'win32' ? 'where' : 'which';
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'chrome']) {
    const found = spawnSync(which, [name], { encoding: 'utf8' });
    const path = found.status === 0 ? found.stdout.split(/\r?\n/)[0] : '';
    if (path) return { path, how: `Using the browser found on the PATH: ${path}.` };
  }
  return null;
}

/** Opens `url` in the user's default browser; false where there is no desktop to open it on. */
export function openBrowser(url: string): boolean {
  const os = platform();
  if (os === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return false;
  const [command, args] = os === 'darwin' ? ['open', [url]] : os === 'win32' ? ['cmd', ['/c', 'start', '', url]] : ['xdg-open', [url]];
  const child = spawn(command as string, args as string[], { stdio: 'ignore', detached: true });
  child.on('error', () => console.error(`Could not open a browser by itself; open ${url} by hand.`));
  child.unref();
  return true;
}
