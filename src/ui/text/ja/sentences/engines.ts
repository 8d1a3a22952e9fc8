/** Japanese for what engines, kernels and workers say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const engines: Templates = {
  // kernels/gpu.ts
  'unknown GPU': '不明なGPU',
  'This browser offers no WebGPU.': 'このブラウザーではWebGPUを使えません。',
  'The GPU refused a device: {}': 'GPUデバイスを取得できませんでした：{0}',
  "{} takes {} bytes, more than this GPU's {} of {}.": '{0:ja}に{1}バイト必要で、このGPUの{2}（{3}）を超えます。',
  'WASM can take it.': 'WASMなら処理できます。',
  'A kernel’s buffer': 'カーネルのバッファー',
  "The GPU's results could not be read: {}": 'GPUの計算結果を読み出せませんでした：{0}',
  'The studio can run on WASM instead.': '代わりにWASMで実行できます。',
  // kernels/shape.ts
  "A kernel can't read the shape [{}].": 'GPUカーネルは形状[{0}]に対応していません。',
  'Use WASM instead, or give the inputs fixed sizes.': 'WASMを使うか、入力のサイズを固定してください。',
  // runtime/agreement.ts
  'Engines are compared on at least one image.': 'エンジンの比較には画像が1枚以上必要です。',
  // runtime/ort-engine.ts
  'it gave no reason': '理由は不明です',
  'Try WASM as the engine; if it comes back, export the model again.':
    'エンジンをWASMにしてください。それでも起きる場合は、モデルを書き出し直してください。',
  'ONNX Runtime could not load the model: {}.': 'ONNX Runtimeがモデルを読み込めませんでした：{0:ja}。',
  'This session was released and can no longer run.': 'このセッションは解放済みで、実行できません。',
  'Input "{}" was not given.': '入力「{0}」が渡されていません。',
  'Use a network with one image input.': '画像入力が1つのモデルを使ってください。',
  '"{}" is not an output of this session ({}).': '「{0}」はこのセッションの出力ではありません（{1}）。',
  'ONNX Runtime failed while running the model: {}.': 'ONNX Runtimeがモデルの実行に失敗しました：{0:ja}。',
  'Outputs can stay on the GPU only on WebGPU, not on {}.': '出力をGPUに残せるのはWebGPUだけで、{0}では残せません。',
  'This engine was disposed and can no longer load models.': 'このエンジンは破棄済みで、モデルを読み込めません。',
  'Reload the page.': 'ページを再読み込みしてください。',
  'Output "{}" is {} on {}: only float32 values can stay on the GPU.': '出力「{0}」は{2}上の{1}です。GPUに残せるのはfloat32だけです。',
  // runtime/parity.ts
  'A parity check needs at least one input.': 'パリティ検査には入力が1つ以上必要です。',
  // runtime/agreement.ts
  'Give images.': '画像を指定してください。',
  // runtime/taps.ts
  '"{}" is not a value that this network computes.': '「{0}」はこのモデルが計算する値ではありません。',
  // runtime/tensors.ts
  'Input "{}" has type {}, which ONNX Runtime can\'t be fed with.': '入力「{0}」の{1}型は、ONNX Runtimeに渡せません。',
  'Export the model with a float32 or uint8 input.': '入力をfloat32かuint8にしてモデルを書き出してください。',
  'Input "{}" is {} but its data is a {}.': '入力「{0}」は{1}型ですが、データは{2}です。',
  'Input "{}" has {} values, its shape [{}] needs {}.': '入力「{0}」の値は{1}個ですが、形状[{2}]には{3}個必要です。',
  'Use the size of image that the network was exported for.': 'モデルを書き出したときの画像サイズを使ってください。',
  'Output "{}" has type {}, which the studio can\'t read.': '出力「{0}」の{1}型は読み取れません。',
  'Export the model with float32 outputs.': '出力をfloat32にしてモデルを書き出してください。',
  // runtime/wasm-file.ts
  'Serve the built site with all its files, under any path, and reload.':
    'ビルドしたサイトをすべてのファイルごと配置し、再読み込みしてください（パスは任意）。',
  'The runtime file {} {}.': 'ランタイムのファイル {0} を使えません：{1:ja}。',
  'could not be reached': 'サーバーに接続できません',
  'is missing: the server answered {}': 'ファイルがありません（サーバーの応答：{0}）',
  'is not WebAssembly: the server sent {}': 'WebAssemblyではありません（サーバーの応答：{0:ja}）',
  'no content type': 'Content-Typeなし',
  '{} is not a number of threads.': '{0}はスレッド数として無効です。',
  'Give a whole number from 1.': '1以上の整数を指定してください。',
  '1 thread: page is not cross-origin isolated': '1スレッド：ページがクロスオリジン分離されていません',
  '{} of {} threads: this machine has {} cores': '{1}スレッド中{0}スレッド：このマシンは{2}コアです',
  // runtime/web-gpu.ts
  'The single file has WebGPU only for browsers that can suspend WebAssembly.':
    '単一ファイル版のWebGPUは、WebAssemblyの中断（JSPI）に対応したブラウザーでのみ使えます。',
  'Use a newer browser.': '新しいブラウザーを使ってください。',
  'onnxruntime-web {} (webgpu)': 'onnxruntime-web {0}（WebGPU）',
  'Input "{}"': '入力「{0}」',
  'The GPU device was lost ({}).': 'GPUデバイスが失われました（{0}）。',
  'The GPU reported an error: {}.': 'GPUがエラーを報告しました：{0}。',
  'The work goes on on WASM.': '処理はWASMで続けます。',
  // runtime/web-wasm.ts
  'onnxruntime-web {} (wasm, {} thread{})': 'onnxruntime-web {0}（WASM、{1}スレッド）',
  // runtime/web.ts
  'This browser offers no WebGPU: everything runs on WASM.': 'このブラウザーではWebGPUを使えないため、すべてWASMで実行します。',
  'The only GPU is emulated in software ({}): WASM is faster.': 'GPUがソフトウェアエミュレーション（{0}）のため、WASMのほうが高速です。',
  'WebGPU could not be used: {}': 'WebGPUを使えませんでした：{0:ja}',
  // runtime/ort-engine.ts
  'Choose WASM as the engine.': 'エンジンにWASMを選んでください。',
  // runtime/taps.ts
  'Open the model again.': 'モデルを開き直してください。',
  // workers/engines.ts
  'WebGPU differs from WASM by {} % on this network: WASM is used.': 'このモデルではWebGPUの結果がWASMと{0} %異なるため、WASMを使います。',
  'WebGPU failed on this network ({}): WASM is used.': 'このモデルではWebGPUが失敗したため（{0:ja}）、WASMを使います。',
  // workers/grow.ts
  Growing: '学習中',
};
