import type { EngineChoice, FrameRequest, ImagesInfo, PreviewFrame, PreviewInfo, PreviewModel } from '../../../workers/wire';
import { PreviewWorker } from '../bridge';
import { type CameraTrouble, listCameras, openCamera, type Resolution } from '../preview/camera';
import { Recorder } from '../preview/recorder';
import type { Alerts } from './alerts.svelte';
import { LiveState } from './live.svelte';

export type Source = 'scenes' | 'images' | 'webcam';
export type Mode = 'split' | 'side' | 'original' | 'compressed';

/** First seed of the scenes on show: none of them was trained on. */
const FIRST_SCENE = 500_000;
const SCENES = 400;
const DWELL_MS = 1600;

/** What is on show: the source, the frame last computed, and how fast it goes. */
export class PreviewState {
  readonly #worker = new PreviewWorker();
  #run = 0;
  #stream: MediaStream | null = null;
  #video: HTMLVideoElement | null = null;
  #lastFrame = 0;

  source = $state<Source>('scenes');
  mode = $state<Mode>('original');
  threshold = $state(0.3);
  /** What a job shows of itself, in the frame's place. */
  readonly live = new LiveState();
  /** Share of the width that shows the original in split view. */
  divider = $state(0.5);
  playing = $state(!matchMedia('(prefers-reduced-motion: reduce)').matches);
  index = $state(0);
  frame = $state.raw<PreviewFrame | null>(null);
  fps = $state(0);
  original = $state.raw<PreviewInfo | null>(null);
  compressed = $state.raw<PreviewInfo | null>(null);
  images = $state.raw<ImagesInfo | null>(null);
  trouble = $state<CameraTrouble | null>(null);
  cameras = $state.raw<Awaited<ReturnType<typeof listCameras>>>([]);
  /** Id of the chosen camera; '' = the browser's choice. */
  camera = $state('');
  resolution = $state<Resolution>('640×480');
  /** Left and right exchanged, before either network sees the frame. */
  mirror = $state(false);
  /** The camera's last frame stands still. */
  frozen = $state(false);
  /** Milliseconds to take the last frame, and to draw it. */
  captureMs = $state(0);
  drawMs = $state(0);
  recording = $state(false);
  #recorder: Recorder | null = null;

  /** Called when the preview's worker was lost and the next one needs its networks again. */
  onLost: () => void = () => {};

  constructor(private readonly alerts: Alerts) {
    this.#worker.line.onLost = () => this.onLost();
  }

  get worker(): PreviewWorker {
    return this.#worker;
  }

  async open(model: PreviewModel, choice: EngineChoice): Promise<void> {
    this.compressed = null;
    this.mode = 'original';
    this.original = await this.#worker.setOriginal(model, choice);
    this.refresh();
  }

  async compare(model: PreviewModel | null, choice: EngineChoice): Promise<void> {
    this.compressed = await this.#worker.setCompressed(model, choice);
    this.mode = model ? 'split' : 'original';
    this.refresh();
  }

  async show(source: Source): Promise<void> {
    this.source = source;
    this.trouble = null;
    this.index = 0;
    this.#closeCamera();
    if (source === 'webcam') {
      this.frozen = false;
      const opened = await openCamera({ device: this.camera, resolution: this.resolution }, () => {
        this.trouble = 'unplugged';
        this.#closeCamera();
      });
      if ('trouble' in opened) {
        this.trouble = opened.trouble;
        return;
      }
      this.#stream = opened.stream;
      this.#video = opened.video;
      this.cameras = await listCameras();
    }
    this.refresh();
  }

  #closeCamera(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = this.#video = null;
  }

  /** Another camera, or another size of its pictures. */
  async useCamera(camera: string, resolution: Resolution): Promise<void> {
    this.camera = camera;
    this.resolution = resolution;
    if (this.source === 'webcam') await this.show('webcam');
  }

  freeze(on: boolean): void {
    this.frozen = on;
    this.refresh();
  }

  /** Begins a clip of both networks side by side, or ends it. @returns the clip when it ends */
  async record(on: boolean): Promise<Blob | null> {
    if (on && !this.#recorder && this.frame) {
      this.#recorder = new Recorder(this.frame);
      this.recording = true;
    } else if (!on && this.#recorder) {
      const recorder = this.#recorder;
      this.#recorder = null;
      this.recording = false;
      return recorder.end();
    }
    return null;
  }

  /** The frame on show as a PNG; null without one. */
  async still(): Promise<Blob | null> {
    const { frame } = this;
    if (!frame) return null;
    const canvas = new OffscreenCanvas(frame.width, frame.height);
    canvas.getContext('2d')!.drawImage(frame.bitmap, 0, 0);
    return canvas.convertToBlob({ type: 'image/png' });
  }

  step(by: number): void {
    const count = this.source === 'images' ? (this.images?.fileNames.length ?? 0) : SCENES;
    if (count > 0) this.index = (this.index + by + count) % count;
    this.refresh();
  }

  setThreshold(value: number): void {
    this.threshold = value;
    this.refresh();
  }

  play(on: boolean): void {
    this.playing = on;
    this.refresh();
  }

  /** Starts the loop anew: what was on its way is dropped. */
  refresh(): void {
    void this.#loop(++this.#run);
  }

  async #request(): Promise<FrameRequest | null> {
    if (this.source === 'webcam') return this.#video && !this.frozen ? { bitmap: await this.#capture(this.#video) } : null;
    if (this.source === 'images') return this.images?.fileNames.length ? { image: this.index } : null;
    return { scene: FIRST_SCENE + this.index };
  }

  async #capture(video: HTMLVideoElement): Promise<ImageBitmap> {
    const start = performance.now();
    let bitmap = await createImageBitmap(video);
    if (this.mirror) {
      const { width, height } = bitmap;
      const canvas = new OffscreenCanvas(width, height);
      const context = canvas.getContext('2d')!;
      context.setTransform(-1, 0, 0, 1, width, 0);
      context.drawImage(bitmap, 0, 0);
      bitmap.close();
      bitmap = canvas.transferToImageBitmap();
    }
    this.captureMs = performance.now() - start;
    return bitmap;
  }

  async #loop(run: number): Promise<void> {
    while (run === this.#run) {
      try {
        const request = await this.#request();
        if (!request || run !== this.#run) return;
        const frame = await this.#worker.frame(request, this.threshold);
        if (!frame) continue;
        if (run !== this.#run) {
          frame.bitmap.close();
          return;
        }
        this.#show(frame);
      } catch (error) {
        if (run !== this.#run) return;
        this.alerts.error(error);
        this.#clear();
        if (this.source !== 'images') return;
      }
      if (this.source === 'webcam') continue;
      if (!this.playing || document.hidden) return;
      await new Promise((resolve) => setTimeout(resolve, DWELL_MS));
      if (run === this.#run && !this.live.frame)
        this.index = (this.index + 1) % (this.source === 'images' ? this.images!.fileNames.length : SCENES);
    }
  }

  #clear(): void {
    this.frame?.bitmap.close();
    this.frame = null;
  }

  #show(frame: PreviewFrame): void {
    this.frame?.bitmap.close();
    this.frame = frame;
    this.#recorder?.add(frame, this.original?.classNames ?? []);
    const now = performance.now();
    const fps = 1000 / Math.max(1, now - this.#lastFrame);
    this.fps = this.#lastFrame ? 0.8 * this.fps + 0.2 * fps : fps;
    this.#lastFrame = now;
  }
}
