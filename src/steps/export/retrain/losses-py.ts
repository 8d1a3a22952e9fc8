/** The losses of retrain.py. */
export const LOSSES_PY = `# ---- losses ---------------------------------------------------------------------------------------------------------
# Each part is a sum over this rank's images. What it is divided by is counted over all ranks, so that any number of
# processes with the same global batch computes the same loss.

IOU_GAIN = 5.0  # YOLOX, Ge et al. 2021
CENTRE_RADIUS = 2.5


def entropy(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none")


def read_heads(values, heads):
    """(box [b, n, 4], objectness logit [b, n, 1], class logits [b, n, classes]) over all levels, finest first."""
    parts = [[values[head[role]].float().flatten(2).transpose(1, 2) for head in heads] for role in ("reg", "obj", "cls")]
    return tuple(torch.cat(part, 1) for part in parts)


@functools.lru_cache(maxsize=None)
def cell_grid(sizes, strides, device):
    """(corner [n, 2] in cells, stride [n, 1]) of every cell."""
    grids, steps = [], []
    for (rows, cols), stride in zip(sizes, strides):
        ys, xs = torch.arange(rows), torch.arange(cols)
        grids.append(torch.stack([xs.repeat(rows), ys.repeat_interleave(cols)], 1).float())
        steps.append(torch.full((rows * cols, 1), float(stride)))
    return torch.cat(grids).to(device), torch.cat(steps).to(device)


def distil_heads(student, teacher, temperature):
    """Sums of cls, kl and loc, and their divisor: how much the teacher sees (see the studio's ARCHITECTURE.md, training)."""
    (box_s, obj_s, cls_s), (box_t, obj_t, cls_t) = student, teacher
    po, pc = torch.sigmoid(obj_t), torch.sigmoid(cls_t)
    confidence = po * pc.amax(-1, keepdim=True)
    gate = (entropy(obj_s, po) - entropy(obj_t, po)).sum()
    cls = gate + (po * (entropy(cls_s, pc) - entropy(cls_t, pc))).sum()
    soft = torch.sigmoid(cls_t / temperature)
    kl = temperature ** 2 * (po * (entropy(cls_s / temperature, soft) - entropy(cls_t / temperature, soft))).sum()
    error = (box_s - box_t).abs()
    loc = (confidence * (error[..., :2] * torch.exp(-box_t[..., 2:].clamp(-5, 10)) + error[..., 2:])).sum()
    return {"cls": cls, "kl": kl, "loc": loc}, po.sum()


def iou(a, b):
    """Of boxes x1, y1, x2, y2; broadcasts."""
    wide = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    both = wide[..., 0] * wide[..., 1]
    area = lambda v: (v[..., 2] - v[..., 0]) * (v[..., 3] - v[..., 1])
    return both / (area(a) + area(b) - both).clamp(min=1e-9)


@torch.no_grad()
def assign(truths, classes, corner, stride, boxes, obj, cls):
    """SimOTA (Ge et al. 2021): (cells, truth of each, IoU of each) for one image. truths, boxes: x1, y1, x2, y2."""
    centre = (corner + 0.5) * stride
    middle = (truths[:, None, :2] + truths[:, None, 2:]) / 2
    inside = ((centre > truths[:, None, :2]) & (centre < truths[:, None, 2:])).all(-1)
    near = ((centre - middle).abs() < CENTRE_RADIUS * stride).all(-1)
    cells = torch.nonzero((inside | near).any(0)).flatten()
    if cells.numel() == 0:
        return cells, cells, cells.float()
    overlap = iou(truths[:, None], boxes[cells])
    p = (torch.sigmoid(obj[cells]) * torch.sigmoid(cls[cells])).sqrt().clamp(1e-7, 1 - 1e-7)
    own = p[:, classes].t()
    wrong = -torch.log1p(-p).sum(1) + torch.log1p(-own) - torch.log(own)
    cost = wrong - 3 * torch.log(overlap + 1e-8) + 1e5 * (~(inside & near)[:, cells]).float()
    best = overlap.topk(min(10, cells.numel()), 1).values
    matched = torch.zeros_like(cost, dtype=torch.bool)
    for g, k in enumerate(best.sum(1).int().clamp(min=1).tolist()):
        matched[g, cost[g].topk(min(k, cells.numel()), largest=False).indices] = True
    shared = matched.sum(0) > 1
    if shared.any():
        cheapest = cost[:, shared].argmin(0)
        matched[:, shared] = False
        matched[cheapest, torch.nonzero(shared).flatten()] = True
    taken = torch.nonzero(matched.any(0)).flatten()
    truth = matched[:, taken].float().argmax(0)
    return cells[taken], truth, overlap[truth, taken]


def label_heads(student, sizes, strides, tables, counts):
    """Sums of the YOLOX loss's parts over the labelled images, and how many cells hold an object."""
    box, obj, cls = student
    corner, stride = cell_grid(sizes, strides, box.device)
    middle = (box[..., :2] + corner) * stride
    half = torch.exp(box[..., 2:].clamp(max=10)) * stride / 2
    boxes = torch.cat([middle - half, middle + half], -1)
    parts = {key: (box.sum() + obj.sum() + cls.sum()) * 0 for key in ("label_box", "label_obj", "label_cls")}
    found = 0
    for i, count in enumerate(counts.tolist()):
        if count < 0:
            continue
        target = torch.zeros_like(obj[i])
        if count > 0:
            truths, classes = tables[i, :count, 1:], tables[i, :count, 0].long()
            cells, truth, overlap = assign(truths, classes, corner, stride, boxes[i], obj[i], cls[i])
            target[cells] = 1.0
            hot = torch.zeros_like(cls[i][cells])
            hot[torch.arange(len(cells), device=hot.device), classes[truth]] = overlap
            parts["label_cls"] = parts["label_cls"] + entropy(cls[i][cells], hot).sum()
            parts["label_box"] = parts["label_box"] + IOU_GAIN * (1 - iou(boxes[i][cells], truths[truth]) ** 2).sum()
            found += len(cells)
        parts["label_obj"] = parts["label_obj"] + entropy(obj[i], target).sum()
    return parts, torch.tensor(float(found), device=box.device)


def head_values(heads):
    return [head[role] for head in heads for role in ("reg", "obj", "cls")]


class Losses:
    """What the network is trained on, from the command line and what the two networks have in common."""

    def __init__(self, args, student, teacher, image):
        """image: one prepared image, to see which values have the same size in both."""
        self.args = args
        self.own, self.other = SETTINGS["student"]["heads"], SETTINGS["teacher"]["heads"]
        self.strides = tuple(head["stride"] for head in self.own)
        self.labels = args.loss in ("labels", "both")
        self.distils = args.loss in ("distil", "both")
        if self.labels and not self.own:
            fail("labels need a YOLOX head, and this network's is not known to be one. Use --loss distil.")
        self.heads = bool(self.distils and self.own and self.other)
        outputs, features = [], []
        if self.distils and not self.heads:
            outputs = [name for name in student.outputs if name in teacher.outputs]
        if self.distils and args.w_feat > 0:
            made = {o for n in student.nodes for o in n.outputs}
            features = [name for name in teacher.feature_maps(set(head_values(self.other))) if name in made and name not in outputs]
        with torch.no_grad():
            shapes = [{k: v.shape for k, v in graph(image, outputs + features).items()} for graph in (student, teacher)]
        self.outputs = [name for name in outputs if shapes[0][name] == shapes[1][name]]
        maps = [name for name in features if len(shapes[0][name]) == 4 and len(shapes[1][name]) == 4]
        self.features = [name for name in maps if shapes[0][name][2:] == shapes[1][name][2:]]
        if self.distils and not (self.heads or self.outputs or self.features):
            fail("student and teacher have no value in common that could be compared.")
        self.widths = {name: (shapes[0][name][1], shapes[1][name][1]) for name in self.features}
        compared = self.outputs + self.features
        self.wanted = tuple(dict.fromkeys((head_values(self.own) if self.heads or self.labels else []) + compared))
        self.targets = tuple(dict.fromkeys((head_values(self.other) if self.heads else []) + compared))
        self.variance = {}

    def parts(self):
        """Names of the parts, in the order of the log."""
        named = [
            (self.heads, ("cls", "kl", "loc")),
            (bool(self.outputs), ("cls",)),
            (bool(self.features), ("feat",)),
            (self.labels, ("label_box", "label_obj", "label_cls")),
        ]
        return [part for present, names in named for part in names if present]

    def weight(self, part):
        w = self.args
        return {
            **{"cls": w.w_cls, "kl": w.w_kl, "loc": w.w_loc, "feat": w.w_feat},
            **{"label_obj": w.w_labels * w.w_cls, "label_cls": w.w_labels * w.w_cls, "label_box": w.w_labels * w.w_loc},
        }[part]

    def sums(self, values, targets, tables, counts):
        """({part: sum over this rank's images}, tensor of the three divisors: seen, found, images)."""
        images = float(counts.shape[0])
        parts, seen, found = {}, torch.zeros((), device=counts.device), torch.zeros((), device=counts.device)
        own = read_heads(values, self.own) if self.heads or self.labels else None
        if self.heads:
            parts, seen = distil_heads(own, read_heads(targets, self.other), self.args.temperature)
        for name in self.outputs:
            error = (values[name].float() - targets[name].float()) ** 2
            parts["cls"] = parts.get("cls", 0) + images * error.mean() / self.variance[name].mean() / len(self.outputs)
        for name in self.features:
            mine = values["feature/" + name].float()
            error = (mine - targets[name].float()) ** 2 / channelwise(self.variance[name], mine)
            parts["feat"] = parts.get("feat", 0) + images * error.mean() / len(self.features)
        if self.labels:
            sizes = tuple(tuple(values[h["reg"]].shape[2:]) for h in self.own)
            more, found = label_heads(own, sizes, self.strides, tables, counts)
            parts.update(more)
        return parts, torch.stack([seen, found, seen.new_tensor(images)])

    def divisor(self, part, divisors):
        seen, found, images = divisors
        if part == "feat" or (part == "cls" and not self.heads):
            return images
        return (found if part.startswith("label") else seen).clamp(min=1.0)


def channelwise(variance, like):
    return variance.reshape([1, -1] + [1] * (like.dim() - 2))


`;
