/**
 * The command line: `npm start` (serve.ts), `npm run bonsai` (bonsai.ts) and what they share. Runs in Node only. May
 * import pipeline, store, data, training, onnx, and the Node entries of runtime.
 */
export { findBrowser, openBrowser } from './browser';
