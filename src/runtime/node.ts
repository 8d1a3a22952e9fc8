/** Node's entry to this room, apart from index.ts so that no page bundle meets onnxruntime-node. */
export { createNodeEngine, type NodeEngineOptions } from './engine-node';
export { createNodeWasmEngine } from './engine-node-wasm';
