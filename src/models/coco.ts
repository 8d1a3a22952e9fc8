/** COCO's 80 class names in training order, and how class indices of a network map to the category ids of a JSON. */

// biome-ignore format: ten a line
export const COCO_NAMES: readonly string[] = [
  'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat', 'traffic light',
  'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog', 'horse', 'sheep', 'cow',
  'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella', 'handbag', 'tie', 'suitcase', 'frisbee',
  'skis', 'snowboard', 'sports ball', 'kite', 'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
  'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich', 'orange',
  'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant', 'bed',
  'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone', 'microwave', 'oven',
  'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors', 'teddy bear', 'hair drier', 'toothbrush',
];

/** Ids that COCO 2014/2017 leaves out of 1…90. */
const MISSING_IDS = new Set([12, 26, 29, 30, 45, 66, 68, 69, 71, 83]);

/** COCO's category id of each of the 80 class indices: 1, 2, …, 11, 13, …, 90. */
export const COCO_CATEGORY_IDS: readonly number[] = Array.from({ length: 90 }, (_, i) => i + 1).filter((id) => !MISSING_IDS.has(id));

export interface CategoryMap {
  /** Category id of each class index; null where the JSON has no such class. */
  readonly ids: readonly (number | null)[];
  readonly by: 'name' | 'order';
  /** Sentences for the user, empty when everything matched. */
  readonly notes: readonly string[];
}

const plain = (name: string) =>
  name
    .trim()
    .toLowerCase()
    .replace(/[\s_-]+/g, ' ');

/**
 * Class index → category id. By name when at least half of the categories carry one of the network's names (so a list in
 * another order, or one that lacks classes, maps right), else by order: the k-th class is the k-th smallest id.
 */
export function categoryMap(
  classNames: readonly string[],
  categories: readonly { readonly id: number; readonly name: string }[],
): CategoryMap {
  const byName = new Map(categories.map((category) => [plain(category.name), category.id]));
  const named = classNames.map((name) => byName.get(plain(name)) ?? null);
  const hits = named.filter((id) => id !== null).length;
  if (hits > 0 && hits * 2 >= Math.min(categories.length, classNames.length)) {
    const lost = classNames.filter((_, i) => named[i] === null);
    const notes = lost.length > 0 ? [`Classes that the annotations don't have are left out: ${list(lost)}.`] : [];
    return { ids: named, by: 'name', notes };
  }
  const sorted = categories.map((category) => category.id).sort((a, b) => a - b);
  const notes =
    sorted.length === classNames.length
      ? []
      : [`The network has ${classNames.length} classes, the annotations have ${sorted.length} categories: matched by order.`];
  return { ids: classNames.map((_, i) => sorted[i] ?? null), by: 'order', notes };
}

function list(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
}
