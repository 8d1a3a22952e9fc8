"""Small YOLOX-style detectors (Ge et al. 2021, "YOLOX: Exceeding YOLO Series in 2021"), written for 224 x 224 scenes.

Focus stem, CSP stages with residual bottlenecks, spatial pyramid pooling, PAFPN with nearest upsampling, decoupled heads
at strides 8, 16 and 32, SiLU throughout. `depthwise` builds the 3x3 convolutions as YOLOX-Nano does (depthwise, then
pointwise, each with its own BatchNorm and SiLU), `dense` as YOLOX-Tiny does.
"""
import math

import torch
from torch import nn

STRIDES = (8, 16, 32)

# Channels after the stem and after each of the four stages, width of the heads, bottlenecks of the four stages.
SIZES = {
    "depthwise": {"channels": (16, 24, 40, 64, 80), "head": 40, "depth": (1, 2, 2, 1)},
    "dense": {"channels": (16, 24, 32, 40, 48), "head": 24, "depth": (1, 2, 2, 1)},
}


class ConvAct(nn.Module):
    """Convolution, BatchNorm, SiLU."""

    def __init__(self, cin, cout, kernel=1, stride=1, groups=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(cout, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


def conv3(cin, cout, stride, kind):
    if kind == "dense":
        return ConvAct(cin, cout, 3, stride)
    return nn.Sequential(ConvAct(cin, cin, 3, stride, groups=cin), ConvAct(cin, cout))


class Bottleneck(nn.Module):
    def __init__(self, channels, residual, kind):
        super().__init__()
        self.reduce = ConvAct(channels, channels)
        self.conv = conv3(channels, channels, 1, kind)
        self.residual = residual

    def forward(self, x):
        y = self.conv(self.reduce(x))
        return x + y if self.residual else y


class Csp(nn.Module):
    """Cross-stage partial block: half of the channels through bottlenecks, half past them."""

    def __init__(self, cin, cout, depth, kind, residual=True):
        super().__init__()
        half = cout // 2
        self.through = ConvAct(cin, half)
        self.past = ConvAct(cin, half)
        self.blocks = nn.Sequential(*[Bottleneck(half, residual, kind) for _ in range(depth)])
        self.join = ConvAct(2 * half, cout)

    def forward(self, x):
        return self.join(torch.cat((self.blocks(self.through(x)), self.past(x)), 1))


class Focus(nn.Module):
    """Four neighbouring pixels to channels, in YOLOX's order."""

    def __init__(self, cout):
        super().__init__()
        self.conv = ConvAct(12, cout, 3)

    def forward(self, x):
        top, bottom = x[..., ::2, :], x[..., 1::2, :]
        return self.conv(torch.cat((top[..., ::2], bottom[..., ::2], top[..., 1::2], bottom[..., 1::2]), 1))


class Spp(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.reduce = ConvAct(channels, channels // 2)
        self.pools = nn.ModuleList([nn.MaxPool2d(k, 1, k // 2) for k in (3, 5, 7)])
        self.join = ConvAct(channels * 2, channels)

    def forward(self, x):
        x = self.reduce(x)
        return self.join(torch.cat([x] + [pool(x) for pool in self.pools], 1))


class Head(nn.Module):
    """One level: box and objectness share a branch, the classes have their own."""

    def __init__(self, cin, width, classes, kind):
        super().__init__()
        self.stem = ConvAct(cin, width)
        self.reg_conv = conv3(width, width, 1, kind)
        self.cls_conv = conv3(width, width, 1, kind)
        self.reg = nn.Conv2d(width, 4, 1)
        self.obj = nn.Conv2d(width, 1, 1)
        self.cls = nn.Conv2d(width, classes, 1)
        for conv in (self.obj, self.cls):
            nn.init.constant_(conv.bias, -math.log(99.0))

    def forward(self, x):
        x = self.stem(x)
        reg = self.reg_conv(x)
        return self.reg(reg), self.obj(reg), self.cls(self.cls_conv(x))


class Detector(nn.Module):
    """[B, 3, H, W] BGR 0-255 to [B, N, 5 + classes]: raw boxes; logits while training, sigmoid scores otherwise."""

    def __init__(self, kind, classes):
        super().__init__()
        size = SIZES[kind]
        c0, c1, c2, c3, c4 = size["channels"]
        d1, d2, d3, d4 = size["depth"]
        self.stem = Focus(c0)
        self.dark2 = nn.Sequential(conv3(c0, c1, 2, kind), Csp(c1, c1, d1, kind))
        self.dark3 = nn.Sequential(conv3(c1, c2, 2, kind), Csp(c2, c2, d2, kind))
        self.dark4 = nn.Sequential(conv3(c2, c3, 2, kind), Csp(c3, c3, d3, kind))
        self.dark5 = nn.Sequential(conv3(c3, c4, 2, kind), Spp(c4), Csp(c4, c4, d4, kind, residual=False))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.lateral5 = ConvAct(c4, c3)
        self.merge4 = Csp(2 * c3, c3, 1, kind, residual=False)
        self.lateral4 = ConvAct(c3, c2)
        self.merge3 = Csp(2 * c2, c2, 1, kind, residual=False)
        self.down3 = conv3(c2, c2, 2, kind)
        self.out4 = Csp(2 * c2, c3, 1, kind, residual=False)
        self.down4 = conv3(c3, c3, 2, kind)
        self.out5 = Csp(2 * c3, c4, 1, kind, residual=False)
        self.heads = nn.ModuleList([Head(c, size["head"], classes, kind) for c in (c2, c3, c4)])

    def forward(self, x):
        p3 = self.dark3(self.dark2(self.stem(x)))
        p4 = self.dark4(p3)
        p5 = self.lateral5(self.dark5(p4))
        m4 = self.lateral4(self.merge4(torch.cat((self.up(p5), p4), 1)))
        n3 = self.merge3(torch.cat((self.up(m4), p3), 1))
        n4 = self.out4(torch.cat((self.down3(n3), m4), 1))
        n5 = self.out5(torch.cat((self.down4(n4), p5), 1))
        levels = []
        for head, feature in zip(self.heads, (n3, n4, n5)):
            reg, obj, cls = head(feature)
            if not self.training:
                obj, cls = obj.sigmoid(), cls.sigmoid()
            y = torch.cat((reg, obj, cls), 1)
            levels.append(y.reshape(int(y.shape[0]), int(y.shape[1]), int(y.shape[2]) * int(y.shape[3])))
        return torch.cat(levels, 2).permute(0, 2, 1)


def grid(height, width):
    """Per prediction: column, row and stride, [N] each, in the order of the output."""
    xs, ys, strides = [], [], []
    for stride in STRIDES:
        rows, cols = height // stride, width // stride
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        xs.append(x.reshape(-1))
        ys.append(y.reshape(-1))
        strides.append(torch.full((rows * cols,), stride))
    return torch.cat(xs).float(), torch.cat(ys).float(), torch.cat(strides).float()


def decode(raw, cells):
    """Boxes [..., 4] as x1, y1, x2, y2 in network pixels."""
    x, y, stride = cells
    cx, cy = (raw[..., 0] + x) * stride, (raw[..., 1] + y) * stride
    w, h = raw[..., 2].clamp(max=8).exp() * stride, raw[..., 3].clamp(max=8).exp() * stride
    return torch.stack((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), -1)
