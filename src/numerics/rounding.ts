/** 1.5 · 2⁵²: adding it leaves a float64 no fraction bits, so the hardware rounds to nearest, ties to even. */
const MAGIC = 6755399441055744;

/** Rounds to the nearest integer, ties to the even one, as ONNX's QuantizeLinear and Round do. NaN stays NaN. */
export function roundHalfEven(x: number): number {
  // Beyond 2⁵¹ the trick loses bits; x itself may hold a half only below 2⁵², where Math.round is exact enough.
  if (Math.abs(x) >= 2251799813685248) return Math.round(x);
  return x + MAGIC - MAGIC;
}
