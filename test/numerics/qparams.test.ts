import { describe, expect, it } from 'vitest';
import {
  createRandom,
  dequantize,
  fakeQuant,
  MIN_SCALE,
  qparamsFromRange,
  quantize,
  roundHalfEven,
  weightQParams,
} from '../../src/numerics';

const UINT8 = { bits: 8, signed: false, symmetric: false } as const;

describe('roundHalfEven', () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [-0.5, -0],
    [-1.5, -2],
    [-2.5, -2],
    [0.49999999999999994, 0],
    [2.5000001, 3],
    [1e15 + 0.5, 1e15],
    [2 ** 52 + 1, 2 ** 52 + 1],
  ])('%d becomes %d', (x, expected) => {
    expect(roundHalfEven(x) + 0).toBe(expected + 0);
  });

  it('keeps NaN and infinities', () => {
    expect(roundHalfEven(Number.NaN)).toBeNaN();
    expect(roundHalfEven(Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('qparamsFromRange', () => {
  it('represents 0 exactly and spans the range', () => {
    const p = qparamsFromRange(-1, 3, UINT8);
    expect(p.zeroPoint).toEqual([64]);
    expect(p.scale[0]).toBe(Math.fround(4 / 255));
    const back = dequantize({ dims: [3], data: [0, 64, 255] }, p);
    expect(back[0]).toBeCloseTo(-1, 1);
    expect(back[1]).toBe(0);
    expect(back[2]).toBeCloseTo(3, 1);
  });

  it('widens a range that misses 0, on either side', () => {
    expect(qparamsFromRange(2, 5.1, UINT8)).toMatchObject({ zeroPoint: [0], scale: [Math.fround(5.1 / 255)] });
    expect(qparamsFromRange(-5.1, -2, UINT8)).toMatchObject({ zeroPoint: [255], scale: [Math.fround(5.1 / 255)] });
  });

  it('gives the image range 0–255 scale 1 and zero point 0', () => {
    expect(qparamsFromRange(0, 255, UINT8)).toMatchObject({ scale: [1], zeroPoint: [0], qmin: 0, qmax: 255 });
  });

  it('symmetric int8 has zero point 0 and ±127 as bounds', () => {
    const p = qparamsFromRange(-1, 2, { bits: 8, signed: true, symmetric: true });
    expect(p).toMatchObject({ dtype: 'int8', zeroPoint: [0], scale: [Math.fround(2 / 127)], qmin: -127, qmax: 127 });
  });

  it('asymmetric int8 is uint8 shifted by 128', () => {
    const u = qparamsFromRange(-0.28, 7.3, UINT8);
    const s = qparamsFromRange(-0.28, 7.3, { bits: 8, signed: true, symmetric: false });
    expect(s.scale).toEqual(u.scale);
    expect(s.zeroPoint[0]).toBe(u.zeroPoint[0]! - 128);
  });

  it('gives a positive scale for empty and tiny ranges', () => {
    expect(qparamsFromRange(0, 0, UINT8).scale).toEqual([1]);
    expect(qparamsFromRange(0, 1e-44, UINT8).scale[0]).toBe(MIN_SCALE);
    expect(qparamsFromRange(0, 0, { bits: 8, signed: true, symmetric: true }).scale).toEqual([1]);
  });

  it('refuses NaN, infinity and swapped bounds in a sentence', () => {
    expect(() => qparamsFromRange(Number.NaN, 1, UINT8)).toThrow('[NaN, 1] is not a range of values.');
    expect(() => qparamsFromRange(0, Number.POSITIVE_INFINITY, UINT8)).toThrow('not a range');
    expect(() => qparamsFromRange(2, 1, UINT8)).toThrow('not a range');
  });
});

describe('weightQParams', () => {
  const weight = { dims: [2, 3], data: [1, -127, 5, 0.5, 0.25, -0.1] };

  it('takes max |w| / 127 per slice', () => {
    const p = weightQParams(weight, { axis: 0 });
    expect(p.scale).toEqual([1, Math.fround(0.5 / 127)]);
    expect([...quantize(weight, p)]).toEqual([1, -127, 5, 127, 64, -25]); // 63.5 → 64, −25.4 → −25
  });

  it('follows the axis', () => {
    expect(weightQParams({ dims: [2, 3], data: [1, -254, 5, -127, 0.25, 635] }, { axis: 1 }).scale).toEqual([1, 2, 5]);
    expect(weightQParams(weight, { axis: null }).scale).toEqual([1]);
  });

  it('an all-zero slice gets a positive scale and stays zero', () => {
    const zero = { dims: [2, 2], data: [0, 0, 3, -4] };
    const p = weightQParams(zero, { axis: 0 });
    expect(p.scale[0]).toBe(1);
    expect([...fakeQuant(zero, p)].slice(0, 2)).toEqual([0, 0]);
  });

  it('refuses weights that are not finite', () => {
    expect(() => weightQParams({ dims: [1], data: [Number.POSITIVE_INFINITY] }, { axis: null })).toThrow('NaN or infinite');
  });
});

describe('quantize', () => {
  it('saturates instead of wrapping', () => {
    const p = qparamsFromRange(0, 1, UINT8);
    expect([...quantize({ dims: [3], data: [-5, 0.502, 9] }, p)]).toEqual([0, 128, 255]);
  });

  it('divides in float32 as ONNX does, so ties fall as in the runtime', () => {
    // 0.25 / 0.1 with both in float32: 2.49999996… in float64, the tie 2.5 in float32 (even: 2); 0.35 / 0.1 likewise 3.5 (even: 4).
    const scale = Math.fround(0.1);
    const p = { dtype: 'uint8', scale: [scale], zeroPoint: [0], axis: null, qmin: 0, qmax: 255 } as const;
    expect(Math.fround(0.35) / scale).toBeLessThan(3.5);
    expect([...quantize({ dims: [2], data: [Math.fround(0.25), Math.fround(0.35)] }, p)]).toEqual([2, 4]);
  });

  it('error never exceeds half a step inside the range', () => {
    const random = createRandom(7);
    const data = Float32Array.from({ length: 1000 }, () => random.next() * 5 - 2);
    const p = qparamsFromRange(-2, 3, UINT8);
    const back = fakeQuant({ dims: [1000], data }, p);
    for (let i = 0; i < 1000; i++) expect(Math.abs(back[i]! - data[i]!)).toBeLessThanOrEqual(p.scale[0]! * 0.5001);
  });
});

describe('createRandom', () => {
  it('gives the published mulberry32 sequence', () => {
    const random = createRandom(0);
    expect([random.next(), random.next(), random.next()]).toEqual([0.26642920868471265, 0.0003297457005828619, 0.2232720274478197]);
  });

  it('draws standard normals', () => {
    const random = createRandom(3);
    const n = 20000;
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const x = random.normal();
      sum += x;
      squares += x * x;
    }
    expect(Math.abs(sum / n)).toBeLessThan(0.03);
    expect(Math.abs(squares / n - 1)).toBeLessThan(0.05);
  });

  it('shuffles repeatably and keeps the elements', () => {
    const first = createRandom(5).shuffle([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(first).toEqual(createRandom(5).shuffle([1, 2, 3, 4, 5, 6, 7, 8]));
    expect(first).not.toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...first].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('int stays in its range and reaches both ends', () => {
    const random = createRandom(9);
    const seen = new Set(Array.from({ length: 200 }, () => random.int(4)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3]);
  });
});
