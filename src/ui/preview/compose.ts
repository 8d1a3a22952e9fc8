/** Both networks on one picture, side by side, for clips and snapshots. */
import type { PreviewFrame } from '../../../workers/wire';
import { drawDetections } from './draw';

export interface ComposeWords {
  readonly original: string;
  readonly compressed: string;
}

/** Pixels above the pictures for their names. */
const HEAD = 36;

/** Size of the picture that {@link compose} draws. */
export function composedSize(frame: Pick<PreviewFrame, 'width' | 'height' | 'b'>): { readonly width: number; readonly height: number } {
  // Video encoders want even sizes.
  const even = (x: number) => x + (x % 2);
  return { width: even(frame.b ? 2 * frame.width : frame.width), height: even(frame.height + HEAD) };
}

/** Draws original and, where there is one, compressed with their boxes; the canvas has {@link composedSize}. */
export function compose(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  frame: PreviewFrame,
  classNames: readonly string[],
  words: ComposeWords,
): void {
  const { canvas } = context;
  context.fillStyle = '#151814';
  context.fillRect(0, 0, canvas.width, canvas.height);
  const sides = [{ title: words.original, side: frame.a }, ...(frame.b ? [{ title: words.compressed, side: frame.b }] : [])];
  for (const [i, { title, side }] of sides.entries()) {
    context.save();
    context.translate(i * frame.width, 0);
    context.fillStyle = '#eceee8';
    context.font = '600 18px ui-sans-serif, system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.fillText(title, 10, HEAD / 2, frame.width - 20);
    context.translate(0, HEAD);
    context.beginPath();
    context.rect(0, 0, frame.width, frame.height);
    context.clip();
    context.drawImage(frame.bitmap, 0, 0, frame.width, frame.height);
    drawDetections(context, side?.detections ?? [], classNames, 1, { from: 0, to: 1 }, frame);
    context.restore();
  }
}
