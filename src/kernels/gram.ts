/** Gram matrix of the channels: G[a][b] = Σ x[o, a, i] · x[o, b, i], what layer-wise least squares is solved from. */
import type { Planes } from './shape';

/**
 * Bindings: x float32 [outer, channels, inner]; out float32 [channels, channels]; planeParams. Workgroups:
 * ({@link gramTiles}, gramTiles), each an 8 × 8 tile. One invocation adds outer · inner products in float32: agrees
 * with the twin to 1e-4 · √(G[a][a] · G[b][b]) up to 10^5 products.
 */
export const GRAM_WGSL = /* wgsl */ `
struct P { outer: u32, channels: u32, inner: u32, n: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> p: P;
var<workgroup> rows: array<f32, 256>;
var<workgroup> cols: array<f32, 256>;
fn at(o: u32, c: u32, i: u32) -> f32 {
  if (c >= p.channels || i >= p.inner) { return 0.0; }
  return x[(o * p.channels + c) * p.inner + i];
}
@compute @workgroup_size(8, 8) fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_id) l: vec3u, @builtin(local_invocation_index) k: u32) {
  var sum = 0.0;
  for (var o = 0u; o < p.outer; o++) {
    for (var start = 0u; start < p.inner; start += 32u) {
      for (var j = k; j < 256u; j += 64u) {
        rows[j] = at(o, w.y * 8u + j / 32u, start + j % 32u);
        cols[j] = at(o, w.x * 8u + j / 32u, start + j % 32u);
      }
      workgroupBarrier();
      for (var i = 0u; i < 32u; i++) { sum += rows[l.y * 32u + i] * cols[l.x * 32u + i]; }
      workgroupBarrier();
    }
  }
  let a = w.y * 8u + l.y;
  let b = w.x * 8u + l.x;
  if (a < p.channels && b < p.channels) { out[a * p.channels + b] = sum; }
}`;

export const gramTiles = (p: Planes): number => Math.ceil(p.channels / 8);

/** CPU twin, in float64. */
export function gramCpu(x: ArrayLike<number>, { outer, channels, inner }: Planes): Float64Array {
  const gram = new Float64Array(channels * channels);
  for (let o = 0; o < outer; o++)
    for (let a = 0; a < channels; a++)
      for (let b = 0; b <= a; b++) {
        let sum = 0;
        const pa = (o * channels + a) * inner;
        const pb = (o * channels + b) * inner;
        for (let i = 0; i < inner; i++) sum += x[pa + i]! * x[pb + i]!;
        gram[a * channels + b] = gram[a * channels + b]! + sum;
        if (a !== b) gram[b * channels + a] = gram[a * channels + b]!;
      }
  return gram;
}
