import type { PreviewFrame } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import { t } from '../text';
import { compose, composedSize } from './compose';

const TYPES = ['video/webm;codecs=vp9', 'video/webm;codecs=vp8', 'video/webm'];
const BITS_PER_SECOND = 6_000_000;

const words = () => ({ original: t('preview.modes.original'), compressed: t('preview.modes.compressed') });

/** A clip (WebM) of both networks side by side; its size is that of the first frame. */
export class Recorder {
  readonly #canvas = document.createElement('canvas');
  readonly #recorder: MediaRecorder;
  readonly #pieces: Blob[] = [];

  /** @throws StudioError 'unsupported' where the browser records no WebM */
  constructor(first: PreviewFrame) {
    const type = typeof MediaRecorder === 'undefined' ? undefined : TYPES.find((each) => MediaRecorder.isTypeSupported(each));
    if (!type) throw new StudioError('unsupported', t('preview.noRecorder'), t('preview.noRecorderHint'));
    Object.assign(this.#canvas, composedSize(first));
    this.#recorder = new MediaRecorder(this.#canvas.captureStream(), { mimeType: type, videoBitsPerSecond: BITS_PER_SECOND });
    this.#recorder.addEventListener('dataavailable', ({ data }) => this.#pieces.push(data));
    this.#recorder.start(1000);
  }

  add(frame: PreviewFrame, classNames: readonly string[]): void {
    compose(this.#canvas.getContext('2d')!, frame, classNames, words());
  }

  end(): Promise<Blob> {
    return new Promise((resolve) => {
      this.#recorder.addEventListener('stop', () => resolve(new Blob(this.#pieces, { type: 'video/webm' })), { once: true });
      this.#recorder.stop();
      for (const track of this.#recorder.stream.getTracks()) track.stop();
    });
  }
}

/** The frame on show, with both networks' boxes, as PNG. */
export function snapshot(frame: PreviewFrame, classNames: readonly string[]): Promise<Blob> {
  const { width, height } = composedSize(frame);
  const canvas = new OffscreenCanvas(width, height);
  compose(canvas.getContext('2d')!, frame, classNames, words());
  return canvas.convertToBlob({ type: 'image/png' });
}
