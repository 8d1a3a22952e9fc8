/** Japanese for what the TensorFlow Lite profile says; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const tflite: Templates = {
  // devices/tflite-operators.ts
  'Edge TPU operator list (Axis ARTPEC-7 guide)': 'Edge TPUの演算子一覧（Axis ARTPEC-7ガイド）',
  'NPU operator list (Axis ARTPEC-8 guide)': 'NPUの演算子一覧（Axis ARTPEC-8ガイド）',
  'onnx2tf, README, list of operators': 'onnx2tfのREADME、演算子一覧',
  'It becomes {} in 8 bits.': '8ビットの{0:ja}になります。',
  'It becomes {}; behind the change from NCHW to NHWC a Transpose may come with it.':
    '{0:ja}になります。NCHWからNHWCへの変換に伴い、Transposeが加わることがあります。',
  'Cut the network before the tail where it stands there.': 'モデルの末尾にある場合は、その手前で切ってください。',
  '{} has no 8-bit form: it computes in float on the CPU and splits the delegate’s graph.':
    '{0:ja}には8ビット形式がなく、CPU上の浮動小数点で計算され、デリゲートのグラフが分断されます。',
  'Cut the network before it, or replace it.': '手前でモデルを切るか、置き換えてください。',
  '{} belongs to decoding: it runs on the CPU and everything behind it with it.':
    '{0:ja}はデコード処理の一部で、これより後ろはすべてCPUで動作します。',
  '{} is taken apart into several operators, each quantized by itself.': '{0:ja}は複数の演算子に分解され、それぞれ量子化されます。',
  'Replace it by ReLU or ReLU6 and train again, or expect a loss.': 'ReLUかReLU6に置き換えて再学習するか、精度低下を見込んでください。',
  'It is folded into its neighbours.': '隣のレイヤーに統合されます。',
  'It computes shapes at run time; the file has fixed sizes.': '実行時に形状を計算します。ファイルのサイズは固定です。',
  'Axis ARTPEC-7 guide: tensor sizes must be constant at compile time':
    'Axis ARTPEC-7ガイド：テンソルのサイズはコンパイル時に定数であること',
  'Logic on tensors runs on the CPU.': 'テンソルの論理演算はCPUで動作します。',
  'not in the {}': '{0:ja}に記載なし',
  'The converter quantizes by itself; onnx2tf writes quantizing nodes out as float arithmetic.':
    'コンバーターが自分で量子化します。onnx2tfは量子化ノードを浮動小数点の演算として書き出します。',
  'CONV_2D or DEPTHWISE_CONV_2D': 'CONV_2DまたはDEPTHWISE_CONV_2D',
  'It becomes FULLY_CONNECTED, whose weights have one scale for the whole layer.':
    'FULLY_CONNECTEDになり、重みのスケールはレイヤー全体で1つです。',
  'Expect the loss of per-tensor weights there.': '重みがテンソルごとになる分の精度低下を見込んでください。',
  'With constant weights it becomes FULLY_CONNECTED with one weight scale, otherwise BATCH_MATMUL.':
    '重みが定数なら重みスケール1つのFULLY_CONNECTED、そうでなければBATCH_MATMULになります。',
  'Keep products of two activations off delegates.': '活性値同士の積は、デリゲートで使わないでください。',
  'RELU6, or MINIMUM and MAXIMUM': 'RELU6、またはMINIMUMとMAXIMUM',
  'a chain of ADD': '連続したADD',
  'Mean of several tensors': '複数のテンソルの平均',
  'A reciprocal': '逆数',
  'It becomes CONCATENATION: all its inputs share the scale of its output.':
    'CONCATENATIONになり、すべての入力が出力のスケールを共有します。',
  'STRIDED_SLICE or SLICE': 'STRIDED_SLICEまたはSLICE',
  'RESIZE_NEAREST_NEIGHBOR or RESIZE_BILINEAR': 'RESIZE_NEAREST_NEIGHBORまたはRESIZE_BILINEAR',
  // devices/tflite-rules.ts
  'Its weights are not constant, so no delegate takes it.': '重みが定数ではないため、デリゲートで実行できません。',
  'A grouped convolution ({} groups of {} channels) is taken apart into slices, or runs on the CPU alone.':
    'グループ畳み込み（{1}チャネル × {0}グループ）はスライスに分解されるか、CPUだけで動作します。',
  'Use depthwise or dense convolutions.': 'depthwiseか通常の畳み込みを使ってください。',
  'Dilation {}; the Edge TPU wants the same one in both directions.':
    'ダイレーション{0}です。Edge TPUでは、縦と横が同じでなければなりません。',
  'Use one dilation.': '縦と横のダイレーションを揃えてください。',
  'SiLU is LOGISTIC and MUL here: the convolution, the sigmoid and the product are quantized one by one, with up to 1/256 lost at the sigmoid.':
    'SiLUはLOGISTICとMULになります。畳み込み・シグモイド・積が別々に量子化され、シグモイドで最大1/256の誤差が出ます。',
  'Train with ReLU or ReLU6 instead, or switch "fuseActivations" off so that the figures show it.':
    'ReLUかReLU6で学習するか、"fuseActivations"をオフにして数値に反映させてください。',
  'The Focus is four STRIDED_SLICE and a CONCATENATION, which delegates may refuse.':
    'FocusはSTRIDED_SLICE 4つとCONCATENATIONになり、デリゲートに拒否されることがあります。',
  'Replace Focus by the equal 6×6 convolution with stride 2.': 'Focusを、等価な6×6畳み込み（ストライド2）に置き換えてください。',
  'Resize by "{}" has no operator here.': '「{0}」によるリサイズに対応する演算子がありません。',
  'Use nearest or linear resizing.': 'nearestかlinearのリサイズを使ってください。',
  // devices/tflite-operators.ts
  'TensorFlow Lite 8-bit quantization specification': 'TensorFlow Lite 8ビット量子化仕様',
  // devices/tflite.ts
  'TensorFlow Lite, post-training quantization guide': 'TensorFlow Liteの学習後量子化ガイド',
  '{}: "Input and outputs must all have same scale/zero_point"': '{0:ja}：「Input and outputs must all have same scale/zero_point」',
  '{}, RESIZE_BILINEAR; nearest resizing makes no new values': '{0:ja}のRESIZE_BILINEAR。最近傍リサイズは新しい値を作らない',
  // devices/tflite-operators.ts
  'as Resize': 'Resizeと同じ',
  // devices/tflite.ts
  'as SLICE': 'SLICEと同じ',
  'as SPACE_TO_DEPTH': 'SPACE_TO_DEPTHと同じ',
  'TensorFlow Lite, full integer': 'TensorFlow Lite、完全整数',
  'onnx2tf and TensorFlow’s TFLiteConverter': 'onnx2tfとTensorFlowのTFLiteConverter',
  'onnx2tf, README; onnx2tf issue 942 on quantizing apart from it': 'onnx2tfのREADME、onnx2tfのissue 942（別工程での量子化）',
  'one file format': 'ファイル形式は1つ',
  '{}: int8 in [−127, 127]': '{0:ja}：int8、[−127, 127]',
  '{}: zero point 0': '{0:ja}：ゼロ点0',
  '{}: CONV_2D and DEPTHWISE_CONV_2D; FULLY_CONNECTED has one scale': '{0:ja}：CONV_2DとDEPTHWISE_CONV_2D。FULLY_CONNECTEDのスケールは1つ',
  '{}; {}: 16x8 mode': '{0:ja}、{1:ja}：16x8モード',
  '{}: int8 in [−128, 127]': '{0:ja}：int8、[−128, 127]',
  '{}: zero point in [−128, 127]': '{0:ja}：ゼロ点は[−128, 127]',
  'XNNPACK delegate, README: fused NONE, RELU, RELU_N1_TO_1 and RELU6 only':
    'XNNPACKデリゲートのREADME：融合できるのはNONE、RELU、RELU_N1_TO_1、RELU6のみ',
  'tensorflow/lite/kernels/internal/reference/quantize.h: TfLiteRound, which is std::round':
    'tensorflow/lite/kernels/internal/reference/quantize.h：TfLiteRound（std::roundと同じ）',
  '{}: scale = input scale · weight scale': '{0:ja}：スケール = 入力スケール · 重みスケール',
  'XNNPACK delegate, README, quantized operators': 'XNNPACKデリゲートのREADME、量子化演算子',
  '{}: the 16x8 mode is a mode of the whole conversion': '{0:ja}：16x8モードは変換全体に対する指定',
  '{}: "noticeably slower than 8-bit full integer", no figure': '{0:ja}：「noticeably slower than 8-bit full integer」（数値の公開なし）',
  '16-bit activations are a mode of the whole network, slower than 8 bits, and no hardware delegate takes them: single 16-bit layers are refused.':
    '16ビットの活性値はモデル全体に対する指定で、8ビットより遅く、対応するハードウェアデリゲートもありません。個々のレイヤーの16ビット化はできません。',
  '{}: operators without an integer kernel are left in floating point': '{0:ja}：整数カーネルのない演算子は浮動小数点のまま',
  'TensorFlow Lite, GPU delegate guide: a split graph is usually slower than the CPU alone, no figure':
    'TensorFlow LiteのGPUデリゲートガイド：分断されたグラフは、多くの場合CPUだけより遅い（数値の公開なし）',
  'the converter chooses by operator, not by layer': 'コンバーターはレイヤー単位ではなく、演算子単位で選択',
  'A float layer cuts the graph in two: the Edge TPU leaves it and everything behind it on the CPU, other delegates move data back and forth.':
    '浮動小数点のレイヤーはグラフを2つに分けます。Edge TPUではそのレイヤーより後ろがすべてCPUになり、他のデリゲートではデータの往復が生じます。',
  '{}: one data type for all inputs and outputs': '{0:ja}：入出力のデータ型は1つ',
  'Axis, ARTPEC-7 (Edge TPU) guide: dynamic sizes are not supported': 'Axis ARTPEC-7（Edge TPU）ガイド：動的サイズは非対応',
  'QDQ ONNX, float ONNX, calibration set, convert.py (onnx2tf, then full-integer conversion)':
    'QDQ ONNX、float ONNX、キャリブレーション画像、convert.py（onnx2tf、続けて完全整数変換）',
  'onnx2tf, README: models exported up to opset 18': 'onnx2tfのREADME：opset 18までのモデル',
  'logits keep more of a score than a LOGISTIC output with the fixed scale 1/256':
    'ロジットのほうが、スケール1/256固定のLOGISTIC出力よりスコアの情報が残る',
  '{}: ranges come from the representative data set': '{0:ja}：範囲はrepresentative datasetから決まる',
  'The converter chooses activation ranges by itself (minimum and maximum of the calibration set): clipped ranges of the studio do not reach the file, its weights do.':
    'コンバーターは活性値の範囲を自分で決めます（キャリブレーション画像の最小値と最大値）。本ツールで絞った範囲は反映されませんが、重みは反映されます。',
  'SiLU is two operators here, each quantized: figures that treat it as one are too good for this device.':
    'SiLUは2つの演算子になり、それぞれ量子化されます。1層として扱った数値は、このデバイスでは良く出すぎます。',
  'LOGISTIC and SOFTMAX outputs always have the scale 1/256, TANH 1/128.': 'LOGISTICとSOFTMAXの出力スケールは常に1/256、TANHは1/128です。',
  'The NNAPI delegate is deprecated; which operators a phone’s driver takes is not published.':
    'NNAPIデリゲートは非推奨です。スマートフォンのドライバーが対応する演算子は公開されていません。',
  // Sources with a name behind them
  '{}, FULLY_CONNECTED': '{0:ja}のFULLY_CONNECTED',
  '{}, CONCATENATION': '{0:ja}のCONCATENATION',
  '{}, RESIZE_BILINEAR; {}': '{0:ja}のRESIZE_BILINEAR、{1:ja}',
  '{}, MAXIMUM': '{0:ja}のMAXIMUM',
  '{}, MINIMUM': '{0:ja}のMINIMUM',
  '{}: EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8': '{0:ja}：EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8',
};
