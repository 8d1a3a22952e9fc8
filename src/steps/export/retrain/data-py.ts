/** The data part of retrain.py: COCO folders, the studio's preprocessing bit by bit, augmentation, who sees which image when. */
export const DATA_PY = String.raw`# ---- images ---------------------------------------------------------------------------------------------------------

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"}
MOST_BOXES = 256


def plain_name(name):
    return " ".join(name.strip().lower().replace("_", " ").replace("-", " ").split())


def class_of_category(categories):
    """COCO category id -> class index: by name where at least half of them match, else in the order of the ids."""
    names = [plain_name(name) for name in SETTINGS["classes"]]
    ids = {plain_name(str(c.get("name", c["id"]))): c["id"] for c in categories}
    hits = {ids[name]: i for i, name in enumerate(names) if name in ids}
    if hits and 2 * len(hits) >= min(len(categories), len(names)):
        return hits
    return {c: i for i, c in enumerate(sorted(c["id"] for c in categories)) if i < len(names)}


def read_folder(folder):
    """[(path, boxes [n, 5] of class, x, y, width, height; None where nothing is known)] of a COCO folder."""
    home = folder / "images" if (folder / "images").is_dir() else folder
    if not home.is_dir():
        fail("there is no folder %s." % folder)
    files = {p.name: p for p in sorted(home.iterdir()) if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")}
    if not files:
        fail("there are no images in %s." % home)
    annotations = folder / "instances.json"
    if not annotations.is_file():
        return [(path, None) for path in files.values()]
    try:
        with open(str(annotations), encoding="utf-8") as f:
            coco = json.load(f)
        known = class_of_category(coco["categories"])
        images = [(i["id"], str(i["file_name"]).replace("\\", "/").split("/")[-1]) for i in coco["images"]]
        truths = {}
        for a in coco.get("annotations", []):
            x, y, w, h = a["bbox"]
            if not a.get("iscrowd", 0) and a["category_id"] in known and w > 0 and h > 0:
                truths.setdefault(a["image_id"], []).append([known[a["category_id"]], x, y, w, h])
    except (ValueError, KeyError, TypeError) as error:
        fail("%s is not a COCO instances.json (%r)." % (annotations, error))
    found = [(files[name], np.array(truths.get(key, []), np.float32).reshape(-1, 5)) for key, name in images if name in files]
    if not found:
        fail("%s lists none of the images in %s." % (annotations, home))
    return found


def resize_taps(size, out):
    at = np.clip((np.arange(out) + 0.5) * size / out - 0.5, 0, size - 1)
    low = np.floor(at).astype(np.int64)
    return low, np.minimum(low + 1, size - 1), at - low


def resize(image, width, height):
    """Bilinear as in the studio: half-pixel centres, no antialiasing, float64, floor(v + 0.5)."""
    if image.shape[:2] == (height, width):
        return image
    left, right, u = resize_taps(image.shape[1], width)
    top, bottom, v = resize_taps(image.shape[0], height)
    image = image.astype(np.float64)
    rows = image[:, left] + (image[:, right] - image[:, left]) * u[None, :, None]
    return np.floor(rows[top] + (rows[bottom] - rows[top]) * v[:, None, None] + 0.5).astype(np.uint8)


def placement(width, height):
    """(width, height, x, y) of an image on the network's canvas, as the recipe places it."""
    p = SETTINGS["preprocess"]
    if p["resize"] == "stretch":
        return p["width"], p["height"], 0, 0
    scale = min(p["width"] / width, p["height"] / height)
    half = 0.0 if p["resize"] == "letterbox-corner" else 0.5
    w = min(p["width"], max(1, math.floor(width * scale + half)))
    h = min(p["height"], max(1, math.floor(height * scale + half)))
    if p["resize"] == "letterbox-corner":
        return w, h, 0, 0
    return w, h, (p["width"] - w) // 2, (p["height"] - h) // 2


def recolour(image, random):
    """Random hue, saturation and brightness."""
    hue, saturation, value = random.uniform(-7, 7), random.uniform(0.7, 1.3), random.uniform(0.7, 1.3)
    ramp = np.arange(256)
    tables = [(ramp + round(hue)) % 256, np.clip(ramp * saturation, 0, 255), np.clip(ramp * value, 0, 255)]
    hsv = Image.fromarray(image).convert("HSV").point(np.concatenate(tables).astype(np.uint8).tolist())
    return np.asarray(hsv.convert("RGB"))


class Images(torch.utils.data.Dataset):
    """Item (epoch, index, augment): (canvas uint8 [height, width, 3] RGB, boxes [MOST_BOXES, 5], how many; -1 = not labelled)."""

    def __init__(self, folders, seed):
        self.entries = [entry for folder in folders for entry in read_folder(Path(folder))]
        self.seed = seed

    def __len__(self):
        return len(self.entries)

    def labelled(self):
        return sum(boxes is not None for _, boxes in self.entries)

    def load(self, index):
        """The image, or the next one that can be decoded."""
        for step in range(len(self.entries)):
            path, boxes = self.entries[(index + step) % len(self.entries)]
            try:
                with Image.open(str(path)) as image:
                    return np.asarray(ImageOps.exif_transpose(image).convert("RGB")), boxes
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                print("retrain.py: %s is left out (%s)." % (path, error), file=sys.stderr, flush=True)
        fail("no image can be decoded.")

    def __getitem__(self, item):
        epoch, index, augment = item
        image, boxes = self.load(index)
        p = SETTINGS["preprocess"]
        width, height, x, y = placement(image.shape[1], image.shape[0])
        flip = False
        if augment:
            # Seeded by what is seen, not by who loads it: workers, ranks and resumed runs all see the same.
            random = np.random.default_rng([self.seed, epoch, index])
            flip, move, colour = random.random(3) < (0.5, 0.7, 0.7)
            scale, at_x, at_y = random.uniform(0.7, 1.3), random.random(), random.random()
            if move:
                width, height = max(1, round(width * scale)), max(1, round(height * scale))
                x, y = round(at_x * (p["width"] - width)), round(at_y * (p["height"] - height))
            if colour:
                image = recolour(image, random)
        small = resize(image, width, height)
        small = small[:, ::-1] if flip else small
        canvas = np.full((p["height"], p["width"], 3), p["pad"], np.uint8)
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + width, p["width"]), min(y + height, p["height"])
        canvas[top:bottom, left:right] = small[top - y:bottom - y, left - x:right - x]
        table = np.zeros((MOST_BOXES, 5), np.float32)
        if boxes is None:
            return canvas, table, -1
        placed = place_boxes(boxes, image.shape, (width, height, x, y), flip)[:MOST_BOXES]
        table[:len(placed)] = placed
        return canvas, table, len(placed)


def place_boxes(boxes, shape, where, flip):
    """Boxes in image pixels -> class, x1, y1, x2, y2 on the canvas; those that are cut to a fifth or to nothing go."""
    p, (width, height, x, y) = SETTINGS["preprocess"], where
    x1, x2 = boxes[:, 1] * width / shape[1], (boxes[:, 1] + boxes[:, 3]) * width / shape[1]
    if flip:
        x1, x2 = width - x2, width - x1
    y1, y2 = boxes[:, 2] * height / shape[0], (boxes[:, 2] + boxes[:, 4]) * height / shape[0]
    whole = (x2 - x1) * (y2 - y1)
    x1, x2 = np.clip(x1 + x, 0, p["width"]), np.clip(x2 + x, 0, p["width"])
    y1, y2 = np.clip(y1 + y, 0, p["height"]), np.clip(y2 + y, 0, p["height"])
    seen = (x2 - x1 > 1) & (y2 - y1 > 1) & ((x2 - x1) * (y2 - y1) > 0.2 * whole)
    return np.stack([boxes[:, 0], x1, y1, x2, y2], 1)[seen]


class Preparer:
    """Canvases -> the network's input: channel order, (v - mean) / std from a table, layout."""

    def __init__(self, device):
        p = self.p = SETTINGS["preprocess"]
        channels = 1 if p["channels"] == "gray" else 3
        ramp = np.arange(256, dtype=np.float64)
        plain = p["dtype"] == "uint8"
        rows = [ramp if plain else (ramp - p["mean"][c]) / p["std"][c] for c in range(channels)]
        self.table = torch.from_numpy(np.concatenate(rows).astype(np.float32)).to(device)
        self.offset = (torch.arange(channels) * 256).to(device)
        self.device = device

    def __call__(self, canvas):
        pixels = canvas.to(self.device, non_blocking=True)
        if self.p["channels"] == "gray":
            weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64, device=self.device)
            pixels = torch.floor((pixels.double() * weights).sum(-1, keepdim=True) + 0.5)
        elif self.p["channels"] == "bgr":
            pixels = pixels.flip(-1)
        x = self.table[pixels.long() + self.offset]
        return x if self.p["layout"] == "nhwc" else x.permute(0, 3, 1, 2).contiguous()


def held_back(count, share, most, seed):
    """(training, unseen) image numbers; the same on every rank."""
    order = np.random.default_rng([seed, 7]).permutation(count)
    unseen = min(most, int(count * share)) if count > 1 else 0
    return np.sort(order[unseen:]), np.sort(order[:unseen])


def batches(run, start):
    """What this rank sees, step by step. A step's global batch depends on neither rank nor number of processes."""
    args, count, part = run.args, len(run.numbers), run.args.batch // run.world
    for step in range(start, run.steps):
        items, first = [], step * args.batch + run.rank * part
        for at in range(first, first + part):
            epoch, k = divmod(at, count)
            items.append((epoch, int(run.numbers[order(count, args.seed, epoch)[k]]), not args.no_augment))
        yield items


@functools.lru_cache(maxsize=2)
def order(count, seed, epoch):
    return np.random.default_rng([seed, 11, epoch]).permutation(count)


def worker_start(_):
    # Terminating the run must end its workers, which would inherit the handler that finishes a step first.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


`;
