/** An image as decoded: 8-bit RGB, interleaved rows (height × width × 3), no alpha. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}
