import { describe, expect, it } from 'vitest';
import { defaultPreprocess, hasOwnPreprocess, inputNote, matchFamily, type Preprocess, withPreprocess } from '../../src/models';
import { parseModel, serializeModel } from '../../src/onnx';
import { HeadBuilder, yoloxModel } from './fixtures';

const model = yoloxModel({ classes: 3, form: 'raw' });
const assumed = matchFamily(model)!.preprocess;
const chosen: Preprocess = { ...assumed, channels: 'rgb', resize: 'stretch', pad: 0, mean: [1, 2, 3], std: [4, 5, 6] };

describe('withPreprocess', () => {
  it('survives the file, and the graph still decides size and layout', () => {
    const again = parseModel(serializeModel(withPreprocess(model, { ...chosen, width: 999, layout: 'nhwc' })));
    expect(matchFamily(again)!.preprocess).toEqual(chosen);
  });

  it('holds for generic networks too', () => {
    const b = new HeadBuilder(64);
    const generic = b.model([[b.conv('images', 3, 2, 8, 8), [1, 2, 8, 8]]]);
    const told = withPreprocess(generic, chosen);
    expect(defaultPreprocess(told)).toEqual(chosen);
    expect([hasOwnPreprocess(generic), hasOwnPreprocess(told)]).toEqual([false, true]);
    expect(inputNote(generic)).toMatch(/^Preprocessing can't be read from the file/);
    expect(inputNote(told)).toBeNull();
  });

  it('ignores what can’t be', () => {
    const say = (text: string) => matchFamily({ ...model, metadata: { 'bonsai.preprocess': text } })!.preprocess;
    for (const text of ['{', 'null', '7', '{"std":[0,1,1]}', '{"channels":"hsv","pad":-1,"mean":[1,2]}'])
      expect(say(text), text).toEqual(assumed);
  });
});
