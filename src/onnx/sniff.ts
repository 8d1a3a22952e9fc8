/** What a file is when it isn't ONNX, by its first bytes. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { StudioError } from '../numerics';

interface Kind {
  readonly what: string;
  readonly hint: string;
  matches(head: string): boolean;
}

const AGAIN = 'Choose a file that ends in .onnx.';
const EXPORT = 'Export the network to ONNX first.';

/** Head as Latin-1, so that one character is one byte. */
const KINDS: readonly Kind[] = [
  {
    what: 'a Git-LFS pointer, not the model itself',
    hint: 'Run "git lfs pull" in its repository, or download the file from the web page.',
    matches: (h) => h.startsWith('version https://git-lfs'),
  },
  {
    what: 'a web page, not a model',
    hint: 'The download link led to a page: download the file itself.',
    matches: (h) => /^\s*(<!doctype html|<html|<head|<body)/i.test(h),
  },
  { what: 'an XML file, not an ONNX model', hint: EXPORT, matches: (h) => /^\s*<\?xml/.test(h) },
  {
    what: 'a PyTorch or other zip archive, not an ONNX model',
    hint: 'Export it with torch.onnx.export, or unpack the archive and choose the .onnx inside.',
    matches: (h) => h.startsWith('PK\x03\x04') || h.startsWith('PK\x05\x06'),
  },
  {
    what: 'a pickled PyTorch checkpoint, not an ONNX model',
    hint: 'Export it with torch.onnx.export.',
    matches: (h) => ['\x80\x02', '\x80\x03', '\x80\x04', '\x80\x05'].includes(h.slice(0, 2)),
  },
  {
    what: 'a TensorFlow Lite model, not ONNX',
    hint: 'Export the original network to ONNX, or convert it with tf2onnx.',
    matches: (h) => h.slice(4, 8) === 'TFL3',
  },
  {
    what: 'an ONNX Runtime .ort model, which is already converted',
    hint: 'Choose the .onnx file that it was made from.',
    matches: (h) => h.slice(4, 8) === 'ORTM',
  },
  { what: 'an HDF5 (Keras) file, not an ONNX model', hint: EXPORT, matches: (h) => h.startsWith('\x89HDF') },
  {
    what: 'a compiled Hailo program (.hef), not an ONNX model',
    hint: 'Choose the .onnx file that it was compiled from.',
    matches: (h) => h.startsWith('\x01HEF'),
  },
  { what: 'a GGUF file, not an ONNX model', hint: EXPORT, matches: (h) => h.startsWith('GGUF') },
  { what: 'a NumPy array, not a model', hint: AGAIN, matches: (h) => h.startsWith('\x93NUMPY') },
  { what: 'a safetensors file, which holds weights without a network', hint: EXPORT, matches: (h) => h.slice(4, 10) === '\0\0\0\0{"' },
  {
    what: 'a compressed archive, not an ONNX model',
    hint: 'Unpack it first.',
    matches: (h) => ['\x1f\x8b', 'BZh', '7z\xbc', '\xfd7zXZ', 'Rar!'].some((magic) => h.startsWith(magic)),
  },
  { what: 'an image, not a model', hint: AGAIN, matches: (h) => /^(\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP)/s.test(h) },
  { what: 'a PDF document, not a model', hint: AGAIN, matches: (h) => h.startsWith('%PDF') },
  { what: 'a JSON file, not an ONNX model', hint: AGAIN, matches: (h) => /^\s*[{[]\s*["{[\]}\d-]/.test(h) },
  { what: 'a text file, not an ONNX model', hint: AGAIN, matches: (h) => h.length > 7 && !/[^\t\n\r\x20-\x7e\x80-\xff]/.test(h) },
];

/** @throws StudioError 'bad-file' when the first bytes show that this is something else */
export function refuseOtherKinds(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new StudioError('bad-file', 'The file is empty (0 bytes).', 'Download or export it again.');
  const raw = String.fromCharCode(...bytes.subarray(0, 512));
  const head = raw.startsWith('\xef\xbb\xbf') ? raw.slice(3) : raw;
  const kind = KINDS.find((k) => k.matches(head));
  if (kind) throw new StudioError('bad-file', `This is ${kind.what}.`, kind.hint);
  if (!bytes.subarray(0, 4096).some((byte) => byte !== 0))
    throw new StudioError('bad-file', 'The file holds only zeros.', 'The download or copy failed: get it again.');
}

/** Why the protobuf decoder gave up, as one sentence: cut off, or not ONNX at all. */
export function explainDamage(bytes: Uint8Array): StudioError {
  const hint = 'Download or export it again.';
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, wire] = reader.tag();
      if (wire === WireType.LengthDelimited) {
        const needed = reader.uint32();
        const left = reader.len - reader.pos;
        if (needed > left && field === 7)
          return new StudioError('bad-file', `The file is cut off or damaged: its graph needs ${needed} bytes, ${left} are there.`, hint);
        if (needed > left) break;
        reader.pos += needed;
        if (field === 7) return new StudioError('bad-file', 'The ONNX file is damaged: its graph cannot be read.', hint);
      } else reader.skip(wire, field);
    }
  } catch {
    // Not even a protobuf at top level: said below.
  }
  return new StudioError(
    'bad-file',
    'This is not an ONNX model, or it is damaged.',
    'Choose a file that ends in .onnx, or download it again.',
  );
}
