/** The Chromium that the browser tests run in: a path from the environment (npm test sets it), else the usual one. */
export const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** WebGPU on the CPU, a camera that shows a test picture, nothing fetched behind the tests' back. */
export const FLAGS = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-fake-ui-for-media-stream',
  '--use-fake-device-for-media-stream',
  '--disable-background-networking',
];
