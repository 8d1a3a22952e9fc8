/** Detections as one array: journals copy those of thousands of images again and again. */
import type { Detection } from '../../models';

/** Numbers of a detection. */
const NUMBERS = 6;

export function packed(detections: readonly Detection[]): Float64Array {
  return Float64Array.from(detections.flatMap(({ x, y, width, height, score, classIndex }) => [x, y, width, height, score, classIndex]));
}

export function unpacked(values: Float64Array = new Float64Array()): Detection[] {
  return Array.from({ length: values.length / NUMBERS }, (_, i) => {
    const [x, y, width, height, score, classIndex] = [...values.subarray(i * NUMBERS, (i + 1) * NUMBERS)];
    return { x: x!, y: y!, width: width!, height: height!, score: score!, classIndex: classIndex! };
  });
}
