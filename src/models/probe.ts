/**
 * The preprocessing probe: wrong channel order or value range is the commonest user error, and nothing in an ONNX file
 * says which one is right. A handful of images tells.
 *
 * Scores alone don't: inputs 58 times too large make YOLOX-Nano and NanoDet more confident, not less (best scores 0.84
 * and 0.94, mAP 0). But a detector that sees real objects finds them again in the mirrored, smaller image, and noise
 * doesn't repeat. Measured with four images each, YOLOX-Nano with either convention and NanoDet: this ranked the right
 * range and channel order first in nine of nine trials, summed scores in four.
 */
import type { RgbImage } from '../numerics';
import { detect, PREVIEW_OPTIONS, refineSpec } from './detect';
import { type Preprocessed, preprocess } from './preprocess';
import { applyPreset, describePreprocess, PRESETS } from './presets';
import type { DecodeInput, Detection, DetectorSpec, Preprocess } from './types';

/** Below this no score is a detection: the preprocessing is doubted. */
export const DOUBT_BELOW = 0.1;
/** A smaller share of the detections found again is doubted too (right ones had 0.61–0.87, wrong ranges 0–0.19). */
const REPEATED_SHARE = 0.4;
const CONFIDENT = 0.3;
/** Resize modes differ little: another than the assumed one must be this much better to be proposed. */
const CLEARLY_BETTER = 1.1;
/** A proposal needs about one repeated detection of 0.32 an image (right ones had 0.6–1.2, noise 0.01). */
const CONVINCING = 0.1;
const BEST_PER_IMAGE = 10;
const OPTIONS = { ...PREVIEW_OPTIONS, scoreThreshold: 0.01 };

/** How well one preprocessing works on the probe's images. */
export interface ProbeScore {
  readonly preprocess: Preprocess;
  /** "BGR, 0–255, letterbox, image top-left". */
  readonly label: string;
  /** Highest score of all images. */
  readonly maxScore: number;
  /** Detections with score ≥ 0.3 over all images, after NMS. */
  readonly confident: number;
  /** Mean over the images of the squared scores ≥ 0.1 of the ten best detections… */
  readonly strength: number;
  /** …and of those among them that are found again in the mirrored, smaller image: what proposals are ranked by. */
  readonly quality: number;
}

export interface ProbeResult {
  /** `spec` with what the outputs' measured range corrected; its preprocessing is still the assumed one. */
  readonly spec: DetectorSpec;
  readonly assumed: ProbeScore;
  /** Best first; empty unless the assumed preprocessing was doubted. */
  readonly proposals: readonly ProbeScore[];
  /** What to use instead; null when the assumed one works, or when nothing does. */
  readonly best: Preprocess | null;
  /** One sentence for the user; null when the assumed preprocessing works. */
  readonly note: string | null;
}

/** Runs the network on one prepared input. */
export type ProbeRun = (input: Preprocessed['input'], preprocess: Preprocess) => Promise<DecodeInput>;

type Box = Pick<Detection, 'x' | 'y' | 'width' | 'height'>;

/** The image mirrored, with a grey margin that makes it 1.3 times as wide and high, and the way back for boxes. */
function mirrored(image: RgbImage): { image: RgbImage; back(box: Box): Box } {
  const width = Math.round(image.width * 1.3);
  const height = Math.round(image.height * 1.3);
  const left = Math.floor((width - image.width) / 2);
  const top = Math.floor((height - image.height) / 2);
  const data = new Uint8Array(width * height * 3).fill(114);
  for (let y = 0; y < image.height; y++)
    for (let x = 0; x < image.width; x++) {
      const from = (y * image.width + x) * 3;
      data.set(image.data.subarray(from, from + 3), ((y + top) * width + left + image.width - 1 - x) * 3);
    }
  return {
    image: { width, height, data },
    back: (box) => ({ ...box, x: image.width - (box.x - left) - box.width, y: box.y - top }),
  };
}

function overlap(a: Box, b: Box): number {
  const w = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const h = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  return w > 0 && h > 0 ? (w * h) / (a.width * a.height + b.width * b.height - w * h) : 0;
}

interface ProbeImage {
  readonly image: RgbImage;
  readonly twin: ReturnType<typeof mirrored>;
}

