/** The quantized network as repairs run it: activations pass Q/DQ pairs, constants hold the values that their integers stand for. */
import { fakeQuant } from '../../../../numerics';
import { type Model, type Tensor, tensor, toFloat32, withGraph } from '../../../../onnx';
import { partialPlan } from '../../plan';
import type { ConstantQuant, QuantPlan } from '../../plan-types';
import { buildQdq } from '../../qdq';

/** Name of the initializer that stands for one reading of a constant. */
export function simulatedName({ node, input }: Pick<ConstantQuant, 'node' | 'input'>): string {
  return `${node}:${input}:simulated`;
}

/** A constant as its integers give it back. */
export function simulatedTensor(source: Tensor, constant: ConstantQuant): Tensor {
  const data = fakeQuant({ dims: source.dims, data: toFloat32(source) }, constant.params);
  return tensor(simulatedName(constant), 'float32', source.dims, data);
}

/**
 * Computes the same numbers as buildQdq(float, plan), with every planned constant in a float initializer of its own
 * ({@link simulatedName}), so that weights can be exchanged between runs.
 */
export function simulate(float: Model, plan: QuantPlan): Model {
  const { graph } = float;
  const read = new Map(plan.constants.map((c) => [`${c.node}|${c.input}`, c]));
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node) => {
    const inputs = node.inputs.map((name, input) => {
      const constant = read.get(`${node.name}|${input}`);
      if (!constant) return name;
      const simulated = simulatedTensor(graph.initializers.get(name)!, constant);
      initializers.set(simulated.name, simulated);
      return simulated.name;
    });
    return inputs.some((name, i) => name !== node.inputs[i]) ? { ...node, inputs } : node;
  });
  const activationsOnly = partialPlan(plan, { activation: () => true, constant: () => false });
  return buildQdq(withGraph(float, { nodes, initializers }), activationsOnly);
}
