/** Gradients of broadcasting arithmetic. */
import type { GradientContext, GradientRule } from '../types';

/** The gradient of input `i` from one of the output's shape. */
function toInput(c: GradientContext, i: number, g: string): string {
  return c.e.reduceTo(g, c.outDims(0), c.dims(i));
}

export const add: GradientRule = (c) => [toInput(c, 0, c.g), toInput(c, 1, c.g)];

export const sub: GradientRule = (c) => [toInput(c, 0, c.g), c.wants(1) ? c.e.neg(toInput(c, 1, c.g)) : null];

export const mul: GradientRule = (c) => {
  const { e, g } = c;
  if (c.x(0) === c.x(1)) return [e.times(e.mul(g, c.x(0)), 2), null];
  return [c.wants(0) ? toInput(c, 0, e.mul(g, c.x(1))) : null, c.wants(1) ? toInput(c, 1, e.mul(g, c.x(0))) : null];
};

export const div: GradientRule = (c) => {
  const { e, g } = c;
  const over = e.div(g, c.x(1));
  return [toInput(c, 0, over), c.wants(1) ? e.neg(toInput(c, 1, e.mul(over, c.y(0)))) : null];
};

/** d/da a^b = b·a^(b−1); d/db a^b = a^b·ln a (nothing where a ≤ 0: a^b is constant or not real there). */
export const pow: GradientRule = (c) => {
  const { e, g } = c;
  const exponent = c.constant(1);
  const base = (): string => {
    const [p] = exponent ?? [];
    if (exponent?.length === 1 && p === 2) return e.times(c.x(0), 2);
    if (exponent?.length === 1) return e.times(e.emit('Pow', [c.x(0), e.scalar(p! - 1)]), p!);
    return e.mul(c.x(1), e.emit('Pow', [c.x(0), e.sub(c.x(1), e.scalar(1))]));
  };
  const log = (): string => {
    const positive = e.emit('Greater', [c.x(0), e.scalar(0)]);
    return e.mul(c.y(0), e.emit('Log', [e.emit('Where', [positive, c.x(0), e.scalar(1)])]));
  };
  return [c.wants(0) ? toInput(c, 0, e.mul(g, base())) : null, c.wants(1) ? toInput(c, 1, e.mul(g, log())) : null];
};

/** Max or Min of any number of inputs: a tie goes to the first, so that the parts always sum to g. */
export function extremum(op: 'Max' | 'Min'): GradientRule {
  const wins = op === 'Max' ? 'GreaterOrEqual' : 'LessOrEqual';
  return (c) => {
    const { e, node } = c;
    const { inputs } = node;
    if (inputs.length === 1) return [c.g];
    // best[i]: the extremum of inputs 0…i, so that the last one is split off first.
    const best = [c.x(0)];
    for (let i = 1; i < inputs.length - 1; i++) best.push(e.emit(op, [best[i - 1]!, c.x(i)]));
    const parts = new Array<string>(inputs.length);
    let rest = c.g;
    for (let i = inputs.length - 1; i > 0; i--) {
      const first = e.mul(rest, e.indicator(wins, best[i - 1]!, c.x(i)));
      parts[i] = toInput(c, i, e.sub(rest, first));
      rest = first;
    }
    parts[0] = toInput(c, 0, rest);
    return parts;
  };
}

export const sum: GradientRule = (c) => c.node.inputs.map((_, i) => toInput(c, i, c.g));

export const mean: GradientRule = (c) => {
  const g = c.e.times(c.g, 1 / c.node.inputs.length);
  return c.node.inputs.map((_, i) => toInput(c, i, g));
};

/** Where(condition, a, b). */
export const where: GradientRule = (c) => {
  const { e, g } = c;
  const zero = e.scalar(0);
  const to = (i: number, picked: () => string) => (c.wants(i) ? e.reduceTo(picked(), c.outDims(0), c.dims(i)) : null);
  return [null, to(1, () => e.emit('Where', [c.x(0), g, zero])), to(2, () => e.emit('Where', [c.x(0), zero, g]))];
};
