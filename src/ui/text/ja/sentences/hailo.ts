/** Japanese for what the Hailo profiles say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const hailo: Templates = {
  // devices/hailo-envelope.ts
  'It may still compile: try the parser early.': 'コンパイルできる可能性はあります。早めにパーサーで確認してください。',
  '{}, which no public log shows on this device.': '{0:ja}は、このデバイスでの公開例がありません。',
  'Its weights are not constant.': '重みが定数ではありません。',
  'A {}-D convolution; 1-D ones timed out in a public test.':
    '{0}次元の畳み込みです。1次元の畳み込みは、公開テストでタイムアウトしています。',
  'Make it 2-D.': '2次元にしてください。',
  'Kernel {}': 'カーネル{0}',
  'Stride {}': 'ストライド{0}',
  'Dilation {}': 'ダイレーション{0}',
  'Pooling over {}': '{0}のプーリング',
  'Resize by "{}"': '「{0}」によるリサイズ',
  'SiLU is an attribute of the convolution before it, so only its result is quantized.':
    'SiLUは手前の畳み込みの属性になり、結果だけが量子化されます。',
  'It may cost accuracy in 8 bits; the vendor retrained its own YOLOX with LeakyReLU.':
    '8ビットでは精度が下がる可能性があります。ベンダーは自社のYOLOXをLeakyReLUで再学習しています。',
  'The four Slices and the Concat of Focus become one space_to_depth.': 'Focusの4つのSliceとConcatは、1つのspace_to_depthになります。',
  // devices/hailo-operators.ts
  'hailo_model_zoo v2.18, networks and scripts': 'hailo_model_zoo v2.18のモデルとスクリプト',
  'a public `hailomz profile yolox_tiny` log': '公開されている「hailomz profile yolox_tiny」のログ',
  'public operator test on Hailo-8, Dataflow Compiler 3.32, opset 11': 'Hailo-8での公開演算子テスト（Dataflow Compiler 3.32、opset 11）',
  'Hailo community forum and hailo_model_zoo issues': 'Hailoコミュニティフォーラムとhailo_model_zooのissue',
  'The compiler has a layer for it.': 'コンパイラーに対応するレイヤーがあります。',
  'It works where it vanishes (a change of layout, flattening before a dense layer) and is refused elsewhere.':
    '消去できる場合（レイアウト変更、全結合の手前のflatten）だけ動作し、それ以外は拒否されます。',
  '{} (issue 98); {}': '{0:ja}（issue 98）、{1:ja}',
  'It belongs to decoding, which the parser refuses.': 'デコード処理の一部で、パーサーが受け付けません。',
  'Suppression runs on the host, in HailoRT (nms_postprocess with engine=cpu).':
    'NMSはホストのHailoRTで実行します（nms_postprocess、engine=cpu）。',
  'Cut the network before it and let the model script add it.': '手前でモデルを切り、モデルスクリプトで追加してください。',
  'No public source shows it on this device.': 'このデバイスで動作した公開情報がありません。',
  'Replace it, or cut the network before it; the compiler has the last word.':
    '置き換えるか、手前でモデルを切ってください。最終的にはコンパイラーの判断によります。',
  'absence from hailo_model_zoo v2.18, its scripts and public logs': 'hailo_model_zoo v2.18、そのスクリプト、公開ログに記載なし',
  'It computes shapes or constants, which the device does not do at run time.':
    '形状や定数の計算です。デバイスは実行時にこれを行いません。',
  'static shapes are required; hailo_model_zoo issues': '静的な形状が必要（hailo_model_zooのissue）',
  'The compiler quantizes by itself and takes float networks.': 'コンパイラーが自分で量子化するため、floatモデルが必要です。',
  '{} (deconv)': '{0:ja}（deconv）',
  '{} (classifiers)': '{0:ja}（分類モデル）',
  'Its inputs are 8-bit and non-negative on this device.': 'このデバイスでは、入力は8ビットの非負の値です。',
  'Keep 16 bits and negative inputs away from it.': '16ビットや負の値を入力しないでください。',
  'ultralytics pull request 25260; Hailo forum 19373': 'ultralyticsのプルリクエスト25260、Hailoフォーラム19373',
  'It is folded into the convolution before it.': '手前の畳み込みに統合されます。',
  'Hailo forum 50': 'Hailoフォーラム50',
  'It is decomposed into simpler layers.': 'より単純なレイヤーに分解されます。',
  'Expect limits.': '制限があります。',
  'It is known only as part of GELU.': 'GELUの一部としてのみ知られています。',
  'Export GELU as one operator or in its usual five nodes.': 'GELUを1つの演算子か、標準の5ノードで書き出してください。',
  'It runs with limits.': '制限付きで動作します。',
  'Keep it over channels.': 'チャネル方向で使ってください。',
  'ultralytics pull request 25260': 'ultralyticsのプルリクエスト25260',
  'All its inputs share the scale of its output.': 'すべての入力が出力のスケールを共有します。',
  '{} (slice layers)': '{0:ja}（slice層）',
  '{} (zero padding)': '{0:ja}（ゼロパディング）',
  '{} (nearest, twice); {} (bilinear)': '{0:ja}（最近傍、2回）、{1:ja}（bilinear）',
  'as Resize: {}': 'Resizeと同じ：{0:ja}',
  '{} (5, 9, 13 in SPP)': '{0:ja}（SPPの5、9、13）',
  '{} (classifiers, global_avgpool_reduction)': '{0:ja}（分類モデル、global_avgpool_reduction）',
  'ReduceMean, Reshape and Linear together gave a parse error.':
    'ReduceMean、Reshape、Linearの組み合わせで、パースエラーになった例があります。',
  'Use GlobalAveragePool for a mean over height and width.': '高さと幅の平均にはGlobalAveragePoolを使ってください。',
  'Hailo-Application-Code-Examples, optimization diagnostic tool': 'Hailo-Application-Code-Examplesの最適化診断ツール',
  // devices/hailo.ts
  'hailort v4.23.0, quantization.hpp and hailort.h': 'hailort v4.23.0のquantization.hppとhailort.h',
  'vendor lesson "Hailo Quantization Scheme"': 'ベンダーの教材「Hailo Quantization Scheme」',
  'hailo_model_zoo v2.18, scripts': 'hailo_model_zoo v2.18のスクリプト',
  'Hailo forum 18395: 8-bit weights seen as −128…127': 'Hailoフォーラム18395：8ビットの重みが−128…127になった例',
  'not stated publicly; equalization and quantization_groups hint at one per layer':
    '公開情報なし。equalizationとquantization_groupsからはレイヤーごとと推測',
  '{} (activation_inspector.py); yolox_tiny profile': '{0:ja}（activation_inspector.py）、yolox_tinyのプロファイル',
  '{} (at the outputs; inside a layer it is not public)': '{0:ja}（出力のみ。レイヤー内部は非公開）',
  'not public; bias_mode and negative_exponent hint at a limited bias':
    '非公開。bias_modeとnegative_exponentからはバイアスに制限があると推測',
  '{} makes no new values': '{0:ja}は新しい値を作らない',
  'a maximum': '最大値',
  'nearest-neighbour resizing': '最近傍リサイズ',
  'a slice': 'スライス',
  'SiLU verified in activation_inspector.py and the yolox_tiny profile; the others ran in a public operator test (compiler 3.32)':
    'SiLUはactivation_inspector.pyとyolox_tinyのプロファイルで確認。その他は公開演算子テスト（コンパイラー3.32）で動作',
  '{}: ew_add layers of ResNet': '{0:ja}：ResNetのew_add層',
  '{}: a16_w16 on conv, dw, ew_add, concat, output layers and more': '{0:ja}：conv、dw、ew_add、concat、output層などでa16_w16',
  '{}: yolov8s_pose runs at 104 frames/s in 8 bits, 100 with 16-bit heads, 59 with a wider set, 14 all in 16 bits':
    '{0:ja}：yolov8s_poseは8ビットで104フレーム／秒、ヘッドのみ16ビットで100、範囲を広げると59、すべて16ビットで14',
  'Any layer can compute in 16 bits; a layer in front of a 16-bit Concat or Add takes a8_w8_a16 (8 bits inside, 16-bit output).':
    'どのレイヤーも16ビットで計算できます。16ビットのConcatやAddの手前のレイヤーはa8_w8_a16（内部8ビット、出力16ビット）になります。',
  'there are no floating-point layers': '浮動小数点のレイヤーなし',
  'The device computes with integers only; what must stay in float runs on the host, behind the cut.':
    'デバイスの計算は整数だけです。浮動小数点のまま残す部分は、切断位置より後ろのホストで実行します。',
  '{}, notebook: Concat, shortcut and feature splitter cannot change width (16 in, 16 out)':
    '{0:ja}のノートブック：Concat、ショートカット、feature splitterはビット幅を変えられない（入力16、出力16）',
  'Without a GPU, or with fewer than 1,024 calibration images, the compiler lowers the optimization level and says so in one line of its log: read the log.':
    'GPUがない場合や、キャリブレーション画像が1,024枚未満の場合、コンパイラーは最適化レベルを下げ、ログの1行で知らせます。ログを確認してください。',
  'Compiler 3.33.0 was reported to demote requested 16-bit outputs to 8 bits: check with `hailortcli parse-hef`.':
    'コンパイラー3.33.0では、指定した16ビット出力が8ビットに下げられたという報告があります。`hailortcli parse-hef`で確認してください。',
  'hailo_model_zoo v5.2, scripts': 'hailo_model_zoo v5.2のスクリプト',
  'The public operator tests were made on Hailo-8: on this device they are an expectation.':
    '公開演算子テストはHailo-8のものです。このデバイスでの結果は見込みです。',
  'as on Hailo-8: {}': 'Hailo-8と同じ：{0:ja}',
  'Hailo Dataflow Compiler {}': 'Hailo Dataflow Compiler {0}',
  'hailo_model_zoo, changelog: 3.x is the Hailo-8 line, 5.x the Hailo-10H and 15 line':
    'hailo_model_zooの変更履歴：3.xはHailo-8系、5.xはHailo-10H・15系',
  'hailo_model_zoo, parsing with net_input_shapes; batch 1': 'hailo_model_zooのnet_input_shapesによるパース、バッチ1',
  'Hailo bundle: float ONNX, calibration set, model script, compile.py':
    'Hailoバンドル：float ONNX、キャリブレーション画像、モデルスクリプト、compile.py',
  'ultralytics (11), zoo issue 95 (13), a public study (17)': 'ultralytics（11）、zooのissue 95（13）、公開の調査（17）',
  // devices/hailo-operators.ts
  'Dataflow Compiler flow: parse float ONNX, then optimize': 'Dataflow Compilerの手順：float ONNXを読み込んでから最適化',
  // devices/hailo.ts
  'the scheme above; weights are left open because the vendor does not say how many scales a layer has':
    '上記の方式。重みのスケール数はベンダーの記載がないため未指定',
  // devices/hailo10h.ts
  'The model zoo compiles for Hailo-10H with the scripts of Hailo-15H.':
    'model zooは、Hailo-10HをHailo-15Hのスクリプトでコンパイルします。',
  // devices/hailo15h.ts
  'A Hailo-15M takes only files compiled for it, a Hailo-15L only its own.':
    'Hailo-15Mは専用にコンパイルしたファイルだけ、Hailo-15Lも専用のファイルだけを読み込みます。',
  // devices/hailo8.ts
  'A file compiled for Hailo-8L loads here too, but runs at the 8L’s speed.':
    'Hailo-8L用にコンパイルしたファイルも読み込めますが、8Lの速度で動作します。',
  // devices/hailo10h.ts
  'hailort v4.23.0, device_internal.cpp': 'hailort v4.23.0のdevice_internal.cpp',
  // devices/hailo8l.ts
  'Only files compiled for Hailo-8L load here.': '読み込めるのは、Hailo-8L用にコンパイルしたファイルだけです。',
  'Whether 16-bit depthwise layers fit this device at speed is not established.':
    '16ビットのdepthwise層がこのデバイスで速度を保てるかは、確認されていません。',
  // devices/hailo-operators.ts
  'Cut the network at the head outputs and decode on the host.': 'ヘッドの出力でモデルを切り、ホストでデコードしてください。',
  'no computation at inference': '推論時の計算なし',
  'Fold constants and fix the input size first.': '先に定数を畳み込み、入力サイズを固定してください。',
  'Cut the network before it.': '手前でモデルを切ってください。',
  'Give it the float model.': 'floatモデルを渡してください。',
  'Wide and narrow inputs lose precision together: look at their ranges.':
    '範囲の広い入力と狭い入力がともに精度を失います。範囲を確認してください。',
  'It becomes a weight.': '重みになります。',
  'It vanishes.': '消去されます。',
  // devices/hailo-envelope.ts
  'Fold constants, or give the float model if this one is quantized.':
    '定数を畳み込んでください。量子化済みなら、floatモデルを使ってください。',
  // devices/hailo.ts
  'inputs take the output scale': '入力が出力のスケールに合わせる',
  'output takes the input scale': '出力が入力のスケールに合わせる',
  'A Concat gives all its inputs one scale.': 'Concatのすべての入力が1つのスケールを共有します。',
  // Sources with a name behind them
  '{} (ReLU6)': '{0:ja}（ReLU6）',
  '{} (ew_add); {}': '{0:ja}（ew_add）、{1:ja}',
  '{} (space_to_depth)': '{0:ja}（space_to_depth）',
  '{} (reduce_sum)': '{0:ja}（reduce_sum）',
};
