import type { preview as en } from '../en/preview';
import type { Translation } from '../types';

export const preview: Translation<typeof en> = {
  preview: {
    title: '検出結果',
    mode: '表示',
    modes: { original: '元のモデル', compressed: '圧縮後', split: '分割', side: '左右に並べる' },
    source: '入力元',
    sources: { scenes: 'シーン', images: '画像', webcam: 'カメラ' },
    threshold: 'スコア ≥',
    divider: '元のモデルと圧縮後の境界',
    next: '次の画像',
    previous: '前の画像',
    pause: '一時停止',
    play: '再生',
    found_other: '検出{{count, number}}件',
    waiting: '検出器を起動中…',
    generic: '対応する検出器ではありません。枝刈りと量子化はでき、出力のSQNRで評価します。',
    detail: '前処理 {{preprocess}}、推論 {{inference}}、デコード {{decode}}',
    fps: '{{n}} FPS',
    noImages: '画像がありません。フォルダーを開くか、シーンを表示してください。',
    useScenes: 'シーンを表示',
    capture: 'このフレームをキャリブレーションに追加',
    captured_other: 'カメラのフレームを{{count, number}}枚保存しました。次の実行のキャリブレーションに使います。',
    cameraFrames: 'カメラのフレーム',
    preprocess: '入力',
    camera: {
      insecure: 'カメラには安全な接続が必要です。httpsかlocalhostで開いてください。',
      denied: 'カメラの使用が拒否されました。ブラウザーのアドレスバーで許可して、もう一度お試しください。',
      missing: 'カメラが見つかりません。接続して、もう一度お試しください。',
      busy: 'カメラは他のプログラムが使用中です。そのプログラムを閉じて、もう一度お試しください。',
      unplugged: 'カメラが取り外されました。',
      retry: '再試行',
    },
  },
};
