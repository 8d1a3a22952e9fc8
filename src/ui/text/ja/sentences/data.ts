/** Japanese for what images, annotations and stored things say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const data: Templates = {
  // data/coco.ts
  '{} has {} MB, at most {} can be read.': '{0} は{1} MBあります。読み込めるのは{2} MBまでです。',
  'Split it, or leave the masks out.': '分割するか、マスクを除いてください。',
  'The annotation file has no list "{}".': 'アノテーションファイルに配列「{0}」がありません。',
  'Use a COCO instances.json: "images", "annotations", "categories".':
    'COCO形式のinstances.json（"images"、"annotations"、"categories"）を使ってください。',
  'Category {} of the annotation file has no numeric id.': 'アノテーションファイルのカテゴリー{0}に数値のidがありません。',
  'Give it an "id" and a "name".': '"id"と"name"を付けてください。',
  'Two categories of the annotation file have the id {}.': 'アノテーションファイルに、idが{0}のカテゴリーが2つあります。',
  'Give each its own.': '別々のidにしてください。',
  '{} outside the image in part or whole: boxes are x, y, width, height in pixels.':
    '{0:n}個のボックスが画像からはみ出しています。ボックスはx、y、幅、高さをピクセルで指定します。',
  'All boxes lie between 0 and 1: they seem to be relative, COCO wants pixels.':
    'すべてのボックスが0〜1の範囲にあります。相対座標のようですが、COCO形式ではピクセルで指定します。',
  'The annotation file is not a JSON object.': 'アノテーションファイルがJSONオブジェクトではありません。',
  'Use a COCO instances.json.': 'COCO形式のinstances.jsonを使ってください。',
  '(it lists {})': '（記載されているのは {0} など）',
  'The annotations are of other images: none of its {} is in {}{}.':
    'アノテーションが別の画像のものです。記載された{0:n}枚のうち、{1} にある画像は1枚もありません{2:ja}。',
  'Choose the folder that belongs to this annotation file.': 'このアノテーションファイルに対応するフォルダーを選んでください。',
  '{} with annotations not found and left out: {}{}.': 'アノテーションのある画像{0:n}枚が見つからず、除外しました：{1}{2}。',
  '{} without a valid box left out.': '有効なボックスのないアノテーション{0:n}件を除外しました。',
  "{} of a category that the file doesn't list left out.": 'ファイルに定義のないカテゴリーのアノテーション{0:n}件を除外しました。',
  "Annotations of {} that the file doesn't list left out.": 'ファイルに記載のない画像{0:n}枚のアノテーションを除外しました。',
  // data/decode.ts
  'The image decoders were not initialised.': '画像デコーダーが初期化されていません。',
  'Import data/node or data/web first.': '先にdata/nodeかdata/webを読み込んでください。',
  '{} is damaged ({}).': '{0} は壊れています（{1:ja}）。',
  'cut off or corrupted {}': '{0}データの欠落または破損',
  '{} is {} × {} pixels, its annotations are for {} × {}.': '{0} は{1} × {2}ピクセルですが、アノテーションは{3} × {4}ピクセル用です。',
  'It is left out; use the images that the annotations were made for.':
    'この画像は除外されます。アノテーションを付けた元の画像を使ってください。',
  // data/header.ts
  'a GIF': 'GIF画像',
  'a BMP': 'BMP画像',
  'a WebP image': 'WebP画像',
  'a HEIC or AVIF image': 'HEICまたはAVIF画像',
  'a TIFF': 'TIFF画像',
  'an HTML page': 'HTMLページ',
  'a Git-LFS pointer': 'Git-LFSのポインター',
  // data/decode.ts
  'It is left out; replace the file to use it.': 'この画像は除外されます。使うにはファイルを差し替えてください。',
  // data/header.ts
  '{} is a damaged JPEG (no marker at byte {}).': '{0} は壊れたJPEGです（バイト位置{1}にマーカーがありません）。',
  '{} is a JPEG that is cut off before its size.': '{0} は途中で切れたJPEGです（サイズの情報がありません）。',
  '{} is a PNG that is cut off before its size.': '{0} は途中で切れたPNGです（サイズの情報がありません）。',
  '{} is empty (0 bytes).': '{0} は空です（0バイト）。',
  '{} is {}, not a JPEG or PNG.': '{0} はJPEGでもPNGでもなく、{1:ja}です。',
  '{} is not a JPEG or PNG.': '{0} はJPEGでもPNGでもありません。',
  'Convert it to JPEG or PNG.': 'JPEGかPNGに変換してください。',
  '{} has no pixels ({} × {}).': '{0} には画素がありません（{1} × {2}）。',
  '{} is too large ({} × {} pixels{}).': '{0} は大きすぎます（{1} × {2}ピクセル{3:ja}）。',
  'of CMYK': '、CMYK',
  'At most {} megapixels are read; scale it down{}.': '読み込めるのは{0}メガピクセルまでです。縮小してください{1:ja}。',
  'or convert it to RGB': '（RGBへの変換でも可）',
  '{} is cut off: {} × {} pixels in {} bytes.': '{0} は途中で切れています：{1} × {2}ピクセルに対して{3}バイトしかありません。',
  // data/scenes/draw.ts
  'Scenes {}–{}': 'シーン{0}–{1}',
  'There are {} scenes; there is no index {}.': 'シーンは{0}個です。番号{1}はありません。',
  // data/sets.ts
  'There are no images in {}.': '{0} に画像がありません。',
  'Choose a folder with JPEG or PNG files.': 'JPEGかPNGの入ったフォルダーを選んでください。',
  '{} has {} images; there is no index {}.': '{0} の画像は{1}枚です。番号{2}はありません。',
  'There are {} images; there is no index {}.': '画像は{0}枚です。番号{1}はありません。',
  // data/web.ts
  'The image decoder {} could not be loaded.': '画像デコーダー {0} を読み込めませんでした。',
  'Serve the whole site, .wasm files included.': '.wasmファイルを含め、サイト全体を配置してください。',
  '{} has {} annotation files ({}).': '{0} にアノテーションファイルが{1}個あります（{2}）。',
  'Drop one of them with its images.': 'そのうち1つを画像と一緒にドロップしてください。',
  '{} is not valid JSON ({}).': '{0} は正しいJSONではありません（{1:ja}）。',
  'Export the annotations again.': 'アノテーションをもう一度書き出してください。',
  // store/fallback.ts
  'The database was closed by the browser or by another tab.': 'データベースがブラウザーか別のタブによって閉じられました。',
  // store/manage.ts
  'It is no longer kept.': '保存されていません。',
  'Another tab may have deleted it.': '別のタブで削除された可能性があります。',
  'A name needs at least one character.': '名前には1文字以上が必要です。',
  'Type another one.': '別の名前を入力してください。',
  // store/portable.ts
  'The workspace file is damaged: {}.': 'ワークスペースファイルが壊れています：{0:ja}。',
  "A {} can't be exported.": '{0}は書き出せません。',
  'it has values nested more than {} deep': '値の入れ子が{0}段を超えています',
  'a part has no number': '番号のないパートがあります',
  'a list is missing': 'リストがありません',
  'a pair is incomplete': '対になる値が欠けています',
  'a number is none': '数値が無効です',
  'a date is none': '日付が無効です',
  'a key is no text': 'キーが文字列ではありません',
  '"{}" is no array': '「{0}」は配列ではありません',
  'an array has no kind': '配列の種類がありません',
  'an array is cut': '配列が途中で切れています',
  'it has a value of kind "{}"': '種類「{0}」の値があります',
  'it has a value without a kind': '種類のない値があります',
  // store/workspace.ts
  'This is not a workspace of Bonsai Studio.': 'Bonsai Studioのワークスペースではありません。',
  'Choose a .bonsai file that “Export workspace” wrote.': '「ワークスペースを書き出す」で作成した.bonsaiファイルを選んでください。',
  'This workspace was written by a newer Bonsai Studio.': 'このワークスペースは、より新しいBonsai Studioで作成されています。',
  'Open it there, or update this page.': '作成した環境で開くか、このページを更新してください。',
  'The workspace file is damaged: its end is missing.': 'ワークスペースファイルが壊れています：末尾がありません。',
  'The workspace file is damaged: its index can’t be read.': 'ワークスペースファイルが壊れています：索引を読み込めません。',
  'The workspace file is damaged: its index is incomplete.': 'ワークスペースファイルが壊れています：索引が不完全です。',
  'The workspace file is damaged: a part is missing.': 'ワークスペースファイルが壊れています：パートが欠けています。',
  'Copy or export it again.': 'もう一度コピーするか、書き出し直してください。',
  'The workspace file is damaged: a record has another form than it says.':
    'ワークスペースファイルが壊れています：記録の形式が一致しません。',
  // store/portable.ts
  'Export it again where it was made.': '作成した環境で書き出し直してください。',
  // store/folders.ts
  '{} is no longer where it was.': '{0} が元の場所にありません。',
  'Open its folder again from where it is now.': '現在の場所からフォルダーを開き直してください。',
};
