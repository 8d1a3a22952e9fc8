/** Minimum and maximum of each channel, exact. */
import type { Planes } from './shape';

/**
 * Bindings: x float32 [outer, channels, inner]; out u32 [channels, 2], preset to {@link rangeInit}; {@link planeParams}.
 * Workgroups: (channels, {@link rangeSplits}). Floats are ordered as integers (sign bit flipped, negatives inverted),
 * because WGSL has atomics on integers only.
 */
export const RANGE_WGSL = /* wgsl */ `
struct P { outer: u32, channels: u32, inner: u32, n: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> p: P;
var<workgroup> lo: atomic<u32>;
var<workgroup> hi: atomic<u32>;
fn encode(f: f32) -> u32 { let u = bitcast<u32>(f); return select(u | 0x80000000u, ~u, (u >> 31u) == 1u); }
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) l: u32) {
  if (l == 0u) { atomicStore(&lo, 0xffffffffu); atomicStore(&hi, 0u); }
  workgroupBarrier();
  var a = 0xffffffffu;
  var b = 0u;
  for (var o = 0u; o < p.outer; o++) {
    let base = (o * p.channels + w.x) * p.inner;
    for (var i = w.y * 64u + l; i < p.inner; i += count.y * 64u) { let e = encode(x[base + i]); a = min(a, e); b = max(b, e); }
  }
  atomicMin(&lo, a);
  atomicMax(&hi, b);
  workgroupBarrier();
  if (l == 0u) { atomicMin(&out[2u * w.x], atomicLoad(&lo)); atomicMax(&out[2u * w.x + 1u], atomicLoad(&hi)); }
}`;

/** Workgroups that share one channel. */
export const rangeSplits = (p: Planes): number => Math.min(64, Math.max(1, Math.ceil(p.inner / 4096)));

export function rangeInit(channels: number): Uint32Array<ArrayBuffer> {
  return Uint32Array.from({ length: 2 * channels }, (_, i) => (i % 2 === 0 ? 0xffffffff : 0));
}

export interface ChannelRange {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/** Reads the kernel's output. */
export function decodeRange(out: Uint32Array): ChannelRange {
  const floats = new Float32Array(Uint32Array.from(out, (u) => (u >>> 31 === 1 ? u & 0x7fffffff : ~u)).buffer);
  const channels = out.length / 2;
  return {
    min: Float32Array.from({ length: channels }, (_, c) => floats[2 * c]!),
    max: Float32Array.from({ length: channels }, (_, c) => floats[2 * c + 1]!),
  };
}

/** CPU twin; equal to the kernel, except that a NaN is never chosen here. */
export function rangeCpu(x: ArrayLike<number>, { outer, channels, inner }: Planes): ChannelRange {
  const min = new Float32Array(channels).fill(Number.POSITIVE_INFINITY);
  const max = new Float32Array(channels).fill(Number.NEGATIVE_INFINITY);
  for (let o = 0; o < outer; o++)
    for (let c = 0; c < channels; c++) {
      let lo = min[c]!;
      let hi = max[c]!;
      const end = (o * channels + c + 1) * inner;
      for (let i = end - inner; i < end; i++) {
        const v = x[i]!;
        if (v < lo) lo = v;
        if (v > hi) hi = v;
      }
      min[c] = lo;
      max[c] = hi;
    }
  return { min, max };
}
