import type { PreviewFrame } from '../../../workers/wire';
import type { LayersEvent } from '../../pipeline';

/** Each picture stays so long: they are computed faster than anyone can look. */
const SHOWN_MS = 220;

export interface LiveFrame extends Omit<PreviewFrame, 'a' | 'b'> {
  /** Of the float network. */
  readonly a: Pick<LayersEvent, 'detections'>;
  /** Of the network so far. */
  readonly b: LayersEvent;
}

/** What quantizing does to one image, shown while the job does it. */
export class LiveState {
  frame = $state.raw<LiveFrame | null>(null);
  #pictureOf: (image: number) => Promise<ImageBitmap | null> = async () => null;
  #queue: LayersEvent[] = [];
  #float: Pick<LayersEvent, 'detections'> = { detections: [] };
  #picture: { readonly image: number; readonly bitmap: ImageBitmap } | null = null;
  /** Counts jobs: what an earlier one left on its way is dropped. */
  #job = 0;
  #showing = false;

  /** @param pictureOf the job's images */
  begin(pictureOf: (image: number) => Promise<ImageBitmap | null>): void {
    this.end();
    this.#pictureOf = pictureOf;
  }

  take(event: LayersEvent): void {
    this.#queue.push(event);
    if (!this.#showing) void this.#show(this.#job);
  }

  /** The job is over: nothing more is shown. */
  end(): void {
    this.#job++;
    this.#showing = false;
    this.#queue = [];
    this.frame = null;
    this.#picture?.bitmap.close();
    this.#picture = null;
  }

  async #show(job: number): Promise<void> {
    this.#showing = true;
    while (job === this.#job && this.#queue.length > 0) {
      const event = this.#queue.shift()!;
      const bitmap = await this.#bitmapOf(event.image, job);
      if (!bitmap || job !== this.#job) continue;
      if (event.quantized === 0) this.#float = event;
      this.frame = { bitmap, width: bitmap.width, height: bitmap.height, a: this.#float, b: event };
      await new Promise((resolve) => setTimeout(resolve, SHOWN_MS));
    }
    if (job === this.#job) this.#showing = false;
  }

  /** null where the image can't be shown any more. */
  async #bitmapOf(image: number, job: number): Promise<ImageBitmap | null> {
    if (this.#picture?.image === image) return this.#picture.bitmap;
    const bitmap = await this.#pictureOf(image).catch(() => null);
    if (!bitmap) return null;
    if (job !== this.#job) {
      bitmap.close();
      return null;
    }
    this.#picture?.bitmap.close();
    this.#picture = { image, bitmap };
    return bitmap;
  }
}
