/** The model catalog: official detectors, known by their SHA-256 wherever a file comes from. */
import { hashModel } from '../onnx';

export interface CatalogEntry {
  readonly id: string;
  /** With its release. */
  readonly name: string;
  readonly file: string;
  /** A copy that a page may fetch; what it sends is worth nothing unless the SHA-256 fits. */
  readonly url: string;
  /** The release's own file, for people: GitHub sends it without the header that lets another site's page read it. */
  readonly release: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** Height and width, pixels. */
  readonly input: readonly [number, number];
  /** As published, and so is {@link mAP}. */
  readonly parameters: number;
  /** COCO val2017, 0.50:0.95, percent. */
  readonly mAP: number;
  readonly licence: string;
}

/** Where all of the catalog is fetched from. */
export const CATALOG_HOST = 'huggingface.co';
const COPY = `https://${CATALOG_HOST}/hr16/yolox-onnx/resolve/main`;
const RELEASE = 'https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0';

/**
 * Parameters, mAP and licence: README and LICENSE of Megvii-BaseDetection/YOLOX. It publishes no checksums: sizes and SHA-256
 * are what several independent projects on GitHub pin for these files of the release (searched on 2026-11-29).
 */
export const CATALOG: readonly CatalogEntry[] = [
  {
    id: 'yolox-nano',
    name: 'YOLOX-Nano 0.1.1rc0',
    file: 'yolox_nano.onnx',
    url: `${COPY}/yolox_nano.onnx`,
    release: `${RELEASE}/yolox_nano.onnx`,
    bytes: 3_659_407,
    sha256: 'c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d',
    input: [416, 416],
    parameters: 910_000,
    mAP: 25.8,
    licence: 'Apache-2.0',
  },
  {
    id: 'yolox-tiny',
    name: 'YOLOX-Tiny 0.1.1rc0',
    file: 'yolox_tiny.onnx',
    url: `${COPY}/yolox_tiny.onnx`,
    release: `${RELEASE}/yolox_tiny.onnx`,
    bytes: 20_219_662,
    sha256: '427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7',
    input: [416, 416],
    parameters: 5_060_000,
    mAP: 32.8,
    licence: 'Apache-2.0',
  },
];

/** Id of the entry whose file this is, byte for byte; null for any other. */
export async function recogniseModel(bytes: Uint8Array, catalog = CATALOG): Promise<string | null> {
  const candidates = catalog.filter((entry) => entry.bytes === bytes.length);
  if (candidates.length === 0) return null;
  const hash = await hashModel(bytes);
  return candidates.find(({ sha256 }) => sha256 === hash)?.id ?? null;
}
