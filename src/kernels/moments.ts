/** Sum and sum of squares. */

/** Partial sums that the kernel leaves to the CPU, to be added in float64. */
export const MOMENT_PARTS = 64;

/**
 * Bindings: x float32; out float32 [MOMENT_PARTS, 2]; planeParams. Workgroups: MOMENT_PARTS. Each invocation adds
 * about n / 4096 values in float32, so the sums agree with the twin to 1e-5 of the sum of magnitudes up to 10^7 values.
 */
export const MOMENTS_WGSL = /* wgsl */ `
struct P { outer: u32, channels: u32, inner: u32, n: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec2f>;
@group(0) @binding(2) var<uniform> p: P;
var<workgroup> parts: array<vec2f, 64>;
@compute @workgroup_size(64) fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  var s = vec2f(0.0);
  for (var i = w.x * 64u + l; i < p.n; i += ${MOMENT_PARTS}u * 64u) { let v = x[i]; s += vec2f(v, v * v); }
  parts[l] = s;
  workgroupBarrier();
  for (var step = 32u; step > 0u; step /= 2u) {
    if (l < step) { parts[l] += parts[l + step]; }
    workgroupBarrier();
  }
  if (l == 0u) { out[w.x] = parts[0]; }
}`;

export interface Moments {
  readonly sum: number;
  readonly sumSquares: number;
}

/** Reads the kernel's output. */
export function decodeMoments(out: Float32Array): Moments {
  let sum = 0;
  let sumSquares = 0;
  for (let i = 0; i < out.length; i += 2) {
    sum += out[i]!;
    sumSquares += out[i + 1]!;
  }
  return { sum, sumSquares };
}

/** CPU twin, in float64. */
export function momentsCpu(x: ArrayLike<number>): Moments {
  let sum = 0;
  let sumSquares = 0;
  for (let i = 0; i < x.length; i++) {
    const v = x[i]!;
    sum += v;
    sumSquares += v * v;
  }
  return { sum, sumSquares };
}
