/**
 * The WebAssembly decoders (jSquash's mozjpeg and png crate), one instance of each at a time. Both stop in the middle of a
 * damaged file without giving their stack and memory back: after some hundred of them an instance refuses every image or
 * never ends. So an instance that failed, or that a large image blew up, is replaced.
 */
import decodeJpeg, { init as initJpeg } from '@jsquash/jpeg/decode.js';

export interface DecoderModules {
  readonly jpeg: WebAssembly.Module;
  readonly png: WebAssembly.Module;
}

export interface Pixels {
  /** RGBA, 8 bit. */
  readonly data: ArrayLike<number>;
  readonly width: number;
  readonly height: number;
}

export interface Decoded extends Pixels {
  /** What the decoder found wrong with the file without giving up. */
  readonly complaints: readonly string[];
}

/** Rejects with the decoder's reason as the message, '' where it gives none. */
export type Decoder = (bytes: Uint8Array) => Promise<Decoded>;

/** Pixels after which an instance's memory, which never shrinks, is worth giving back. */
const LARGE = 16e6;

/** Node has no ImageData, which mozjpeg's binding constructs. */
class PlainImageData {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

const pixelsOf = ({ data, width, height }: Pixels): Pixels => ({ data, width, height });

/** A decoder whose instance is made by `open`, anew after each failure. One image at a time, so that complaints don't mix. */
function renewed(open: () => Promise<Decoder>): Decoder {
  let current: Promise<Decoder> | null = null;
  let last: Promise<unknown> = Promise.resolve();
  const decode: Decoder = async (bytes) => {
    current ??= open();
    const own = current;
    let good = false;
    try {
      const image = await (await own)(bytes);
      good = image.width * image.height < LARGE;
      return image;
    } finally {
      if (!good && current === own) current = null;
    }
  };
  return (bytes) => {
    const next = last.then(() => decode(bytes));
    last = next.catch(() => {});
    return next;
  };
}

export function jpegDecoder(module: WebAssembly.Module): Decoder {
  if (!('ImageData' in globalThis)) Object.assign(globalThis, { ImageData: PlainImageData });
  // The package's types know only one argument; its code takes the compiled module first.
  const init = initJpeg as unknown as (module: WebAssembly.Module, options: object) => Promise<void>;
  return renewed(async () => {
    let complaints: string[] = [];
    await init(module, { printErr: (line: string) => complaints.push(line), print: () => {} });
    return async (bytes) => {
      complaints = [];
      try {
        return { ...pixelsOf(await decodeJpeg(bytes.slice().buffer)), complaints };
      } catch {
        throw new Error(complaints[0] ?? '');
      }
    };
  });
}

interface PngExports {
  readonly memory: WebAssembly.Memory;
  decode(pointer: number, length: number): number;
  __wbindgen_malloc(length: number, align: number): number;
  __wbindgen_free(pointer: number, length: number, align: number): void;
}

/** The import through which the png crate hands its pixels out; its name ends in a hash. */
const PIXELS_OUT = '__wbg_newwithownedu8clampedarrayandsh_';

/** The package's own binding holds one instance for ever, so this is another for the one function that is needed. */
export function pngDecoder(module: WebAssembly.Module): Decoder {
  return renewed(async () => {
    let image: Pixels | null = null;
    const stop = (): never => {
      throw new Error('');
    };
    const handOut = (pointer: number, length: number, width: number, height: number) => {
      image = { data: new Uint8ClampedArray(png.memory.buffer, pointer, length).slice(), width: width >>> 0, height: height >>> 0 };
      png.__wbindgen_free(pointer, length, 1);
      return 0;
    };
    const names = WebAssembly.Module.imports(module).map(({ name }) => name);
    const wbg = Object.fromEntries(names.map((name) => [name, name.startsWith(PIXELS_OUT) ? handOut : stop]));
    const png = (await WebAssembly.instantiate(module, { wbg })).exports as unknown as PngExports;
    return async (bytes) => {
      image = null;
      const pointer = png.__wbindgen_malloc(bytes.length, 1) >>> 0;
      new Uint8Array(png.memory.buffer).set(bytes, pointer);
      try {
        png.decode(pointer, bytes.length);
      } catch {
        stop();
      }
      const { data, width, height } = (image as Pixels | null) ?? stop();
      return { data, width, height, complaints: [] };
    };
  });
}
