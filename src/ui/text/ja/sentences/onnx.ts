/** Japanese for what reading and checking ONNX say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const onnx: Templates = {
  // onnx/build.ts
  'Tensor "{}" got {} values for the shape [{}].': 'テンソル「{0}」の値は{1}個で、形状[{2}]に合いません。',
  // onnx/external.ts
  'The model wants its weights from "{}", which is not a file beside it.':
    '重みの参照先「{0}」が、モデルと同じフォルダー内のファイルではありません。',
  'Save the model again with its external data in its own folder.': 'モデルを外部データと同じフォルダーに保存し直してください。',
  'Tensor "{}" has "{}" as its external {}.': 'テンソル「{0}」の外部データの{2}が「{1}」になっています。',
  'Tensor "{}" has {} bytes of external data, its type and shape need {}.':
    'テンソル「{0}」の外部データは{1}バイトですが、型と形状から{2}バイト必要です。',
  'Save the model again.': 'モデルを保存し直してください。',
  '"{}" has {} bytes, tensor "{}" needs bytes {} to {} of it.':
    '「{0}」は{1}バイトしかありませんが、テンソル「{2}」は{3}〜{4}バイト目を使います。',
  'It is cut off or belongs to another model.': 'ファイルが途中で切れているか、別のモデルのものです。',
  '"{}" ({} bytes)': '「{0}」（{1}バイト）',
  'The model keeps its weights in further files that are not here: {}.': 'モデルの重みが外部ファイルにありますが、見つかりません：{0:ja}。',
  'The model keeps its weights in a second file that is not here: {}.': 'モデルの重みが別のファイルにありますが、見つかりません：{0:ja}。',
  'Choose the .onnx and its data together, or drop their folder.':
    '.onnxとデータファイルを一緒に選ぶか、フォルダーごとドロップしてください。',
  // onnx/float.ts
  'Tensor "{}" of type {} can\'t be read as numbers.': 'テンソル「{0}」（{1}型）は数値として読めません。',
  'Export the model with float32 weights.': '重みをfloat32にしてモデルを書き出してください。',
  // onnx/infer/facts.ts
  '{} ({}): {}.': '{0}（{1}）：{2:ja}。',
  'Export the model again with fixed input sizes.': '入力サイズを固定してモデルを書き出し直してください。',
  'axis {} does not exist in rank {}': '次元数{1}に軸{0}はありません',
  'inputs do not broadcast ({} against {})': '入力をブロードキャストできません（{0}と{1}）',
  // onnx/infer/infer.ts
  'its output would have the size {}': '出力のサイズが{0}になります',
  'its output [{}] would be larger than any memory': '出力[{0}]がメモリーに収まりません',
  // onnx/infer/moves.ts
  'inputs differ in rank ({}, {})': '入力の次元数が異なります（{0}、{1}）',
  'inputs differ on axis {} ({})': '軸{0}で入力のサイズが異なります（{1}）',
  'splits {} into [{}] for {} outputs': '{0}を[{1}]に分割しますが、出力は{2}個です',
  '{} starts, {} ends, {} axes and steps [{}] do not fit': 'starts（{0}個）、ends（{1}個）、axes（{2}個）、steps [{3}]が対応していません',
  'the shape [{}] has more than one −1': '形状[{0}]に−1が2つ以上あります',
  '[{}] cannot become [{}]': '[{0}]を[{1}]に変形できません',
  'perm [{}] does not permute {} dimensions': 'perm [{0}]は{1}次元の並べ替えになっていません',
  'axis {} has size {}, only 1 can be squeezed': '軸{0}のサイズが{1}です。squeezeできるのは1だけです',
  '{} pads for {} axes': 'padsが{0}個ですが、軸は{1}個です',
  // onnx/infer/windows.ts
  'strides, dilations or pads do not fit a kernel of {} dimensions': 'strides、dilations、padsが{0}次元のカーネルに合いません',
  'strides and dilations must be at least 1': 'stridesとdilationsは1以上でなければなりません',
  'the input is smaller than the kernel': '入力がカーネルより小さくなっています',
  '{} output channels cannot be split into {} groups': '出力{0}チャネルを{1}グループに分けられません',
  'input has {} channels, the weight expects {}': '入力は{0}チャネルですが、重みは{1}チャネル用です',
  'kernel_shape is missing': 'kernel_shapeがありません',
  'input of rank {} for a kernel of {} dimensions': '入力は{0}次元、カーネルは{1}次元です',
  'inner dimensions differ ({}, {})': '内側の次元が一致しません（{0}、{1}）',
  'a scalar is not a matrix': 'スカラーは行列として扱えません',
  'inputs of rank {} and {}, both must be matrices': '入力の次元数が{0}と{1}です。両方とも行列でなければなりません',
  '{} scales or sizes for {} dimensions': 'スケールまたはサイズが{0}個ですが、次元は{1}個です',
  'dimension {} cannot be divided by the block of {}': '次元{0}をブロック{1}で割り切れません',
  // onnx/parse.ts
  'The file names no operator set: it is cut off or damaged.':
    'ファイルにオペレーターセットがありません。途中で切れているか、壊れています。',
  'The model uses opset {}; this studio reads {} to {}.': 'モデルはopset {0}です。本ツールが読めるのは{1}〜{2}です。',
  'Export it with opset_version={}, or convert it with onnx.version_converter.':
    'opset_version={0}で書き出すか、onnx.version_converterで変換してください。',
  'The model is written for ONNX IR {}; this studio reads {} to {}.': 'モデルはONNX IR {0}です。本ツールが読めるのは{1}〜{2}です。',
  'Export it again with a current exporter.': '新しいエクスポーターで書き出し直してください。',
  "The model is written for ONNX IR {} and uses features newer than IR {}, the last that this studio's runtime reads.":
    'モデルはONNX IR {0}で、本ツールのランタイムが読めるIR {1}より新しい機能を使っています。',
  'Save it again with ir_version = {}.': 'ir_version = {0}で保存し直してください。',
  'Written for ONNX IR {}; lowered to {}, as it uses nothing newer.':
    'ONNX IR {0}のモデルです。新しい機能を使っていないため、{1}として扱います。',
  'The file does not say which version of the ONNX operators it uses.': 'ONNXのオペレーターのバージョンがファイルに記録されていません。',
  // onnx/passes/dead.ts
  'The network computes no value "{}" to cut at.': '切断位置の値「{0}」がモデルにありません。',
  'Cutting needs at least one value to end at.': '切断するには、終端とする値が1つ以上必要です。',
  'Name the output of a node.': 'ノードの出力名を指定してください。',
  // onnx/passes/fix-dimensions.ts
  '[{}] is not a shape for input "{}".': '[{0}]は入力「{1}」の形状として無効です。',
  'Sizes must be positive integers.': 'サイズは正の整数にしてください。',
  'Input "{}" has {} dimensions, [{}] has {}.': '入力「{0}」は{1}次元ですが、[{2}]は{3}次元です。',
  'Give one size for each of them.': '次元ごとにサイズを1つ指定してください。',
  'Dimension {} of input "{}" is {}, it can\'t become {}.': '入力「{1}」の次元{0}は{2}で、{3}に変更できません。',
  'Export the model for the size that you need.': '必要なサイズでモデルを書き出してください。',
  'The model has no input "{}".': 'モデルに入力「{0}」はありません。',
  // onnx/passes/upgrade-opset.ts
  'The mask of {} (Dropout) is read, which opset 10 changed.': '{0}（Dropout）のマスクが使われていますが、opset 10で仕様が変わりました。',
  '{} (BatchNormalization) is not spatial, which opset 9 dropped.':
    '{0}（BatchNormalization）の非spatialモードは、opset 9で廃止されました。',
  '{} (BatchNormalization) is in training mode.': '{0}（BatchNormalization）が学習モードです。',
  'Export the model for inference.': '推論用にモデルを書き出してください。',
  "{} ({}) grows one axis and shrinks another, which opset 11 can't say.":
    '{0}（{1}）は拡大する軸と縮小する軸があり、opset 11では表せません。',
  "{} ({}) works on {}, which can't be converted.": '{0}（{1}）の{2}型は変換できません。',
  'Export the model again with opset 13.': 'opset 13でモデルを書き出し直してください。',
  'Models can be upgraded to opset {} at most, not {}.': 'モデルを変換できるのはopset {0}までで、{1}には変換できません。',
  'Ask for an older one.': 'より古いopsetを指定してください。',
  // onnx/read-graph.ts
  'A weight has no name.': '名前のない重みがあります。',
  'Two weights are called "{}".': '「{0}」という名前の重みが2つあります。',
  '"{}" ({}) uses a value called "__proto__".': '「{0}」（{1}）が「__proto__」という名前の値を使っています。',
  'Rename it and export the model again.': '名前を変えて、モデルを書き出し直してください。',
  'The graph has subgraphs nested more than {} deep.': 'サブグラフの入れ子が{0}段を超えています。',
  'Export without nested loops.': '入れ子のループなしで書き出してください。',
  '{} of {} inputs are weights: they were moved out of the inputs and count as constants.':
    '入力{1}個のうち{0}個は重みのため、入力から除いて定数として扱います。',
  'Node "{}" has no operator.': 'ノード「{0}」に演算子がありません。',
  '"{}" produces "{}", which is an input or a weight already.': '「{0}」の出力「{1}」は、すでに入力か重みとして存在します。',
  'The nodes were out of order: they have been sorted.': 'ノードが実行順に並んでいなかったため、並べ替えました。',
  // onnx/read-tensor.ts
  'Tensor "{}" {}.': 'テンソル「{0}」に誤りがあります：{1:ja}。',
  'The file is damaged: export or download it again.': 'ファイルが壊れています。書き出し直すか、もう一度ダウンロードしてください。',
  'has the negative dimension {}': '次元が負の値{0}です',
  'has the impossible shape [{}]': '形状[{0}]は無効です',
  'holds {} strings, its shape needs {}': '文字列が{0}個ですが、形状から{1}個必要です',
  'Tensor "{}" has the unknown element type {}.': 'テンソル「{0}」の要素型{1}は未知です。',
  'Export the model again with float32 weights.': '重みをfloat32にしてモデルを書き出し直してください。',
  'holds {} bytes, its shape [{}] of {} needs {}': '{0}バイトですが、{2}の形状[{1}]には{3}バイト必要です',
  'holds {} values, its shape [{}] needs {}': '値が{0}個ですが、形状[{1}]には{2}個必要です',
  // onnx/serialize.ts
  'Tensor "{}" has the type {}, which can\'t be written.': 'テンソル「{0}」の{1}型は書き出せません。',
  'Export the model again with float32 values.': '値をfloat32にしてモデルを書き出し直してください。',
  'The model has {} bytes of weights; an ONNX file holds at most 2 GiB.':
    'モデルの重みが{0}バイトあります。ONNXファイルの上限は2 GiBです。',
  'Use a smaller network.': 'より小さいモデルを使ってください。',
  // onnx/size.ts
  'The network has more than {} {}.': 'モデルの{1:ja}が{0}個を超えています。',
  'Simplify it (for example with onnxsim), or export the detector alone.':
    'onnxsimなどで単純化するか、検出器の部分だけを書き出してください。',
  nodes: 'ノード',
  // onnx/sniff.ts
  'Choose a file that ends in .onnx.': '.onnxファイルを選んでください。',
  'Export the network to ONNX first.': '先にモデルをONNXに書き出してください。',
  'a Git-LFS pointer, not the model itself': 'モデル本体ではなく、Git-LFSのポインター',
  'Run "git lfs pull" in its repository, or download the file from the web page.':
    'リポジトリで「git lfs pull」を実行するか、Webページからファイルをダウンロードしてください。',
  'a web page, not a model': 'モデルではなく、Webページ',
  'The download link led to a page: download the file itself.':
    'ダウンロードリンクの先がページでした。ファイル本体をダウンロードしてください。',
  'an XML file, not an ONNX model': 'ONNXモデルではなく、XMLファイル',
  'a PyTorch or other zip archive, not an ONNX model': 'ONNXモデルではなく、PyTorchなどのZIPアーカイブ',
  'Export it with torch.onnx.export, or unpack the archive and choose the .onnx inside.':
    'torch.onnx.exportで書き出すか、アーカイブを展開して中の.onnxを選んでください。',
  'a pickled PyTorch checkpoint, not an ONNX model': 'ONNXモデルではなく、pickle形式のPyTorchチェックポイント',
  'Export it with torch.onnx.export.': 'torch.onnx.exportで書き出してください。',
  'a TensorFlow Lite model, not ONNX': 'ONNXではなく、TensorFlow Liteモデル',
  'Export the original network to ONNX, or convert it with tf2onnx.': '元のモデルをONNXに書き出すか、tf2onnxで変換してください。',
  'an ONNX Runtime .ort model, which is already converted': '変換済みのONNX Runtimeモデル（.ort）',
  'Choose the .onnx file that it was made from.': '変換元の.onnxファイルを選んでください。',
  'an HDF5 (Keras) file, not an ONNX model': 'ONNXモデルではなく、HDF5（Keras）ファイル',
  'a compiled Hailo program (.hef), not an ONNX model': 'ONNXモデルではなく、コンパイル済みのHailoプログラム（.hef）',
  'Choose the .onnx file that it was compiled from.': 'コンパイル元の.onnxファイルを選んでください。',
  'a GGUF file, not an ONNX model': 'ONNXモデルではなく、GGUFファイル',
  'a NumPy array, not a model': 'モデルではなく、NumPy配列',
  'a safetensors file, which holds weights without a network': 'モデル構造を含まない、重みだけのsafetensorsファイル',
  'a compressed archive, not an ONNX model': 'ONNXモデルではなく、圧縮アーカイブ',
  'Unpack it first.': '先に展開してください。',
  'an image, not a model': 'モデルではなく、画像',
  'a PDF document, not a model': 'モデルではなく、PDF文書',
  'a JSON file, not an ONNX model': 'ONNXモデルではなく、JSONファイル',
  'a text file, not an ONNX model': 'ONNXモデルではなく、テキストファイル',
  'The file is empty (0 bytes).': 'ファイルが空です（0バイト）。',
  'This is {}.': 'このファイルは{0:ja}です。',
  'The file holds only zeros.': 'ファイルの中身がすべて0です。',
  'The download or copy failed: get it again.': 'ダウンロードかコピーに失敗しています。もう一度取得してください。',
  // onnx/parse.ts
  'Download or export it again.': 'もう一度ダウンロードするか、書き出し直してください。',
  // onnx/sniff.ts
  'The file is cut off or damaged: its graph needs {} bytes, {} are there.':
    'ファイルが途中で切れているか、壊れています。グラフに{0}バイト必要ですが、{1}バイトしかありません。',
  'The ONNX file is damaged: its graph cannot be read.': 'ONNXファイルが壊れていて、グラフを読み込めません。',
  'This is not an ONNX model, or it is damaged.': 'ONNXモデルではないか、壊れています。',
  'Choose a file that ends in .onnx, or download it again.': '.onnxファイルを選ぶか、もう一度ダウンロードしてください。',
  // onnx/topology.ts
  '"{}" reads its own output': '「{0}」が自身の出力を入力にしています',
  '"{}" and "{}" each wait for the other\'s output': '「{0}」と「{1}」が互いの出力を待っています',
  'The graph{} has a cycle: {}.': 'グラフ{0}に循環があります：{1:ja}。',
  '"{}" and "{}" both produce "{}".': '「{0}」と「{1}」が同じ値「{2}」を出力しています。',
  '"{}" ({}) reads "{}", which the file does not contain.': '「{0}」（{1}）が使う「{2}」がファイルにありません。',
  'A weight or a node is missing: export the model again.': '重みかノードが欠けています。モデルを書き出し直してください。',
  'Output "{}" is produced by no node.': '出力「{0}」を計算するノードがありません。',
  // onnx/verify.ts
  '"{}" ({}) has no output.': '「{0}」（{1}）に出力がありません。',
  'Input {} of "{}" ({}) is missing.': '「{1}」（{2}）の入力{0}がありません。',
  '"{}" ({}) has {} of its {} inputs.': '「{0}」（{1}）の入力が{2}個しかありません（{3}個必要）。',
  // onnx/passes/fix-dimensions.ts
  'It has: {}.': '使えるのは：{0}。',
  // onnx/size.ts
  weights: '重み',
};
