/** Japanese for what the ONNX Runtime profile says; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const ort: Templates = {
  // devices/ort-operators.ts
  'operator set of ONNX, which ONNX Runtime implements': 'ONNXのオペレーターセット（ONNX Runtimeが実装）',
  'It becomes {}.': '{0:ja}になります。',
  'It moves integers: its pairs are dropped where both have one scale.':
    '整数を移すだけです。両側のスケールが同じなら、量子化ペアは除かれます。',
  'There is no integer kernel for it: it computes in float between its pairs.':
    '整数カーネルがないため、量子化ペアの間を浮動小数点で計算します。',
  'It runs as it is, in float or on shapes.': '浮動小数点または形状のまま、そのまま動作します。',
  'It runs as it is written.': '記述どおりに動作します。',
  'QLinearConcat, each input with its own scale': 'QLinearConcat（入力ごとに別のスケール）',
  'It is taken into its neighbour.': '隣のレイヤーに統合されます。',
  'microsoft/onnxruntime pull request 20187; graph optimizations': 'microsoft/onnxruntimeのプルリクエスト20187、グラフ最適化',
  // devices/ort-rules.ts
  'There is no quantized SiLU: quantized as one layer with its convolution, both compute in float between the pairs; unfused, they are three integer kernels.':
    '量子化SiLUはありません。畳み込みと1層として量子化すると、どちらも量子化ペアの間を浮動小数点で計算します。分けると、3つの整数カーネルになります。',
  'Accuracy is better fused, speed is better unfused ("fuseActivations").':
    '精度は融合したほうが、速度は分けたほうが有利です（"fuseActivations"）。',
  'Its weights are computed, so it stays in float.': '重みが計算されるため、浮動小数点のままです。',
  'Fold constants first.': '先に定数を畳み込んでください。',
  // devices/ort.ts
  'onnxruntime.ai, Quantize ONNX Models': 'onnxruntime.aiの「Quantize ONNX Models」',
  // devices/ort-operators.ts
  'onnxruntime, qdq_selector_action_transformer.cc': 'onnxruntimeのqdq_selector_action_transformer.cc',
  // devices/ort.ts
  'microsoft/onnxruntime pull requests 17015 and 20376': 'microsoft/onnxruntimeのプルリクエスト17015と20376',
  '{}: the pair is dropped where both scales are equal': '{0:ja}：両側のスケールが同じならペアを除去',
  'ONNX Runtime, QDQ on CPU': 'ONNX Runtime、CPU上のQDQ',
  '{}: 8-bit linear quantization': '{0:ja}：8ビットの線形量子化',
  '{}: U8S8 and S8S8 run; S8S8 is the default': '{0:ja}：U8S8とS8S8に対応、既定はS8S8',
  'onnxruntime, quantization tool: int8 weights are symmetric by default': 'onnxruntimeの量子化ツール：int8の重みは既定で対称',
  '{}: per-channel where weight ranges are large': '{0:ja}：重みの範囲が広い場合はチャネルごと',
  '{}; 16 bits: {}': '{0:ja}、16ビット：{1:ja}',
  '{}: U8U8, U8S8 and S8S8 run, so uint8 needs no change': '{0:ja}：U8U8、U8S8、S8S8に対応するため、uint8はそのままでよい',
  '{}: asymmetric formula': '{0:ja}：非対称の式',
  'ONNX operator QLinearConv: x_scale is a scalar': 'ONNXのQLinearConv：x_scaleはスカラー',
  '{}: Conv is taken only where QuantizeLinear follows it': '{0:ja}：Convは後ろにQuantizeLinearがある場合だけ対象',
  'ONNX operator QuantizeLinear: round to nearest even': 'ONNXのQuantizeLinear：最近接偶数への丸め',
  'ONNX operator QLinearConv: bias int32, scale = x_scale · w_scale': 'ONNXのQLinearConv：バイアスはint32、スケール = x_scale · w_scale',
  'microsoft/onnxruntime pull request 20187: a Relu in front of QuantizeLinear is taken into it':
    'microsoft/onnxruntimeのプルリクエスト20187：QuantizeLinearの手前のReluは統合される',
  '{}: QuantizeLinear takes 16 bits from opset 21 on': '{0:ja}：QuantizeLinearはopset 21から16ビットに対応',
  '{}: no 16-bit QLinear kernels, so the layer costs what float costs; no figure':
    '{0:ja}：16ビットのQLinearカーネルがなく、浮動小数点と同じコスト（数値の公開なし）',
  'no command: the pair’s type in the file decides': 'コマンドなし：ファイル内のペアの型で決まる',
  'A 16-bit layer computes in float between its pairs; the file needs opset 21.':
    '16ビットのレイヤーは、量子化ペアの間を浮動小数点で計算します。ファイルにはopset 21が必要です。',
  '{}: only groups between DequantizeLinear and QuantizeLinear become integer kernels':
    '{0:ja}：DequantizeLinearとQuantizeLinearに挟まれた部分だけが整数カーネルになる',
  'depends on the processor; no figure': 'プロセッサーに依存（数値の公開なし）',
  'no command: a layer without pairs computes in float': 'コマンドなし：ペアのないレイヤーは浮動小数点で計算',
  'Any layer can stay in float.': 'どのレイヤーも浮動小数点のままにできます。',
  'each pair has a type of its own': 'ペアごとに型を持つ',
  'ONNX Runtime takes open sizes': 'ONNX Runtimeは可変サイズに対応',
  'QDQ ONNX as evaluated, with README': '評価したままのQDQ ONNXとREADME',
  '{} (per channel from 13); 16 bits: 21': '{0:ja}（チャネルごとは13から）、16ビット：21',
  'the whole network runs, its tail in float': 'モデル全体が動作し、末尾は浮動小数点',
  'On x86-64 without VNNI, U8S8 products can saturate 16 bits: evaluate at optimization level "disabled" and on the target, or use U8U8.':
    'VNNIのないx86-64では、U8S8の積が16ビットで飽和することがあります。最適化レベル"disabled"と実機の両方で評価するか、U8U8を使ってください。',
  'Integer kernels appear only at optimization level "extended" or higher.': '整数カーネルは、最適化レベル"extended"以上でのみ使われます。',
};
