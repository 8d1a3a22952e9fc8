/** The bundle for ONNX Runtime: the QDQ network as it was evaluated. */
import { StudioError } from '../../numerics';
import { type Job, json, limits } from './job';
import { markdownText, networkName } from './names';
import { fileTable, list, measured } from './readme';

/** @throws StudioError 'bad-option' where nothing was quantized */
export function onnxBundle(job: Job): ReadonlyMap<string, string> {
  const { float, quant, rows, device } = job;
  if (!quant)
    throw new StudioError(
      'bad-option',
      `${float.name} was not quantized, and ${device.title} takes the quantized network.`,
      'Switch the quantize step on, or take the ONNX file alone.',
    );
  job.network(float.model);
  const { inputs, outputs } = quant.model.graph;
  const texts = new Map([
    ['bundle.json', json({ bonsai_bundle: 1, net_name: networkName(float.name), device: device.id, qdq: 'model.qdq.onnx' })],
  ]);
  const notes = [...quant.notes, ...limits(job)];
  const describe = (values: typeof inputs) =>
    values.map(({ name, dtype, shape }) => `${name} (${dtype} ${shape?.join('×') ?? '?'})`).join(', ');
  const sections = [
    `# ${markdownText(float.name)} for ${device.title}`,
    'Made by Bonsai Studio. `model.qdq.onnx` is the very network that was evaluated.',
    '## Measured',
    measured(rows),
    '## Run',
    '```python\nimport onnxruntime as ort\noptions = ort.SessionOptions()\noptions.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL\nsession = ort.InferenceSession("model.qdq.onnx", options, providers=["CPUExecutionProvider"])\n```',
    `Inputs: ${markdownText(describe(inputs))}. Outputs: ${markdownText(describe(outputs))}. Opset ${quant.model.opsets[''] ?? '?'}.`,
    'Accuracy was measured at optimization level "disabled", the reading closest to the file. With integer kernels single values differ by a step; on x86-64 without VNNI products can saturate: evaluate on the target once.',
    '## Device',
    list(device.warnings),
    ...(notes.length > 0 ? ['## Notes', list(notes.map(markdownText))] : []),
    '## Files',
    fileTable(job.names(texts)),
  ];
  return texts.set('README.md', `${sections.join('\n\n')}\n`);
}
