/** WGSL kernels over float32 buffers, each with its CPU twin. May import numerics only. */
export { type Binding, checkBufferSize, dispatch, findGpu, type Gpu, pipeline, readBack, requestDevice, upload } from './gpu';
