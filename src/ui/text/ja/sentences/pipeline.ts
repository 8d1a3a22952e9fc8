/** Japanese for what recipes and runs say; see ../../sentences.ts. */
import type { Templates } from '../../sentences';

export const pipeline: Templates = {
  // pipeline/agreement.ts
  '{}, level {}': '{0}（レベル{1}）',
  'Comparing engines': 'エンジンを比較中',
  '{} could not run it ({})': '{0:ja}では実行できませんでした（{1:ja}）',
  '{} is equal in every layer': '{0:ja}は全レイヤーで一致',
  '{} differs in {} of the values, by {} step{} at most': '{0:ja}は値の{1}が異なり、差は最大{2}ステップ',
  'Engines compared with {}, each layer on the same inputs: {}.': '{0:ja}を基準に、各レイヤーを同じ入力で比較：{1:ja}。',
  // pipeline/analyze.ts
  'There is no image {} in {}.': '{1} に画像{0}はありません。',
  'It has the images 0 to {}.': '画像は0〜{0}です。',
  '{} is no detector that the studio knows, so it has no boxes to follow.':
    '{0} は既知の検出器ではないため、追跡できるボックスがありません。',
  'The analysis of its layers works.': 'レイヤーの分析は使えます。',
  // pipeline/compress.ts
  'Pruned {} % of the MACs in {} steps.': 'MACsを{0} %枝刈りしました（{1}回）。',
  'Recovery after −{} % MACs': 'MACs −{0} %の後の回復学習',
  Training: '学習',
  // pipeline/evaluate.ts
  'as given': 'そのまま',
  // pipeline/journal.ts
  'A journal takes one call at a time.': 'ジャーナルの呼び出しは1つずつです。',
  // pipeline/recipe.ts
  '{} has no "{}".': '{0:ja}に「{1}」という項目はありません。',
  'Step {} of the recipe is {}.': 'レシピのステップ{0}が{1}になっています。',
  'Steps are: {}.': '使えるステップ：{0}。',
  'The options of the recipe\'s step "{}" are not an object.': 'レシピのステップ「{0}」のoptionsがオブジェクトではありません。',
  'Write them as {"key": value}.': '{"key": value}の形で書いてください。',
  '"enabled" of the recipe\'s step "{}" is {}.': 'レシピのステップ「{0}」の"enabled"が{1}になっています。',
  'The recipe\'s step "{}"': 'レシピのステップ「{0}」',
  'The recipe is not a JSON object.': 'レシピがJSONオブジェクトではありません。',
  'Export one from the studio, or start from a preset.': '本ツールから書き出すか、プリセットから始めてください。',
  "The recipe's version is {}.": 'レシピのバージョンが{0}です。',
  'This studio reads recipes with "bonsai": 1.': '本ツールが読めるのは"bonsai": 1のレシピです。',
  'The recipe': 'レシピ',
  'The recipe has no list of steps.': 'レシピにstepsの配列がありません。',
  'Give it "steps": [{"step": "quantize", …}].': '"steps": [{"step": "quantize", …}]のように書いてください。',
  'The recipe has the step "{}" twice.': 'レシピにステップ「{0}」が2つあります。',
  'Keep one of them.': 'どちらか1つにしてください。',
  "The recipe's seed is {}.": 'レシピのseedが{0}になっています。',
  'It must be a whole number.': '整数にしてください。',
  'The recipe\'s "{}" is not text.': 'レシピの「{0}」が文字列ではありません。',
  'Write it in quotes.': '引用符で囲んでください。',
  // pipeline/run.ts
  pruned: '枝刈り後',
  trained: '学習後',
  'pruned, INT8': '枝刈り後、INT8',
  'one weight scale a layer': '重みスケール：レイヤーごと',
  'one weight scale a channel': '重みスケール：チャネルごと',
  'Switch 16 bit off in the quantize step, or choose another device.':
    '「量子化」ステップの16ビットをオフにするか、別のデバイスを選んでください。',
  'and {} other{}': 'ほか{0}件',
  '{}, "{}"{}, {}: {}': '{0}「{1}」{2:ja}、{3:ja}：{4:ja}',
  "{}'s documents don't say whether weights have one scale a channel or one a layer, so both were evaluated":
    '{0}の資料には重みスケールがチャネルごとかレイヤーごとか記載がないため、両方を評価しました',
  'with {} it is {}{}': '{0:ja}では{1}{2}です',
  '{}{} is the worse one': '低いほうは{0}{1}です',
  '{}: {}. Expect no more than that until the compiled file has been measured.':
    '{0:ja}：{1:ja}。コンパイルしたファイルで測定するまでは、この値を見込んでください。',
  // pipeline/search.ts
  'The time of the search is over.': '探索の制限時間に達しました。',
  'Give it more time to try more recipes.': 'より多くのレシピを試すには、時間を延ばしてください。',
  // pipeline/run.ts
  'INT8, simulated': 'INT8、シミュレーション',
  // pipeline/search.ts
  'The float network finds nothing in the images that recipes would be scored on.':
    'レシピの評価に使う画像から、floatモデルが何も検出しません。',
  'Give images that show what it detects, or labelled ones.': '検出対象の写った画像か、ラベル付きの画像を指定してください。',
  'A search needs at least 4 images; {} has {}.': '探索には画像が4枚以上必要です。{0} は{1}枚です。',
  'Searching: recipe {} keeps {}': '探索中：レシピ{0}のmAP維持率 {1}',
  // pipeline/recipe.ts
  'It must be true or false.': 'trueかfalseにしてください。',
  'It must name values with a low end ≤ 0 and a high end ≥ 0 each, as {"/conv/out": [-0.5, 6]}.':
    '{"/conv/out": [-0.5, 6]}のように、値の名前ごとに下端（0以下）と上端（0以上）を指定してください。',
  // pipeline/run.ts
  layers: '層',
  // pipeline/search.ts
  'Add images.': '画像を追加してください。',
};