async function judge(run: ProbeRun, spec: DetectorSpec, images: readonly ProbeImage[], p: Preprocess): Promise<ProbeScore> {
  const see = async (image: RgbImage) => {
    const { input, placement } = preprocess(image, p);
    return detect(spec, await run(input, p), placement, OPTIONS);
  };
  let maxScore = 0;
  let confident = 0;
  let strength = 0;
  let quality = 0;
  for (const { image, twin } of images) {
    const detections = await see(image);
    maxScore = Math.max(maxScore, detections[0]?.score ?? 0);
    confident += detections.filter((d) => d.score >= CONFIDENT).length;
    const found = detections.slice(0, BEST_PER_IMAGE).filter((d) => d.score >= DOUBT_BELOW);
    if (found.length === 0) continue;
    const again = (await see(twin.image)).map((d) => ({ box: twin.back(d), score: d.score, classIndex: d.classIndex }));
    for (const d of found) {
      const match = again.find((other) => other.classIndex === d.classIndex && overlap(d, other.box) > 0.5);
      strength += d.score ** 2 / images.length;
      quality += Math.min(d.score, match?.score ?? 0) ** 2 / images.length;
    }
  }
  return { preprocess: p, label: describePreprocess(p), maxScore, confident, strength, quality };
}

async function measured(run: ProbeRun, spec: DetectorSpec, image: RgbImage): Promise<DetectorSpec> {
  return refineSpec(spec, await run(preprocess(image, spec.preprocess).input, spec.preprocess));
}

function doubt(score: ProbeScore): string | null {
  const assumed = `the assumed preprocessing (${score.label})`;
  if (score.maxScore <= DOUBT_BELOW)
    return `No detection scores above ${DOUBT_BELOW} with ${assumed}; the best has ${score.maxScore.toFixed(2)}`;
  if (score.quality < REPEATED_SHARE * score.strength) return `With ${assumed} detections don't repeat when the image is mirrored`;
  return null;
}

const byQuality = (a: ProbeScore, b: ProbeScore) => b.quality - a.quality || b.maxScore - a.maxScore;

/** The assumed resize with every range and channel order, then the other resizes with the two best of these. */
async function search(base: Preprocess, attempt: (p: Preprocess) => Promise<ProbeScore>): Promise<readonly ProbeScore[]> {
  if (base.channels === 'gray') return [];
  const presets = PRESETS.map((preset) => applyPreset(base, preset));
  const ranked: ProbeScore[] = [];
  for (const p of presets) if (p.resize === base.resize) ranked.push(await attempt(p));
  ranked.sort(byQuality);
  const all = [...ranked];
  for (const { preprocess: top } of ranked.slice(0, 2))
    for (const p of presets) {
      const sameValues = p.channels === top.channels && String([p.mean, p.std]) === String([top.mean, top.std]);
      if (sameValues && p.resize !== base.resize) all.push(await attempt(p));
    }
  return all.sort(byQuality);
}

/**
 * Doubts the assumed preprocessing when no score exceeds 0.1, or when its detections aren't found again in the mirrored
 * image; then tries the presets and proposes the best. Costs two runs an image where all is well, up to 28 where not:
 * four images suffice.
 *
 * @param images with objects of the network's classes
 * @example
 * const run = (data, p) => session.run({ [spec.input]: { dtype: p.dtype, dims: inputDims(p), data } });
 * const { best, note } = await probePreprocess(run, spec, images);
 * if (best) spec = { ...spec, preprocess: best };
 */
export async function probePreprocess(run: ProbeRun, spec: DetectorSpec, images: readonly RgbImage[]): Promise<ProbeResult> {
  const refined = images[0] ? await measured(run, spec, images[0]) : spec;
  const twins = images.map((image) => ({ image, twin: mirrored(image) }));
  const assumed = await judge(run, refined, twins, spec.preprocess);
  const why = images.length > 0 ? doubt(assumed) : null;
  if (why === null) return { spec: refined, assumed, proposals: [], best: null, note: null };

  const base = spec.preprocess;
  const all = await search(base, async (p) => (describePreprocess(p) === assumed.label ? assumed : judge(run, refined, twins, p)));
  const proposals = all.filter((score) => score !== assumed);
  const [top] = proposals;
  const sameResize = proposals.find((score) => score.preprocess.resize === base.resize);
  const winner = top && sameResize && top.quality < sameResize.quality * CLEARLY_BETTER ? sameResize : top;
  if (!winner || winner.quality < CONVINCING || winner.quality < 2 * assumed.quality) {
    // Few objects of the network's classes in view: no reason to warn unless nothing at all was found.
    const note =
      assumed.maxScore <= DOUBT_BELOW ? `${why}, nor does any other preset help: do the images show what the network detects?` : null;
    return { spec: refined, assumed, proposals, best: null, note };
  }
  const found = `finds ${winner.confident} objects in ${images.length} image${images.length === 1 ? '' : 's'}`;
  return {
    spec: refined,
    assumed,
    proposals,
    best: winner.preprocess,
    note: `${why}. "${winner.label}" ${found} (best score ${winner.maxScore.toFixed(2)}).`,
  };
}
