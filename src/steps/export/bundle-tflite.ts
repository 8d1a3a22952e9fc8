/** The bundle for TensorFlow Lite: float network cut at its logits, the QDQ network, calibration set, convert.py. */
import { checkDevice } from '../../devices';
import { describePreprocess } from '../../models';
import { CONVERT_SCRIPT } from './compile-py';
import { type Job, json, limits, manifestOf } from './job';
import { markdownText } from './names';
import { bundleNetwork } from './network';
import { fileTable, findings, list, measured } from './readme';

export async function tfliteBundle(job: Job): Promise<ReadonlyMap<string, string>> {
  const { float, quant, rows, device, hostOrder } = job;
  const network = bundleNetwork(float, 'layers');
  const { preprocess } = network;
  const images = await job.images(network);
  job.network(network.model);
  const texts = new Map([
    ['bundle.json', json({ ...manifestOf(job, network), qdq: quant ? 'model.qdq.onnx' : null })],
    ['convert.py', CONVERT_SCRIPT],
  ]);
  const notes = [...network.notes, ...(quant?.notes ?? []), ...limits(job)];
  const skipped = images.skipped > 0 ? ` ${images.skipped} images could not be decoded and were left out.` : '';
  const sections = [
    `# ${markdownText(float.name)} for ${device.title}`,
    'Made by Bonsai Studio. Nothing here was converted or run on the device.',
    '## Measured',
    measured(rows),
    'The figures are those of `model.qdq.onnx`. The converter chooses activation ranges by itself (minimum and maximum of the calibration set); the weights are the studio’s, on their int8 grid.',
    '## Convert',
    'First check the files (any Python 3.8 or newer), then convert in an environment with onnx2tf and TensorFlow:',
    '```\npython3 convert.py --dry-run\npip install onnx2tf tensorflow tf-keras onnxruntime\npython3 convert.py\n```',
    'The file is then in `out/`, all integers: an operator without an integer kernel ends the conversion. With onnxruntime installed, each output is compared with the float network: below about 15 dB, look at the layer table in the studio before you look at the device. `--int16` gives 16-bit activations, for the CPU only. For an Edge TPU, run `edgetpu_compiler` on the file.',
    '## Images that the application must send',
    `${hostOrder.toUpperCase()}, ${preprocess.width} × ${preprocess.height} (${preprocess.resize}, border ${preprocess.pad}). The network wants ${markdownText(describePreprocess(preprocess))}, and the file NHWC integers: quantize the normalised values with the input’s scale and zero point.`,
    '## Outputs',
    `The network ends at ${network.endNodes.map(markdownText).join(', ')}: what the original computes behind them (sigmoid, boxes, suppression) runs on the host. In the file, boxes and scores would share a scale and scores would keep about one level.`,
    '## Calibration',
    `${images.count} images, uint8 as the host sends them; convert.py normalises them.${skipped}`,
    '## Device',
    list(device.warnings),
    findings(checkDevice(network.model, device)),
    ...(notes.length > 0 ? ['## Notes', list(notes.map(markdownText))] : []),
    '## Files',
    fileTable(job.names(texts)),
  ];
  return texts.set('README.md', `${sections.join('\n\n')}\n`);
}
