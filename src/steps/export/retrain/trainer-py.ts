/** The optimizer and the loop of retrain.py. */
export const TRAINER_PY = `# ---- training -------------------------------------------------------------------------------------------------------

BETAS = (0.9, 0.99)
CALIBRATION = 16


class Student(nn.Module):
    """The network that is trained, with the 1x1 convolutions that take its features to the teacher's width."""

    def __init__(self, graph, wanted, features):
        super().__init__()
        self.graph, self.wanted, self.features = graph, wanted, features
        self.projections = nn.ModuleDict()

    def forward(self, images):
        values = self.graph(images, self.wanted)
        for i, name in enumerate(self.features):
            key = str(i)
            values["feature/" + name] = self.projections[key](values[name]) if key in self.projections else values[name]
        return values


class Moments:
    """Mean and variance by channel, summed up in float64."""

    def __init__(self):
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, value, axis):
        value = value.detach().double()
        rest = [i for i in range(value.dim()) if axis is None or i != axis % value.dim()]
        self.count += value.numel() if axis is None else value.numel() // value.shape[axis]
        self.total = self.total + value.sum(rest)
        self.squares = self.squares + (value * value).sum(rest)

    def variance(self):
        mean = self.total / self.count
        return (self.squares / self.count - mean * mean).clamp(min=0).float()


class Run:
    """Everything that lives as long as the process."""

    def __init__(self, args, device, rank, world, log):
        self.args, self.device, self.rank, self.world, self.log = args, device, rank, world, log
        self.model, teacher = load_onnx(args.student), load_onnx(args.teacher)
        self.complaint = check_onnx(self.model)
        if self.complaint:
            print("retrain.py: the onnx package can't judge this file: %s" % self.complaint, file=sys.stderr, flush=True)
        self.teacher = Graph(teacher, "the teacher").to(device).eval().requires_grad_(False)
        self.graph = Graph(self.model, "the network").to(device)
        self.images = Images(args.data, args.seed)
        if args.loss == "labels" and self.images.labelled() == 0:
            fail("none of the images has labels: put instances.json beside images/, or use --loss distil.")
        self.numbers, self.unseen = held_back(len(self.images), args.holdout, args.holdout_images, args.seed)
        self.prepare = Preparer(device)
        self.losses = Losses(args, self.graph, self.teacher, next(self.calibration()))
        self.steps = args.steps or max(1, math.ceil(args.epochs * len(self.numbers) / args.batch))
        self.module = Student(self.graph, self.losses.wanted, self.losses.features)
        self.measure()
        self.flatten()
        self.scale = 2.0 ** 14 if args.amp == "fp16" else 1.0
        self.scale_steps, self.lost, self.step = 0, 0, 0
        self.best = (math.inf, None, 0)

    def autocast(self):
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.args.amp, torch.float32)
        return torch.autocast(self.device.type, dtype=kind if kind != torch.float32 else torch.bfloat16, enabled=kind != torch.float32)

    def calibration(self):
        """A few training images as the network's input, one at a time."""
        few = self.numbers[np.unique(np.linspace(0, len(self.numbers) - 1, CALIBRATION).astype(np.int64))]
        for index in few.tolist():
            yield self.prepare(torch.from_numpy(self.images[(0, index, False)][0])[None])

    @torch.no_grad()
    def measure(self):
        """Units of the bias steps, variances of what is compared, the projections' start; whether batches can be run whole."""
        losses, graph = self.losses, self.graph
        behind = sorted({w.behind for w in graph.found.values() if w.behind and w.behind[0] in graph.moving}, key=str)
        watched = [value for value, _ in behind] + list(losses.wanted)
        self.sigma = {key: Moments() for key in behind}
        variances = {name: Moments() for name in losses.features + losses.outputs}
        grams = {name: [0, 0] for name, (own, other) in losses.widths.items() if own != other}
        for x in self.calibration():
            values = graph(x, watched)
            targets = self.teacher(x, losses.targets) if losses.targets else {}
            for value, axis in behind:
                self.sigma[(value, axis)].add(values[value], axis)
            for name, moments in variances.items():
                moments.add(targets[name], 1 if targets[name].dim() > 1 else None)
            for name, gram in grams.items():
                own, other = (v.flatten(2)[0].double() for v in (values[name], targets[name]))
                own = torch.cat([own, torch.ones_like(own[:1])])
                gram[0], gram[1] = gram[0] + own @ own.t(), gram[1] + other @ own.t()
        losses.variance = {name: self.share(floored(m.variance())) for name, m in variances.items()}
        self.sigma = {key: self.share(m.variance().sqrt()) for key, m in self.sigma.items()}
        for i, name in enumerate(losses.features):
            if name in grams:
                self.module.projections[str(i)] = self.projection(*grams[name])
        two = [x for x, _ in zip(self.calibration(), range(2))]
        for net, wanted in ((graph, losses.wanted), (self.teacher, losses.targets)):
            net.single = not batches_agree(net, wanted, two)

    def projection(self, gram, cross):
        """The least-squares map between two widths; a ridge keeps it finite."""
        ridge = 1e-4 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        solved = torch.linalg.solve(gram + ridge, cross.t()).t().float()
        conv = nn.Conv2d(solved.shape[1] - 1, solved.shape[0], 1).to(self.device)
        conv.weight.data.copy_(self.share(solved[:, :-1, None, None].contiguous()))
        conv.bias.data.copy_(self.share(solved[:, -1].contiguous()))
        return conv

    def share(self, tensor):
        """The same numbers on every rank."""
        if self.world > 1:
            dist.broadcast(tensor, 0)
        return tensor

    def flatten(self):
        """Puts every trained number into one vector, with the size of a step and the rate of each."""
        self.freeze_idle()
        names = {id(self.graph.parameters_of[i]): name for name, i in self.graph.index.items()}
        self.trained = [p for p in self.module.parameters() if p.requires_grad]
        self.flat = torch.cat([p.detach().reshape(-1) for p in self.trained])
        units, rates, at, self.slices = [], [], 0, {}
        for p in self.trained:
            name = names.get(id(p))
            weight = self.graph.found[name] if name else Weight(0)
            biased = weight.behind is not None
            unit = self.bias_unit(weight, p) if biased else row_size(p.detach(), weight.axis)
            units.append(unit.expand(p.shape).reshape(-1))
            rates.append(torch.full_like(units[-1], self.args.lr_bias if biased or not name else self.args.lr))
            if name:
                self.slices[name] = (at, at + p.numel())
            p.data = self.flat[at:at + p.numel()].view_as(p)
            at += p.numel()
        self.unit, self.rate = self.share(torch.cat(units)), torch.cat(rates)
        self.first, self.second = torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.average = self.flat.clone()

    def freeze_idle(self):
        """Weights that the loss doesn't reach are left as they are; DDP would wait for their gradients for ever."""
        x = next(iter(self.calibration()))
        values = self.module(x)
        read = [v for name, v in values.items() if name not in self.losses.features]
        reached = sum(v.float().sum() for v in read if v.requires_grad)
        params = list(self.module.parameters())
        for p, g in zip(params, torch.autograd.grad(reached, params, allow_unused=True)):
            p.requires_grad_(g is not None)

    def bias_unit(self, weight, p):
        """A bias moves in units of what it shifts: the standard deviation of that channel over the calibration images."""
        sigma = self.sigma.get(weight.behind)
        if sigma is None:
            return row_size(p.detach(), None)
        sigma = sigma.clamp(min=float(sigma.mean()) * 1e-2 + 1e-8)
        if sigma.dim() == 0 or p.dim() == 0 or sigma.numel() not in p.shape:
            return sigma.mean().reshape([1] * p.dim())
        axis = list(p.shape).index(sigma.numel())
        return sigma.reshape([-1 if i == axis else 1 for i in range(p.dim())])

    def schedule(self):
        """Factor on every rate: linear warm-up times a cosine to 2 %."""
        rise = min(1.0, (self.step + 1) / max(self.args.warmup * self.steps, 1.0))
        return rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.step / self.steps)))

    def update(self):
        """One Adam step in each variable's own unit; returns the gradient's norm in these units, None where it was not finite."""
        gradient = torch.cat([p.grad.detach().reshape(-1) for p in self.trained]) * (self.unit / self.scale)
        norm = float(gradient.norm())
        if not math.isfinite(norm):
            self.lost += 1
            self.scale, self.scale_steps = max(self.scale / 2, 1.0), 0
            if self.lost > 50:
                fail("50 steps in a row had no finite gradient. Try a smaller --lr, or --amp off.")
            return None
        self.lost, self.scale_steps = 0, self.scale_steps + 1
        if self.args.amp == "fp16" and self.scale_steps % 1000 == 0:
            self.scale *= 2
        gradient *= min(1.0, self.args.clip / max(norm, 1e-12))
        self.first.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
        self.second.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        count = self.step + 1
        step = self.first / (1 - BETAS[0] ** count) / ((self.second / (1 - BETAS[1] ** count)).sqrt_().add_(1e-12))
        self.flat.addcmul_(step.mul_(self.unit), self.rate, value=-self.schedule())
        decay = min(self.args.ema, (self.step + 1) / (self.step + 10))
        self.average.mul_(decay).add_(self.flat, alpha=1 - decay)
        return norm

    def reduce(self, tensor):
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def sums(self, network, canvas, tables, counts):
        x = self.prepare(canvas)
        tables, counts = tables.to(self.device), counts.to(self.device)
        with self.autocast():
            with torch.no_grad():
                targets = self.teacher(x, self.losses.targets) if self.losses.targets else {}
            values = network(x)
        return self.losses.sums(values, targets, tables, counts)

    @torch.no_grad()
    def evaluate(self):
        """The loss of the averaged weights on images that no step sees, shared among the ranks."""
        if len(self.unseen) == 0:
            return None
        trained = self.flat.clone()
        self.flat.copy_(self.average)
        names = list(self.losses.parts())
        total = torch.zeros(len(names) + 3, device=self.device)
        for index in self.unseen[self.rank::self.world].tolist():
            canvas, table, count = self.images[(0, index, False)]
            batch = torch.from_numpy(canvas)[None], torch.from_numpy(table)[None], torch.tensor([count])
            parts, divisors = self.sums(self.module, *batch)
            total += torch.cat([torch.stack([parts[name] for name in names]), divisors])
        self.flat.copy_(trained)
        self.reduce(total)
        divisors = total[len(names):]
        return sum(self.losses.weight(n) * float(total[i] / self.losses.divisor(n, divisors)) for i, n in enumerate(names))


def floored(variance):
    """Channels that hardly move would outweigh all others."""
    return variance.clamp(min=float(variance.mean()) * 1e-2 + 1e-12)


def batches_agree(graph, wanted, images):
    """Whether several images at once give what they give alone: networks exported for batch 1 need not."""
    alone = [graph(x, wanted) for x in images]
    try:
        both = graph(torch.cat(images), wanted)
    except RuntimeError:
        return False
    pairs = [(both[name], torch.cat([values[name] for values in alone])) for name in wanted]
    return all(a.shape == b.shape and torch.allclose(a, b, rtol=1e-2, atol=1e-3) for a, b in pairs)


def row_size(p, axis):
    """Root mean square of each output channel, shaped to broadcast; channels that are all but zero count as a hundredth."""
    whole = p.pow(2).mean().sqrt()
    rest = [i for i in range(p.dim()) if axis is None or i != axis % p.dim()]
    rows = p.pow(2).mean(rest, keepdim=True).sqrt() if rest else p.abs()
    return rows.clamp(min=float(whole) * 1e-2 + 1e-8)


`;
