/** WGSL kernels over float32 buffers, each with its CPU twin. May import numerics only. */
export { type Binding, checkBufferSize, dispatch, findGpu, type Gpu, pipeline, readBack, requestDevice, upload } from './gpu';
export { GRAM_WGSL, gramCpu, gramTiles } from './gram';
export { BINS, exponentOf, type Grid, gridFor, histogramCpu, regrid } from './grid';
export { HISTOGRAM_WGSL, histogramGroups } from './histogram';
export { decodeMoments, MOMENT_PARTS, MOMENTS_WGSL, type Moments, momentsCpu } from './moments';
export { type ChannelRange, decodeRange, RANGE_WGSL, rangeCpu, rangeInit, rangeSplits } from './range';
export { elementsOf, type Planes, planeParams, planesOf } from './shape';
