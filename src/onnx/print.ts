/** A graph as text, one line per value and node: for diffs, tests and reports. */
import type { Attribute, Dim, Graph, Model, Tensor, ValueInfo } from './graph';

/** FNV-1a over the bytes: equal tensors print equally, changed ones differ. */
function checksum({ data }: Tensor): string {
  const bytes = ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new TextEncoder().encode(data.join('\n'));
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

const SHORT = 8;

function printTensor(t: Tensor): string {
  const type = `${t.dtype}[${t.dims.join(',')}]`;
  return t.data.length <= SHORT ? `${type} = {${Array.from<unknown>(t.data).join(', ')}}` : `${type} #${checksum(t)}`;
}

function printType({ dtype, shape }: Pick<ValueInfo, 'dtype' | 'shape'>): string {
  return `${dtype ?? '?'}${shape ? `[${shape.map((d: Dim) => d ?? '?').join(',')}]` : ''}`;
}

function printAttribute(a: Attribute): string {
  switch (a.type) {
    case 'float':
    case 'int':
      return String(a.value);
    case 'string':
      return JSON.stringify(a.value);
    case 'floats':
    case 'ints':
      return `[${a.value.join(',')}]`;
    case 'strings':
      return JSON.stringify(a.value);
    case 'tensor':
      return printTensor(a.value);
    case 'tensors':
      return `[${a.value.map(printTensor).join(', ')}]`;
    case 'graph':
      return `{\n${indent(printLines(a.value))}\n}`;
    case 'graphs':
      return a.value.map((g) => `{\n${indent(printLines(g))}\n}`).join(', ');
    case 'raw':
      return `<${a.value.length} bytes>`;
  }
}

const indent = (text: string) => text.replace(/^/gm, '  ');

function printLines(graph: Graph): string {
  const typed = (name: string) => {
    const info = graph.valueInfo.get(name);
    return info ? `${name}: ${printType(info)}` : name || '""';
  };
  return [
    ...graph.inputs.map((i) => `input ${i.name}: ${printType(i)}`),
    ...[...graph.initializers].map(([name, t]) => `weight ${name}: ${printTensor(t)}`),
    ...graph.nodes.map((n) => {
      const attributes = Object.entries(n.attributes).map(([key, a]) => ` ${key}=${printAttribute(a)}`);
      const op = n.domain ? `${n.domain}:${n.op}` : n.op;
      return `${n.name}: ${n.outputs.map(typed).join(', ')} = ${op}(${n.inputs.map((i) => i || '""').join(', ')})${attributes.join('')}`;
    }),
    ...graph.outputs.map((o) => `output ${o.name}: ${printType(o)}`),
  ].join('\n');
}

/** Weights of more than 8 elements appear as a checksum of their bytes. */
export function printGraph(model: Model): string {
  const opsets = Object.entries(model.opsets).map(([domain, version]) => `${domain || 'onnx'} ${version}`);
  return `opset ${opsets.join(', ')}\n${printLines(model.graph)}\n`;
}
