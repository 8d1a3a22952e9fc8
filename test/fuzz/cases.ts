/** Everything that the fuzz feeds to the studio. */
import type fc from 'fast-check';
import { type DocumentCase, documentCase, examineDocument } from './documents';
import { examineImage, type ImageCase, imageCase } from './images';
import { type ModelCase, modelCase } from './models/arbitrary';
import { examineModel } from './models/examine';
import type { Outcome } from './outcome';

export type Case = ModelCase | ImageCase | DocumentCase;

export const FAMILIES = {
  models: modelCase as fc.Arbitrary<Case>,
  images: imageCase as fc.Arbitrary<Case>,
  documents: documentCase as fc.Arbitrary<Case>,
} as const;

export type FamilyName = keyof typeof FAMILIES;

export function examineCase(one: Case): Promise<Outcome> {
  if (one.kind === 'model') return examineModel(one);
  return one.kind === 'image' ? examineImage(one) : examineDocument(one);
}
