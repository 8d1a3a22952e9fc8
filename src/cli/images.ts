/** Image sets as the command line names them. */
import { type ImageSet, sceneSet } from '../data';
import { openImageDir } from '../data/node';
import { StudioError } from '../numerics';

const SCENES = /^scenes(?::|$)/;
/** Drawn scenes that one command may ask for. */
const MOST_SCENES = 100_000;

/**
 * @param name a folder, or `scenes:FIRST:COUNT` for drawn scenes with their labels (the embedded detectors were trained on
 *   100000 … 103999; 500000 and on are held out)
 * @throws StudioError 'bad-option' for a folder that isn't there, or scenes without numbers; 'bad-data' for what is in a folder
 */
export async function openImages(name: string): Promise<ImageSet> {
  if (!SCENES.test(name)) return openImageDir(name);
  const [, first, count] = /^scenes:(\d{1,9}):(\d{1,6})$/.exec(name) ?? [];
  if (!first || !(Number(count) >= 1 && Number(count) <= MOST_SCENES))
    throw new StudioError('bad-option', `"${name}" names no scenes.`, 'Give scenes:FIRST:COUNT, e.g. scenes:500000:48, or a folder.');
  return sceneSet(Number(first), Number(count));
}
