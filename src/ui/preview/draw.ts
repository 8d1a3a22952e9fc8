import type { Detection } from '../../pipeline';

/** Fixed hues, spread so that neighbours differ; readable on photos with the dark plate behind the label. */
function colour(classIndex: number): string {
  return `hsl(${(classIndex * 47 + 130) % 360} 85% 62%)`;
}

/** Draws boxes with labels in image pixels scaled by `scale`, clipped to [from, to] of the width of the canvas, or of another area at the origin. */
export function drawDetections(
  context: CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D,
  detections: readonly Detection[],
  names: readonly string[],
  scale: number,
  clip: { readonly from: number; readonly to: number },
  { width, height }: { readonly width: number; readonly height: number } = context.canvas,
): void {
  context.save();
  context.beginPath();
  context.rect(clip.from * width, 0, (clip.to - clip.from) * width, height);
  context.clip();
  const size = Math.max(11, Math.round(width / 52));
  context.font = `600 ${size}px ui-sans-serif, system-ui, sans-serif`;
  context.textBaseline = 'middle';
  context.lineWidth = Math.max(2, width / 350);
  for (const { x, y, width: w, height: h, score, classIndex } of detections) {
    context.strokeStyle = colour(classIndex);
    context.strokeRect(x * scale, y * scale, w * scale, h * scale);
    const label = `${names[classIndex] ?? classIndex} ${Math.round(score * 100)}`;
    const plate = context.measureText(label).width + size * 0.7;
    const top = Math.max(0, y * scale - size * 1.45);
    context.fillStyle = 'rgb(15 20 15 / 82%)';
    context.fillRect(x * scale, top, plate, size * 1.45);
    context.fillStyle = colour(classIndex);
    context.fillText(label, x * scale + size * 0.35, top + size * 0.75);
  }
  context.restore();
}
