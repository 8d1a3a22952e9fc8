/** Gradients of functions of one value. */
import { attrFloat, attrString } from '../../onnx';
import type { GradientContext, GradientRule } from '../types';

/** g times a factor of the input's shape. */
function scaled(factor: (c: GradientContext) => string): GradientRule {
  return (c) => [c.e.mul(c.g, factor(c))];
}

/** 1 where `low` < x < `high`, else 0. */
function inside(c: GradientContext, low: number, high: number): string {
  const { e } = c;
  const x = c.x(0);
  return e.emit('Cast', [e.emit('And', [e.emit('Greater', [x, e.scalar(low)]), e.emit('Less', [x, e.scalar(high)])])], {
    to: { type: 'int', value: 1 },
  });
}

export const relu = scaled((c) => c.e.indicator('Greater', c.y(0), c.e.scalar(0)));

export const leakyRelu: GradientRule = (c) => {
  const { e, node } = c;
  const positive = e.emit('Greater', [c.x(0), e.scalar(0)]);
  const alpha = attrFloat(node, 'alpha', Math.fround(0.01));
  return [e.mul(c.g, e.emit('Where', [positive, e.scalar(1), e.scalar(alpha)]))];
};

export const prelu: GradientRule = (c) => {
  const { e, g } = c;
  const zero = e.scalar(0);
  const negative = e.emit('Less', [c.x(0), zero]);
  const slope = () => e.mul(g, e.emit('Min', [c.x(0), zero]));
  return [e.mul(g, e.emit('Where', [negative, c.x(1), e.scalar(1)])), c.wants(1) ? e.reduceTo(slope(), c.outDims(0), c.dims(1)) : null];
};

/** Inside the bounds g passes; a bound that is trained gets what was cut at it. */
export const clip: GradientRule = (c) => {
  const { e, g } = c;
  const within = e.mul(g, e.indicator('Equal', c.x(0), c.y(0)));
  const bound = (i: number, beyond: 'Less' | 'Greater') =>
    c.wants(i) ? e.reduceTo(e.mul(g, e.indicator(beyond, c.x(0), c.x(i))), c.outDims(0), c.dims(i)) : null;
  return [within, bound(1, 'Less'), bound(2, 'Greater')];
};

export const sigmoid = scaled((c) => c.e.mul(c.y(0), c.e.sub(c.e.scalar(1), c.y(0))));

export const tanh = scaled((c) => c.e.sub(c.e.scalar(1), c.e.mul(c.y(0), c.y(0))));

/** y = x·σ(x): y' = σ + y·(1 − σ). The node's inputs are x and σ(x). */
export const silu: GradientRule = (c) => {
  const { e, g } = c;
  const s = c.x(1);
  return [e.mul(g, e.add(s, e.mul(c.y(0), e.sub(e.scalar(1), s)))), null];
};

export const hardSigmoid: GradientRule = (c) => {
  const alpha = attrFloat(c.node, 'alpha', Math.fround(0.2));
  const beta = attrFloat(c.node, 'beta', 0.5);
  if (alpha === 0) return [c.e.zeros(c.dims(0))];
  const [low, high] = [-beta / alpha, (1 - beta) / alpha].sort((a, b) => a - b) as [number, number];
  return [c.e.times(c.e.mul(c.g, inside(c, low, high)), alpha)];
};

/** y = x·clip(x/6 + ½, 0, 1): y' = clip(…) + x/6 where −3 < x < 3. */
export const hardSwish: GradientRule = (c) => {
  const { e } = c;
  const gate = e.emit('HardSigmoid', [c.x(0)], { alpha: 1 / 6, beta: 0.5 });
  return [e.mul(c.g, e.add(gate, e.times(e.mul(c.x(0), inside(c, -3, 3)), 1 / 6)))];
};

export const softplus = scaled((c) => c.e.emit('Sigmoid', [c.x(0)]));
export const exp = scaled((c) => c.y(0));
export const abs = scaled((c) => c.e.emit('Sign', [c.x(0)]));
export const log: GradientRule = (c) => [c.e.div(c.g, c.x(0))];
export const sqrt: GradientRule = (c) => [c.e.div(c.g, c.e.times(c.y(0), 2))];
export const neg: GradientRule = (c) => [c.e.neg(c.g)];
export const identity: GradientRule = (c) => [c.g];
export const reciprocal = scaled((c) => c.e.neg(c.e.mul(c.y(0), c.y(0))));
export const sin = scaled((c) => c.e.emit('Cos', [c.x(0)]));
export const cos = scaled((c) => c.e.neg(c.e.emit('Sin', [c.x(0)])));

/** d erf(x) = 2/√π·exp(−x²). */
function erfSlope(c: GradientContext, x: string): string {
  return c.e.times(c.e.emit('Exp', [c.e.neg(c.e.mul(x, x))]), 2 / Math.sqrt(Math.PI));
}

export const erf = scaled((c) => erfSlope(c, c.x(0)));

/** γ·(x, or α·(eˣ − 1) below 0): y' = γ above, y + γ·α below. */
function expLinear(gamma: (c: GradientContext) => number, alpha: (c: GradientContext) => number): GradientRule {
  return scaled((c) => {
    const { e } = c;
    const negative = e.emit('Less', [c.x(0), e.scalar(0)]);
    return e.emit('Where', [negative, e.add(c.y(0), e.scalar(gamma(c) * alpha(c))), e.scalar(gamma(c))]);
  });
}

export const elu = expLinear(
  () => 1,
  (c) => attrFloat(c.node, 'alpha', 1),
);

export const selu = expLinear(
  (c) => attrFloat(c.node, 'gamma', Math.fround(1.0507009873554805)),
  (c) => attrFloat(c.node, 'alpha', Math.fround(1.6732632423543772)),
);

export const softsign = scaled((c) => {
  const d = c.e.add(c.e.emit('Abs', [c.x(0)]), c.e.scalar(1));
  return c.e.emit('Reciprocal', [c.e.mul(d, d)]);
});

/** y = x·tanh(sp), sp = softplus(x): y' = t + x·σ(x)·(1 − t²). */
export const mish = scaled((c) => {
  const { e } = c;
  const t = e.emit('Tanh', [e.emit('Softplus', [c.x(0)])]);
  const slope = e.sub(e.scalar(1), e.mul(t, t));
  return e.add(t, e.mul(e.mul(c.x(0), e.emit('Sigmoid', [c.x(0)])), slope));
});

/** Gelu (opset 20), exact or with approximate = "tanh". */
export const gelu = scaled((c) => {
  const { e } = c;
  const x = c.x(0);
  if (attrString(c.node, 'approximate', 'none') === 'tanh') {
    const k = Math.sqrt(2 / Math.PI);
    const square = e.mul(x, x);
    const t = e.emit('Tanh', [e.mul(x, e.add(e.scalar(k), e.times(square, k * 0.044715)))]);
    const inner = e.add(e.scalar(k), e.times(square, 3 * k * 0.044715));
    const slope = e.mul(e.mul(x, e.sub(e.scalar(1), e.mul(t, t))), inner);
    return e.times(e.add(e.add(t, e.scalar(1)), slope), 0.5);
  }
  const u = e.times(x, Math.SQRT1_2);
  const phi = e.times(e.add(e.emit('Erf', [u]), e.scalar(1)), 0.5);
  return e.add(phi, e.mul(u, e.times(erfSlope(c, u), 0.5)));
});
