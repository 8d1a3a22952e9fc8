/** BatchNormalization in training mode as arithmetic: ONNX Runtime has it on the CPU only. */
import { attrFloat, attrInt, type Model, type Node, node, withGraph } from '../onnx';
import { type Dims, Emitter } from './emitter';

const EPSILON = Math.fround(1e-5);
const MOMENTUM = Math.fround(0.9);

/** Every BatchNormalization that takes its statistics from the batch, lowered. Values keep their names. */
export function lowerBatchNorms(model: Model, dims: (value: string) => Dims): Model {
  const { graph } = model;
  const trains = (n: Node) => n.op === 'BatchNormalization' && n.domain === '' && attrInt(n, 'training_mode', 0) === 1;
  if (!graph.nodes.some(trains)) return model;
  const e = new Emitter(graph, model.opsets['']!);
  for (const n of graph.nodes) {
    if (!trains(n)) {
      e.nodes.push(n);
      continue;
    }
    e.scope = n.name;
    const [x = '', scale = '', shift = '', ...usual] = n.inputs;
    const [y = '', ...running] = n.outputs;
    const axes = dims(x).flatMap((_, i) => (i === 1 ? [] : [i]));
    const perChannel = dims(x).map((size, i) => (i === 1 ? size : 1));
    const centre = e.reduce('ReduceMean', x, axes, true);
    const centred = e.sub(x, centre);
    const variance = e.reduce('ReduceMean', e.mul(centred, centred), axes, true);
    const deviation = e.emit('Sqrt', [e.add(variance, e.scalar(attrFloat(n, 'epsilon', EPSILON)))]);
    const factor = e.div(e.reshape(scale, perChannel), deviation);
    e.nodes.push(node('Add', [e.mul(centred, factor), e.reshape(shift, perChannel)], [y], {}, n.name));
    const momentum = attrFloat(n, 'momentum', MOMENTUM);
    for (const [i, value] of [centre, variance].entries()) {
      const output = running[i] ?? '';
      if (output === '') continue;
      const before = e.times(usual[i]!, momentum);
      const now = e.times(e.reshape(value, [-1]), 1 - momentum);
      e.nodes.push(node('Add', [before, now], [output], {}, e.fresh(`${n.name}/running`)));
    }
  }
  return withGraph(model, { nodes: e.nodes, initializers: new Map([...graph.initializers, ...e.constants]) });
}
