/** The page: panels, preview, state. May import pipeline, onnx, models, store, and the workers through bridge.ts. */
export { mountStudio } from './mount';
