/** Japanese for what detectors and numbers say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const models: Templates = {
  // models/build/detector.ts
  '{}×{} is no size for this detector.': '{0}×{1}はこの検出器で使えないサイズです。',
  'Width and height must be multiples of 32.': '幅と高さは32の倍数にしてください。',
  // models/download.ts
  'Save the release file by hand, and drop it in.': 'リリースのファイルを保存し、ドロップしてください。',
  'Try again, or save the release file by hand and drop it in.': 'もう一度試すか、リリースのファイルを保存してドロップしてください。',
  "{} can't be fetched without a network.": 'ネットワークに接続されていないため、{0} をダウンロードできません。',
  'Connect to one, or drop the file in from disk.': '接続するか、ファイルをドロップしてください。',
  '{} could not be fetched from {}: {}.': '{1} から {0} をダウンロードできませんでした：{2:ja}。',
  'it can’t be reached, or the browser, the host or a network in between refuses':
    '接続できないか、ブラウザー・相手のサーバー・途中のネットワークのいずれかが拒否しています',
  '{} answered with status {} in place of {}.': '{0} からは {2} の代わりにステータス {1} が返されました。',
  '{} of {} bytes': '{1}バイト中{0}バイト',
  'The download of {} broke off after {}.': '{0} のダウンロードが途中で切れました（{1:ja}）。',
  'What {} sent is not the file that the catalog lists as {} ({}): nothing was kept.':
    '{0} から届いたファイルは、カタログの {1} と一致しません（{2:ja}）。何も保存していません。',
  'more than {} bytes': '{0}バイトより大きい',
  '{} bytes in place of {}': '{1}バイトのはずが{0}バイト',
  'another SHA-256': 'SHA-256の不一致',
  'The catalog lists no "{}".': 'カタログに「{0}」はありません。',
  'Choose one that it lists.': 'カタログにあるものを選んでください。',
  // models/collect.ts
  'The network gave no output "{}".': 'モデルから出力「{0}」が得られませんでした。',
  'It gave: {}.': '得られた出力：{0}。',
  'Output "{}" holds 64-bit integers, not detections.': '出力「{0}」は64ビット整数で、検出結果ではありません。',
  'Open it as a generic network.': '一般のモデルとして開いてください。',
  'Output "{}" has {} values ({}), {} were expected.': '出力「{0}」の値は{1}個（{2}）ですが、{3}個が必要です。',
  'Run it with one image of the size that its preprocessing says.': '前処理で指定したサイズの画像1枚で実行してください。',
  // models/presets.ts
  'ImageNet mean/std': 'ImageNetの平均／標準偏差',
  'letterbox, image top-left': 'レターボックス、画像は左上',
  'letterbox, image centred': 'レターボックス、画像は中央',
  stretched: '引き伸ばし',
  '{}, mean {}, std {}, {}': '{0}、平均 {1}、標準偏差 {2}、{3:ja}',
  'Its size is open: {} is used (a multiple of 32).': 'サイズが可変なため、{0}（32の倍数）を使います。',
  "Preprocessing can't be read from the file: {}, 0–1, stretched is assumed.{}":
    '前処理がファイルに記録されていないため、{0:ja}、0–1、引き伸ばしと仮定します。{1:ja}',
  // models/probe.ts
  'the assumed preprocessing ({})': '仮定した前処理（{0:ja}）',
  'No detection scores above {} with {}; the best has {}': '{1:ja}では、スコア{0}を超える検出がありません（最高{2}）',
  "With {} detections don't repeat when the image is mirrored": '{0:ja}では、画像を左右反転すると同じ物体が検出されません',
  '{}, nor does any other preset help: do the images show what the network detects?':
    '{0:ja}。他のプリセットでも改善しません。検出対象が画像に写っているか確認してください。',
  'finds {} objects in {} image{}': '{1}枚の画像から{0}個の物体を検出します',
  '{}. "{}" {} (best score {}).': '{0:ja}。「{1:ja}」なら{2:ja}（最高スコア{3}）。',
  // numerics/errors.ts
  'Try again; if it comes back, please report it with the model.':
    'もう一度試してください。再発する場合は、モデルを添えて報告してください。',
  'Cancelled.': '中止しました。',
  'Start it again to go on.': '続けるには、もう一度開始してください。',
  // numerics/qparams.ts
  '[{}, {}] is not a range of values.': '[{0}, {1}]は値の範囲として無効です。',
  'Calibrate again on other images.': '別の画像でキャリブレーションし直してください。',
  'Axis {} does not exist in a tensor of shape [{}].': '形状[{1}]のテンソルに軸{0}はありません。',
  'A weight is NaN or infinite.': '重みにNaNか無限大があります。',
  '{} scales do not fit {} slices.': 'スケールが{0}個では、{1}個のスライスに対応しません。',
  // numerics/resize.ts
  "An image can't be resized to {}×{}.": '画像を{0}×{1}にリサイズできません。',
  'Width and height must be positive integers.': '幅と高さは正の整数にしてください。',
  // models/presets.ts
  gray: 'グレースケール',
  // models/names.ts
  // numerics/qparams.ts
  'Export the model again.': 'モデルを書き出し直してください。',
};
