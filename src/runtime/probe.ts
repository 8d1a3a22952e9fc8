/** The smallest network: y = Identity(x), float32 [1]; loading it loads the runtime itself. */
const BYTES =
  '08083a3b0a100a017812017922084964656e74697479120570726f62655a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a00100d';

export const probeModel = (): Uint8Array => Uint8Array.from(BYTES.match(/../g)!, (byte) => Number.parseInt(byte, 16));
