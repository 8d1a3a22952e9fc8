import type { compare as en } from '../en/compare';
import type { Translation } from '../types';

export const compare: Translation<typeof en> = {
  compare: {
    title: '2つの実行結果の比較',
    pick: '{{name}}を比較',
    column: '比較',
    hint: '実行結果を2つ選ぶと比較できます。',
    close: '比較を閉じる',
    figures: '両方の数値',
    run: '実行結果',
    layers: 'レイヤー（SQNRの変化が大きい順）',
    noLayers: 'どちらも量子化の前で終わっているため、レイヤーごとの測定がありません。',
    change: 'B − A',
    detections: '最初の画像の検出（スコア ≥ {{score}}）',
    image: '画像',
    class: 'クラス',
    outcome: '結果',
    both: '両方',
    lost: 'Aのみ',
    new: 'Bのみ',
  },
};
