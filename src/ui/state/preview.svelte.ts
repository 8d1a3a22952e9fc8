import type { EngineChoice, FrameRequest, ImageSource, ImagesInfo, PreviewFrame, PreviewInfo, PreviewModel } from '../../../workers/wire';
import { StudioError } from '../../numerics';
import { PreviewWorker } from '../bridge';
import { type Camera, cameraError, openCamera } from './camera';

export type SourceName = 'scenes' | 'images' | 'camera';
/** How long a scene or picture stays when playing. */
const STILL_MS = 1600;
/** First scene shown: held out from training, like all above half a million. */
export const FIRST_SCENE = 500_000;

/** The picture in sight, and what both networks find in it. */
export class Preview {
  readonly worker = new PreviewWorker();
  original = $state.raw<PreviewInfo | null>(null);
  compressed = $state.raw<PreviewInfo | null>(null);
  frame = $state.raw<PreviewFrame | null>(null);
  images = $state.raw<ImagesInfo | null>(null);
  source = $state<SourceName>('scenes');
  playing = $state(true);
  threshold = $state(0.3);
  layout = $state<'split' | 'side'>('split');
  /** Pictures a second, smoothed. */
  fps = $state(0);
  position = $state(0);
  #camera: Camera | null = null;
  #loops = 0;
  #original: PreviewModel | null = null;
  #compressed: PreviewModel | null = null;
  #images: ImageSource | null = null;
  #choice: EngineChoice = 'auto';
  /** Pictures that could not be decoded. */
  #bad = new Set<number>();

  constructor(private readonly fail: (error: unknown) => void) {
    this.worker.line.onLost = () => void this.#restart();
  }

  async #restart(): Promise<void> {
    try {
      if (this.#images) await this.worker.setImages(this.#images);
      if (this.#original) this.original = await this.worker.setOriginal(this.#original, this.#choice);
      if (this.#compressed) this.compressed = await this.worker.setCompressed(this.#compressed, this.#choice);
    } catch (error) {
      this.fail(error);
    }
  }

  async setOriginal(model: PreviewModel, choice: EngineChoice): Promise<void> {
    const info = await this.worker.setOriginal(model, choice);
    [this.#original, this.#compressed, this.#choice] = [model, null, choice];
    [this.original, this.compressed] = [info, null];
    this.#start();
  }

  async setCompressed(model: PreviewModel | null, choice: EngineChoice): Promise<void> {
    const info = await this.worker.setCompressed(model, choice);
    this.#compressed = model;
    this.compressed = info;
    this.refresh();
  }

  /** @throws StudioError 'bad-data' with the sentence; the source stays as it was */
  async setImages(source: ImageSource): Promise<ImagesInfo> {
    const info = await this.worker.setImages(source);
    this.#images = source;
    this.#bad.clear();
    this.images = info;
    this.position = 0;
    await this.show('images');
    return info;
  }

  advise() {
    return this.worker.advise();
  }

  /** Changes the source; a camera that can't be had is told and the scenes go on. */
  async show(source: SourceName): Promise<void> {
    this.#camera?.stop();
    this.#camera = null;
    if (source === 'camera') {
      try {
        this.#camera = await openCamera(() => {
          this.fail(cameraError('unplugged'));
          void this.show('scenes');
        });
      } catch (error) {
        this.fail(error);
        await this.show('scenes');
        return;
      }
    }
    this.source = source;
    this.position = 0;
    this.playing = true;
    this.#start();
  }

  step(by: number): void {
    this.playing = false;
    const count = this.source === 'images' ? (this.images?.fileNames.length ?? 1) : 10_000;
    this.position = (this.position + by + count) % count;
    this.#start();
  }

  toggle(): void {
    this.playing = !this.playing;
    if (this.playing) this.#start();
  }

  /** Computes the picture in sight again. */
  refresh(): void {
    if (!this.playing) this.#start();
  }

  #start(): void {
    if (this.original) void this.#loop(++this.#loops);
  }

  async #request(): Promise<FrameRequest> {
    if (this.#camera) return { bitmap: await this.#camera.grab() };
    return this.source === 'images' ? { image: this.position } : { scene: FIRST_SCENE + this.position };
  }

  async #loop(mine: number): Promise<void> {
    let last = performance.now();
    while (mine === this.#loops) {
      const frame = await this.#next();
      if (mine !== this.#loops) return frame?.bitmap.close();
      if (frame) {
        this.frame?.bitmap.close();
        this.frame = frame;
      }
      const now = performance.now();
      this.fps = this.fps * 0.8 + (1000 / Math.max(1, now - last)) * 0.2;
      last = now;
      if (!this.playing) return;
      if (document.hidden || this.source !== 'camera') await new Promise((resolve) => setTimeout(resolve, STILL_MS));
      else await new Promise(requestAnimationFrame);
      if (mine !== this.#loops || !this.playing) return;
      if (this.source !== 'camera') {
        const count = this.source === 'images' ? (this.images?.fileNames.length ?? 1) : 10_000;
        this.position = (this.position + 1) % count;
        last = performance.now();
      }
    }
  }

  async #next(): Promise<PreviewFrame | null> {
    try {
      return await this.worker.frame(await this.#request(), this.threshold);
    } catch (error) {
      const damaged = error instanceof StudioError && error.code === 'bad-data';
      if (damaged && this.#bad.has(this.position)) return null;
      this.#bad.add(this.position);
      this.fail(error);
      if (!damaged) await new Promise((resolve) => setTimeout(resolve, STILL_MS));
      return null;
    }
  }
}
