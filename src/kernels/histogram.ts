/** Counts in 2048 bins on the power-of-two grid of grid.ts; exact. The CPU twin is `histogramCpu` there. */
import { BINS } from './grid';

/**
 * Bindings: x float32; range u32 [channels, 2], the range kernel's output on the same x; out u32 [BINS], zeroed;
 * planeParams. Workgroups: {@link histogramGroups}. The grid is `gridFor(min, max)` in the same integer arithmetic.
 */
export const HISTOGRAM_WGSL = /* wgsl */ `
struct P { outer: u32, channels: u32, inner: u32, n: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> range: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> p: P;
var<workgroup> bins: array<atomic<u32>, ${BINS}>;
var<workgroup> lo: atomic<u32>;
var<workgroup> hi: atomic<u32>;
fn decode(u: u32) -> f32 { return bitcast<f32>(select(~u, u & 0x7fffffffu, (u >> 31u) == 1u)); }
fn exponent(f: f32) -> i32 { return i32((bitcast<u32>(f) >> 23u) & 255u) - 127; }
fn power(e: i32) -> f32 { return bitcast<f32>(u32(e + 127) << 23u); }
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  if (l == 0u) { atomicStore(&lo, 0xffffffffu); atomicStore(&hi, 0u); }
  for (var i = l; i < ${BINS}u; i += 64u) { atomicStore(&bins[i], 0u); }
  workgroupBarrier();
  for (var c = l; c < p.channels; c += 64u) { atomicMin(&lo, range[2u * c]); atomicMax(&hi, range[2u * c + 1u]); }
  workgroupBarrier();
  let least = decode(atomicLoad(&lo));
  let most = decode(atomicLoad(&hi));
  var e = max(max(-126, exponent(max(abs(least), abs(most))) - 22), exponent(most - least) - 12);
  while (floor(most * power(-e)) - floor(least * power(-e)) >= ${BINS}.0 && e < 126) { e += 1; }
  let scale = power(-e);
  let first = floor(least * scale);
  for (var i = w.x * 64u + l; i < p.n; i += count.x * 64u) {
    atomicAdd(&bins[u32(clamp(floor(x[i] * scale) - first, 0.0, ${BINS - 1}.0))], 1u);
  }
  workgroupBarrier();
  for (var i = l; i < ${BINS}u; i += 64u) { let c = atomicLoad(&bins[i]); if (c > 0u) { atomicAdd(&out[i], c); } }
}`;

export const histogramGroups = (elements: number): number => Math.min(64, Math.max(1, Math.ceil(elements / 16384)));
