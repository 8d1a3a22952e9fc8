/** Writes a detector layer by layer: names, random weights, nodes. */
import { createRandom, type Random } from '../../numerics';
import { type AttributeValue, type Node, node, type Tensor, tensor } from '../../onnx';

/** How activations are kept in bounds while training: over the batch, by constants, or not at all (with biases instead). */
export type Normalization = 'batch' | 'constants';

/** ε of every normalisation, as YOLOX has it. */
const EPSILON = 1e-3;

export class LayerWriter {
  readonly nodes: Node[] = [];
  readonly initializers: Tensor[] = [];
  readonly #random: Random;

  constructor(
    readonly normalization: Normalization,
    seed: number,
  ) {
    this.#random = createRandom(seed);
  }

  /** A node named `/a/b/Op` for the layer "a.b"; returns its output. */
  add(op: string, layer: string, inputs: readonly string[], attributes: Readonly<Record<string, AttributeValue>> = {}): string {
    const name = `/${[...layer.split('.').filter(Boolean), op].join('/')}`;
    this.nodes.push(node(op, inputs, [`${name}_output_0`], attributes, name));
    return `${name}_output_0`;
  }

  /** Int64 constant. */
  ints(name: string, values: readonly number[]): string {
    this.initializers.push(tensor(name, 'int64', [values.length], BigInt64Array.from(values, BigInt)));
    return name;
  }

  floats(name: string, dims: readonly number[], value: (i: number) => number): string {
    const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => value(i));
    this.initializers.push(tensor(name, 'float32', dims, data));
    return name;
  }

  /** Weight [out, in / groups, k, k], normal with variance `gain` / fan-in (He et al. 2015 with gain 2). */
  #weight(name: string, out: number, perGroup: number, kernel: number, gain: number): string {
    const deviation = Math.sqrt(gain / (perGroup * kernel * kernel));
    return this.floats(name, [out, perGroup, kernel, kernel], () => deviation * this.#random.normal());
  }

  #conv(layer: string, x: string, weights: readonly string[], kernel: number, stride: number, group: number): string {
    const pad = kernel >> 1;
    const attributes = {
      dilations: [1, 1],
      group,
      kernel_shape: [kernel, kernel],
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    };
    return this.add('Conv', layer, [x, ...weights], attributes);
  }

  /**
   * Convolution, normalisation, SiLU.
   * @param spread ratio of the largest to the smallest scale that a channel starts with; 1 = all alike
   */
  convAct(layer: string, x: string, cin: number, cout: number, kernel = 1, stride = 1, group = 1, spread = 1): string {
    const weight = this.#weight(`${layer}.conv.weight`, cout, cin / group, kernel, 2);
    const made = this.#conv(`${layer}.conv`, x, [weight], kernel, stride, group);
    const y = this.#normalize(`${layer}.bn`, made, cout, spread);
    return this.add('Mul', `${layer}.act`, [y, this.add('Sigmoid', `${layer}.act`, [y])]);
  }

  #normalize(layer: string, x: string, channels: number, spread: number): string {
    const inputs = [
      x,
      this.floats(`${layer}.weight`, [channels], () => (spread === 1 ? 1 : spread ** (this.#random.next() - 0.5))),
      this.floats(`${layer}.bias`, [channels], () => 0),
      this.floats(`${layer}.running_mean`, [channels], () => 0),
      this.floats(`${layer}.running_var`, [channels], () => 1),
    ];
    const training = this.normalization === 'batch';
    const name = `/${layer.split('.').join('/')}/BatchNormalization`;
    const outputs = [`${name}_output_0`, ...(training ? [`${layer}.batch_mean`, `${layer}.batch_var`] : [])];
    // In training mode momentum 0 makes the further outputs the batch's own statistics.
    const attributes = { epsilon: EPSILON, ...(training ? { momentum: { type: 'float' as const, value: 0 }, training_mode: 1 } : {}) };
    this.nodes.push(node('BatchNormalization', inputs, outputs, attributes, name));
    return outputs[0]!;
  }

  /** Last convolution of a branch: linear, with a bias. */
  linear(layer: string, x: string, cin: number, cout: number, bias: number): string {
    const weight = this.#weight(`${layer}.weight`, cout, cin, 1, 0.1);
    return this.#conv(layer, x, [weight, this.floats(`${layer}.bias`, [cout], () => bias)], 1, 1, 1);
  }
}
