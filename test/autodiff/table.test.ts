import { afterAll, describe, expect, it } from 'vitest';
import { GRADIENTS } from '../../src/autodiff/rules';
import { createNodeEngine } from '../../src/runtime/node';
import { checkGradients } from './differences';
import { TABLE } from './table';

const engine = await createNodeEngine({ threads: 1 });
afterAll(() => engine.dispose());

describe('the table of operators', () => {
  it('has a case of every operator that has a rule, and of MaxPool, which is rewritten first', () => {
    const ruled = Object.entries(GRADIENTS).flatMap(([op, gradient]) => ('rule' in gradient ? [op] : []));
    expect(Object.keys(TABLE).sort()).toEqual([...ruled, 'MaxPool'].sort());
  });

  it.each(Object.entries(TABLE))('%s, against finite differences', async (_, cases) => {
    for (const c of cases) {
      const { worst, where } = await checkGradients(engine, c);
      expect(worst, where).toBeLessThan(3e-4);
    }
  });
});
