/** Weights, biases and their quantization parameters while repairs change them layer by layer. */
import type { DetectorSpec } from '../../../../models';
import type { Affine } from '../../../../numerics';
import { type InputDims, type Tensor, tensor, toFloat32, withGraph } from '../../../../onnx';
import { fromRows, toRows } from '../../../lock-step';
import { planConstants } from '../../constants';
import { findLayers, type Layering } from '../../layers';
import type { QuantizeOptions } from '../../meta';
import type { ConstantQuant } from '../../plan-types';
import type { Feeds, QuantState } from '../types';
import type { MatrixLayer } from './layout';
import { simulatedTensor } from './simulate';

/** Shapes that the images feed the network with. */
export async function feedDims(feeds: Feeds): Promise<InputDims> {
  return Object.fromEntries(Object.entries(await feeds.at(0)).map(([name, { dims }]) => [name, dims]));
}

/** The same network where no two nodes read one bias, so that each can be changed alone. */
export function withOwnBiases(state: QuantState): QuantState {
  const initializers = new Map(state.float.graph.initializers);
  const readers = new Map<string, number>();
  for (const node of state.float.graph.nodes) for (const name of node.inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const renamed = new Map<string, string>();
  for (const { role, tensor: name, node, input } of state.plan.constants) {
    if (role !== 'bias' || readers.get(name)! < 2) continue;
    let own = `${name}_${node}`;
    while (initializers.has(own)) own += '_';
    initializers.set(own, { ...initializers.get(name)!, name: own });
    renamed.set(`${node}|${input}`, own);
  }
  if (renamed.size === 0) return state;
  const nodes = state.float.graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name, i) => renamed.get(`${node.name}|${i}`) ?? name),
  }));
  const constants = state.plan.constants.map((c) => ({ ...c, tensor: renamed.get(`${c.node}|${c.input}`) ?? c.tensor }));
  return { float: withGraph(state.float, { nodes, initializers }), plan: { ...state.plan, constants } };
}

/** Half of int32: the products need the rest. */
const BIAS_LIMIT = 2 ** 30;

const keyOf = ({ node, input }: Pick<ConstantQuant, 'node' | 'input'>): string => `${node}|${input}`;

/** A state whose layers are exchanged one at a time. */
export class Parameters {
  readonly #state: QuantState;
  readonly #options: QuantizeOptions;
  readonly #layering: Layering;
  #initializers: Map<string, Tensor>;
  #constants: Map<string, ConstantQuant>;

  /** @param state from {@link withOwnBiases} */
  constructor(state: QuantState, options: QuantizeOptions, spec: DetectorSpec | null) {
    this.#state = state;
    this.#options = options;
    this.#layering = findLayers(state.float.graph, spec, options.fuseActivations);
    this.#initializers = new Map(state.float.graph.initializers);
    this.#constants = new Map(state.plan.constants.map((c) => [keyOf(c), c]));
  }

  /** As data, and back; see {@link Memory}. */
  save(): unknown {
    return [new Map(this.#initializers), new Map(this.#constants)];
  }

  load(saved: unknown): void {
    const [initializers, constants] = saved as [Map<string, Tensor>, Map<string, ConstantQuant>];
    this.#initializers = new Map(initializers);
    this.#constants = new Map(constants);
  }

  #biasName(layer: MatrixLayer): string | null {
    return layer.bias ? layer.bias.tensor.name : null;
  }

  /** The layer's float weights and bias; a missing bias reads as zeros. */
  read(layer: MatrixLayer): Affine {
    const name = this.#biasName(layer);
    const bias = name === null ? new Float64Array(layer.groups * layer.outputs) : toFloat32(this.#initializers.get(name)!);
    return { rows: toRows(layer, this.#initializers.get(layer.weight.name)!), bias: Float64Array.from(bias) };
  }

  /** Parameters of the layer's weight as planned now. */
  weight(layer: MatrixLayer): ConstantQuant {
    return this.#constants.get(`${layer.node.name}|1`)!;
  }

  /** Replaces weights and bias; `replan` chooses their scales anew, otherwise the old ones stay. */
  write(layer: MatrixLayer, { rows, bias }: Affine, replan: boolean): void {
    const { weight } = layer;
    this.#initializers.set(weight.name, tensor(weight.name, 'float32', weight.dims, fromRows(layer, rows)));
    const name = this.#biasName(layer);
    if (name !== null) this.#initializers.set(name, tensor(name, 'float32', layer.bias!.tensor.dims, Float32Array.from(bias)));
    if (!replan) return;
    const { index } = this.#layering;
    const layering = {
      ...this.#layering,
      index: { ...index, constant: (value: string) => this.#initializers.get(value) },
      layers: [layer.layer],
    };
    for (const constant of planConstants(layering, this.#state.plan.activations, this.#options).constants)
      if (constant.role !== 'operand') this.#constants.set(keyOf(constant), constant);
  }

  /**
   * Multiplies the layer's weight scales, and the bias's with them.
   * @returns false, with nothing changed, where the bias would no longer fit its integers
   */
  rescale(layer: MatrixLayer, ratio: number): boolean {
    const weight = this.weight(layer);
    const bias = layer.bias && this.#constants.get(`${layer.bias.node.name}|${layer.bias.input}`);
    const scaled = (constant: ConstantQuant): ConstantQuant => ({
      ...constant,
      params: { ...constant.params, scale: constant.params.scale.map((s) => Math.fround(s * ratio)) },
    });
    if (bias) {
      const { scale } = bias.params;
      const largest = this.read(layer).bias.reduce(
        (most, b, c) => Math.max(most, Math.abs(b) / (scale[scale.length === 1 ? 0 : c]! * ratio)),
        0,
      );
      if (largest > BIAS_LIMIT) return false;
      this.#constants.set(keyOf(bias), scaled(bias));
    }
    this.#constants.set(keyOf(weight), scaled(weight));
    return true;
  }

  /** What the quantized network computes with, as initializers of `simulate`d networks. */
  simulated(layer: MatrixLayer): readonly Tensor[] {
    const own = [
      this.#constants.get(`${layer.node.name}|1`),
      layer.bias && this.#constants.get(`${layer.bias.node.name}|${layer.bias.input}`),
    ];
    return own.flatMap((constant) => (constant ? [simulatedTensor(this.#initializers.get(constant.tensor)!, constant)] : []));
  }

  /** Weights and bias as their integers give them back. */
  quantized(layer: MatrixLayer): Affine {
    const [weight, bias] = this.simulated(layer);
    const { bias: exact } = this.read(layer);
    return { rows: toRows(layer, weight!), bias: bias ? Float64Array.from(toFloat32(bias)) : exact };
  }

  state(): QuantState {
    const { float, plan } = this.#state;
    return {
      float: withGraph(float, { initializers: this.#initializers }),
      plan: { ...plan, constants: plan.constants.map((c) => this.#constants.get(keyOf(c))!) },
    };
  }
}
