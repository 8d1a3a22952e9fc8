/** The page: components, state, preview. May import pipeline, onnx, models and store; heavy work is in the workers. */
export { startStudio } from './start';
