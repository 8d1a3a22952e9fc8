/** Operators of retrain.py that compute value by value, move values about, or reckon with shapes. */
export const VALUES_PY = `# ---- operators: arithmetic, shapes ----------------------------------------------------------------------------------


def together(*tensors):
    """All on one device: shapes are reckoned with on the CPU."""
    device = next((t.device for t in tensors if t is not None and t.device.type != "cpu"), None)
    return tensors if device is None else tuple(t if t is None else t.to(device) for t in tensors)


def binary(function):
    return lambda graph, node, a, b: function(*together(a, b))


def several(function):
    return lambda graph, node, *parts: functools.reduce(function, together(*parts))


def divide(a, b):
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


OPS["Add"] = binary(torch.add)
OPS["Sub"] = binary(torch.sub)
OPS["Mul"] = binary(torch.mul)
OPS["Div"] = binary(divide)
OPS["Pow"] = binary(lambda a, b: torch.pow(a, b).to(a.dtype))
OPS["Mod"] = lambda graph, node, a, b: (torch.fmod if node.get("fmod", 0) else torch.remainder)(*together(a, b))
OPS["Min"] = several(torch.minimum)
OPS["Max"] = several(torch.maximum)
OPS["Sum"] = several(torch.add)
OPS["Mean"] = lambda graph, node, *parts: functools.reduce(torch.add, together(*parts)) / len(parts)
OPS["Equal"] = binary(torch.eq)
OPS["Less"] = binary(torch.lt)
OPS["LessOrEqual"] = binary(torch.le)
OPS["Greater"] = binary(torch.gt)
OPS["GreaterOrEqual"] = binary(torch.ge)
OPS["And"] = binary(torch.logical_and)
OPS["Or"] = binary(torch.logical_or)
OPS["Not"] = lambda graph, node, x: torch.logical_not(x)
OPS["Where"] = lambda graph, node, condition, a, b: torch.where(*together(condition, a, b))
for name in ("Sqrt", "Exp", "Log", "Neg", "Abs", "Floor", "Ceil", "Round", "Reciprocal", "Sign", "Sin", "Cos"):
    OPS[name] = (lambda function: lambda graph, node, x: function(x))(getattr(torch, name.lower()))


def axes_of(node, x, given):
    axes = ints(given) if given is not None else node.get("axes")
    return [a % x.dim() for a in axes] if axes else None


def reduction(function):
    def reduce(graph, node, x, given=None):
        axes = axes_of(node, x, given)
        if axes is None and node.get("noop_with_empty_axes", 0):
            return x
        return function(x, list(range(x.dim())) if axes is None else axes, bool(node.get("keepdims", 1)))

    return reduce


def product(x, axes, keep):
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keepdim=keep)
    return x


OPS["ReduceMean"] = reduction(lambda x, axes, keep: x.mean(axes, keepdim=keep))
OPS["ReduceSum"] = reduction(lambda x, axes, keep: x.sum(axes, keepdim=keep))
OPS["ReduceMax"] = reduction(lambda x, axes, keep: x.amax(axes, keepdim=keep))
OPS["ReduceMin"] = reduction(lambda x, axes, keep: x.amin(axes, keepdim=keep))
OPS["ReduceL2"] = reduction(lambda x, axes, keep: (x * x).sum(axes, keepdim=keep).sqrt())
OPS["ReduceProd"] = reduction(product)


def arg(function):
    def best(graph, node, x):
        axis, keep = node.get("axis", 0), bool(node.get("keepdims", 1))
        if not node.get("select_last_index", 0):
            return function(x, axis, keepdim=keep)
        return x.shape[axis] - 1 - function(x.flip(axis), axis, keepdim=keep)

    return best


OPS["ArgMax"] = arg(torch.argmax)
OPS["ArgMin"] = arg(torch.argmin)


@op
def TopK(graph, node, x, k=None):
    count = node.get("k") if k is None else ints(k)[0]
    return list(x.topk(count, node.get("axis", -1), bool(node.get("largest", 1)), bool(node.get("sorted", 1))))


@op
def NonZero(graph, node, x):
    return torch.nonzero(x).t()


@op
def Concat(graph, node, *parts):
    return torch.cat(together(*parts), node.get("axis", 1))


@op
def Split(graph, node, x, given=None):
    axis = node.get("axis", 0)
    sizes = ints(given) if given is not None else node.get("split")
    if sizes:
        return list(torch.split(x, sizes, axis))
    return list(torch.split(x, -(-x.shape[axis] // len(node.outputs)), axis))


@op
def Slice(graph, node, x, starts=None, ends=None, axes=None, steps=None):
    starts, ends = (node.get("starts"), node.get("ends")) if starts is None else (ints(starts), ints(ends))
    axes = ints(axes) if axes is not None else node.get("axes") or list(range(len(starts)))
    steps = ints(steps) if steps is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        axis %= x.dim()
        taken = range(*slice(start, end, step).indices(x.shape[axis]))
        if step > 0:
            x = x[(slice(None),) * axis + (slice(taken.start, max(taken.start, taken.stop), step),)]
        else:
            x = x.index_select(axis, torch.tensor(list(taken), dtype=torch.long, device=x.device))
    return x


def wrapped(indices, size, device):
    indices = indices.to(device).long()
    return torch.where(indices < 0, indices + size, indices)


@op
def Gather(graph, node, x, indices):
    axis = node.get("axis", 0) % x.dim()
    flat = x.index_select(axis, wrapped(indices, x.shape[axis], x.device).reshape(-1))
    return flat.reshape(list(x.shape[:axis]) + list(indices.shape) + list(x.shape[axis + 1:]))


@op
def GatherElements(graph, node, x, indices):
    axis = node.get("axis", 0)
    return torch.gather(x, axis, wrapped(indices, x.shape[axis], x.device))


@op
def GatherND(graph, node, x, indices):
    if node.get("batch_dims", 0):
        raise NotImplementedError("GatherND with batch_dims")
    return x[tuple(wrapped(indices[..., i], x.shape[i], x.device) for i in range(indices.shape[-1]))]


@op
def ScatterND(graph, node, x, indices, updates):
    x, updates = together(x, updates)
    at = tuple(wrapped(indices[..., i], x.shape[i], x.device) for i in range(indices.shape[-1]))
    return x.index_put(at, updates)


@op
def ScatterElements(graph, node, x, indices, updates):
    x, updates = together(x, updates)
    axis = node.get("axis", 0)
    return x.scatter(axis, wrapped(indices, x.shape[axis], x.device), updates)


@op
def Reshape(graph, node, x, shape=None):
    wanted = node.get("shape") if shape is None else ints(shape)
    if not node.get("allowzero", 0):
        wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    # A network exported for one image names batch 1 here; with several images at once the first axis grows.
    if graph.loose and node.moving and wanted and wanted[0] == 1:
        wanted[0] = graph.batch
    return x.reshape(wanted)


@op
def Flatten(graph, node, x):
    axis = node.get("axis", 1)
    axis = axis + x.dim() if axis < 0 else axis
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


@op
def Transpose(graph, node, x):
    return x.permute(node.get("perm") or list(range(x.dim()))[::-1])


@op
def Squeeze(graph, node, x, given=None):
    axes = axes_of(node, x, given)
    kept = [size for i, size in enumerate(x.shape) if (i not in axes if axes is not None else size != 1)]
    return x.reshape(kept)


@op
def Unsqueeze(graph, node, x, given=None):
    axes = ints(given) if given is not None else node.get("axes")
    rank = x.dim() + len(axes)
    for axis in sorted(a % rank for a in axes):
        x = x.unsqueeze(axis)
    return x


@op
def Expand(graph, node, x, shape):
    return x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(ints(shape))))


@op
def Tile(graph, node, x, repeats):
    return x.repeat(ints(repeats))


@op
def Pad(graph, node, x, pads=None, value=None, given=None):
    sides = node.get("pads") if pads is None else ints(pads)
    axes = axes_of(node, x, given) or list(range(x.dim()))
    fill = node.get("value", 0.0) if value is None or value.numel() == 0 else value.item()
    mode = node.get("mode", "constant")
    for i, axis in enumerate(axes):
        begin, end, size = sides[i], sides[i + len(axes)], x.shape[axis]
        if mode == "constant":
            x = F.pad(x, [0, 0] * (x.dim() - 1 - axis) + [begin, end], value=fill)
        elif begin or end:
            at = torch.arange(-begin, size + end, device=x.device)
            if mode == "reflect":
                at = (size - 1) - ((at % (2 * size - 2)) - (size - 1)).abs()
            x = x.index_select(axis, at % size if mode == "wrap" else at.clamp(0, size - 1))
    return x


@op
def SpaceToDepth(graph, node, x):
    n, c, h, w = x.shape
    b = node.get("blocksize")
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 3, 5, 1, 2, 4).reshape(n, c * b * b, h // b, w // b)


@op
def DepthToSpace(graph, node, x):
    n, c, h, w = x.shape
    b = node.get("blocksize")
    if node.get("mode", "DCR") == "DCR":
        y = x.reshape(n, b, b, c // (b * b), h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(n, c // (b * b), b, b, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, c // (b * b), h * b, w * b)


@op
def Shape(graph, node, x):
    return torch.tensor(list(x.shape)[slice(node.get("start", 0), node.get("end"))], dtype=torch.int64)


@op
def ConstantOfShape(graph, node, shape):
    value = torch.from_numpy(np.array(node.get("value", np.zeros(1, np.float32)))).reshape(-1)
    return value.new_full(ints(shape), value[0].item())


@op
def Range(graph, node, start, limit, delta):
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


# Everything floating computes in float32; --amp is where less is decided on.
TYPES = {1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32, 7: torch.int64, 9: torch.bool}
TYPES.update({10: torch.float32, 11: torch.float32, 16: torch.float32})

OPS["Size"] = lambda graph, node, x: torch.tensor(x.numel(), dtype=torch.int64)
OPS["Cast"] = lambda graph, node, x: x.to(TYPES[node.get("to")])
OPS["Identity"] = lambda graph, node, x: x


`;
