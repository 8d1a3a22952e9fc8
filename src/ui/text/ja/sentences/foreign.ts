/** Japanese for what others say in English: ONNX Runtime, decoders, browsers, and the list of embedded detectors. */
import type { Templates } from '../../sentences';

export const foreign: Templates = {
  // ONNX Runtime
  'Fatal error: {} is not a registered function/op': '演算子{0}はONNX Runtimeに登録されていません',
  "Could not find an implementation for {} node with name '{}'": '{0}（ノード「{1}」）の実装がONNX Runtimeにありません',
  'No graph was found in the protobuf': 'ファイルにグラフがありません',
  'std::bad_alloc': 'メモリーが足りません',
  // Decoders
  'Premature end of JPEG file': 'JPEGデータが途中で終わっています',
  'Corrupt JPEG data: premature end of data segment': 'JPEGデータが途中で欠けています',
  // Browsers
  'Failed to fetch': 'サーバーに接続できませんでした',
  'Array buffer allocation failed': 'メモリーを確保できませんでした',
  'Unexpected end of JSON input': '途中で終わっています',
  'Unexpected token {}, {} is not valid JSON': '予期しない文字 {0}',
  'Expected {} in JSON at position {}': '{1}文字目：{0:ja}がありません',
  'Expected {} in JSON at position {} (line {} column {})': '{2}行{3}列：{0:ja}がありません',
  "property name or '}'": 'プロパティ名か「}」',
  'double-quoted property name': '二重引用符で囲んだプロパティ名',
  "',' or '}' after property value": '値の後の「,」か「}」',
  "',' or ']' after array element": '要素の後の「,」か「]」',
  "':' after property name": 'プロパティ名の後の「:」',
  'Unexpected non-whitespace character after JSON at position {}': '{0}文字目：JSONの後に余分な文字があります',
  'Unexpected non-whitespace character after JSON at position {} (line {} column {})': '{1}行{2}列：JSONの後に余分な文字があります',
  'Unterminated string in JSON at position {}': '{0}文字目：文字列が閉じられていません',
  'Unterminated string in JSON at position {} (line {} column {})': '{1}行{2}列：文字列が閉じられていません',
  // Embedded detectors
  Scenes: 'シーン',
  'depthwise (like YOLOX-Nano)': 'depthwise（YOLOX-Nano相当）',
  'dense (like YOLOX-Tiny)': '通常の畳み込み（YOLOX-Tiny相当）',
};
