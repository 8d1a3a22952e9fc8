/** Decodes images beside the inference, in a worker of its own. */
import * as Comlink from 'comlink';
import { decodeImage } from '../../src/data';
import '../../src/data/web';

const files = new Map<number, { readonly name: string; readonly bytes: Uint8Array }>();

const table = {
  add(index: number, name: string, bytes: Uint8Array): void {
    files.set(index, { name, bytes });
  },
  async decode(index: number) {
    const { name, bytes } = files.get(index)!;
    const image = await decodeImage(bytes, name);
    return Comlink.transfer(image, [image.data.buffer as ArrayBuffer]);
  },
};

export type DecoderTable = typeof table;
Comlink.expose(table);
