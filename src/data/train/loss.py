"""YOLOX's loss with SimOTA assignment, over the 3 x 3 cells around each box's centre at every level.

The assignment follows "YOLOX" (Ge et al. 2021, section 2.1) and "OTA" (Ge et al. 2021): cost = classification + 3 x IoU
loss, each box takes as many of its cheapest candidates as its ten best IoUs sum to, a cell taken twice goes to the cheaper box.
"""
import torch
import torch.nn.functional as F

from network import STRIDES, decode


def iou(a, b):
    """Paired IoU of x1, y1, x2, y2 boxes."""
    left_top = torch.maximum(a[..., :2], b[..., :2])
    right_bottom = torch.minimum(a[..., 2:], b[..., 2:])
    inter = (right_bottom - left_top).clamp(min=0).prod(-1)
    area = lambda r: (r[..., 2:] - r[..., :2]).clamp(min=0).prod(-1)
    return inter / (area(a) + area(b) - inter + 1e-7)


def candidates(boxes, height, width):
    """Indices [G, 27] of the cells around the centres, and whether each exists and has its centre in the box."""
    cx, cy = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    dx, dy = torch.meshgrid(torch.arange(-1, 2), torch.arange(-1, 2), indexing="ij")
    index, exists, inside, offset = [], [], [], 0
    for stride in STRIDES:
        rows, cols = height // stride, width // stride
        x = (cx / stride).floor().long()[:, None] + dx.reshape(1, -1)
        y = (cy / stride).floor().long()[:, None] + dy.reshape(1, -1)
        px, py = (x + 0.5) * stride, (y + 0.5) * stride
        exists.append((x >= 0) & (x < cols) & (y >= 0) & (y < rows))
        inside.append((px > boxes[:, :1]) & (px < boxes[:, 2:3]) & (py > boxes[:, 1:2]) & (py < boxes[:, 3:4]))
        index.append(offset + y.clamp(0, rows - 1) * cols + x.clamp(0, cols - 1))
        offset += rows * cols
    return torch.cat(index, 1), torch.cat(exists, 1), torch.cat(inside, 1)


@torch.no_grad()
def assign(raw, boxes, classes, images, cells, height, width):
    """Flat indices (image x N + cell) of the positives and the box that each one has."""
    index, exists, inside = candidates(boxes, height, width)
    n = raw.shape[1]
    picked = raw[images[:, None], index]
    local = tuple(c[index] for c in cells)
    overlap = iou(decode(picked, local), boxes[:, None, :]) * exists
    score = (picked[..., 4].sigmoid() * picked[..., 5:].sigmoid().gather(2, classes[:, None, None].expand(-1, index.shape[1], 1))[..., 0]).sqrt()
    cost = -score.clamp(min=1e-6).log() - 3 * (overlap + 1e-8).log() + 1e3 * ~inside + 1e6 * ~exists
    wanted = overlap.topk(10, 1).values.sum(1).int().clamp(min=1)
    order = cost.argsort(1)
    rank = order.argsort(1)
    chosen = (rank < wanted[:, None]) & exists
    box, slot = chosen.nonzero(as_tuple=True)
    flat, price = images[box] * n + index[box, slot], cost[box, slot]
    cheapest = price.argsort(descending=True)
    owner = torch.full((raw.shape[0] * n,), -1, dtype=torch.long)
    owner[flat[cheapest]] = box[cheapest]
    positive = (owner >= 0).nonzero()[:, 0]
    return positive, owner[positive]


def detection_loss(raw, targets, cells, height, width, l1):
    """raw [B, N, 5 + C] logits; targets: per image [k, 5] x1, y1, x2, y2, class. l1: weight of the plain box distance."""
    images = torch.cat([torch.full((len(t),), i) for i, t in enumerate(targets)]).long()
    truths = torch.cat(targets)
    objectness = torch.zeros(raw.shape[0] * raw.shape[1])
    if len(truths) == 0:
        return F.binary_cross_entropy_with_logits(raw[..., 4].reshape(-1), objectness, reduction="sum")
    boxes, classes = truths[:, :4], truths[:, 4].long()
    positive, owner = assign(raw.detach(), boxes, classes, images, cells, height, width)
    count = max(len(positive), 1)
    objectness[positive] = 1
    flat = raw.reshape(-1, raw.shape[2])[positive]
    local = tuple(c.repeat(raw.shape[0])[positive] for c in cells)
    overlap = iou(decode(flat, local), boxes[owner])
    quality = overlap.detach().clamp(min=0)
    labels = F.one_hot(classes[owner], raw.shape[2] - 5) * quality[:, None]
    loss = 5 * (1 - overlap * overlap).sum()
    loss = loss + F.binary_cross_entropy_with_logits(raw[..., 4].reshape(-1), objectness, reduction="sum")
    loss = loss + F.binary_cross_entropy_with_logits(flat[:, 5:], labels, reduction="sum")
    if l1:
        target = boxes[owner]
        size = (target[:, 2:] - target[:, :2]) / local[2][:, None]
        centre = (target[:, 2:] + target[:, :2]) / 2 / local[2][:, None] - torch.stack(local[:2], 1)
        loss = loss + l1 * (flat[:, :4] - torch.cat((centre, size.clamp(min=1e-3).log()), 1)).abs().sum()
    return loss / count
