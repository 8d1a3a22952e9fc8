/** Operators of retrain.py with weights or windows: convolutions, pooling, normalization, activations, resize. */
export const LAYERS_PY = `# ---- operators: layers ----------------------------------------------------------------------------------------------
# One function per ONNX operator, named as the operator: (graph, node, *inputs) -> tensor or list of tensors. An input that
# is left out is None. https://onnx.ai/onnx/operators/ has the definitions; opsets 7 to 21.

OPS = {}


def op(function):
    OPS[function.__name__] = function
    return function


def ints(tensor):
    return [int(v) for v in tensor.reshape(-1).tolist()]


def spatial_pads(node, size, kernel, stride, dilation):
    """(begin, end) of the spatial axes."""
    n, auto = len(kernel), node.get("auto_pad", "NOTSET")
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        pads = (node.get("pads") if auto == "NOTSET" else None) or [0] * (2 * n)
        return pads[:n], pads[n:]
    begin, end = [], []
    for i in range(n):
        reach = (kernel[i] - 1) * dilation[i] + 1
        total = max((-(-size[i] // stride[i]) - 1) * stride[i] + reach - size[i], 0)
        begin.append(total // 2 if auto == "SAME_UPPER" else total - total // 2)
        end.append(total - begin[-1])
    return begin, end


def pad_spatial(x, begin, end, value=0.0):
    flat = [side for pair in zip(reversed(begin), reversed(end)) for side in pair]
    return F.pad(x, flat, value=value) if any(flat) else x


def window(node, x, kernel):
    n = len(kernel)
    stride, dilation = node.get("strides") or [1] * n, node.get("dilations") or [1] * n
    return stride, dilation, spatial_pads(node, list(x.shape[2:]), kernel, stride, dilation)


@op
def Conv(graph, node, x, w, b=None):
    stride, dilation, (begin, end) = window(node, x, list(w.shape[2:]))
    if begin != end:
        x, begin = pad_spatial(x, begin, end), [0] * len(begin)
    conv = (F.conv1d, F.conv2d, F.conv3d)[w.dim() - 3]
    return conv(x, w, b, stride, begin, dilation, node.get("group", 1))


@op
def ConvTranspose(graph, node, x, w, b=None):
    kernel = list(w.shape[2:])
    n = len(kernel)
    stride, dilation = node.get("strides") or [1] * n, node.get("dilations") or [1] * n
    extra, wanted, auto = node.get("output_padding") or [0] * n, node.get("output_shape"), node.get("auto_pad", "NOTSET")
    if auto.startswith("SAME") and not wanted:
        wanted = [x.shape[2 + i] * stride[i] for i in range(n)]
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
    y = conv(x, w, None, stride, 0, 0, node.get("group", 1), dilation)
    y = pad_spatial(y, [0] * n, extra)
    if wanted:
        total = [max(y.shape[2 + i] - wanted[i], 0) for i in range(n)]
        begin = [t - t // 2 if auto != "SAME_UPPER" else t // 2 for t in total]
        end = [t - s for t, s in zip(total, begin)]
    else:
        pads = node.get("pads") or [0] * (2 * n)
        begin, end = pads[:n], pads[n:]
    y = pad_spatial(y, [-v for v in begin], [-v for v in end])
    return y if b is None else y + b.reshape([1, -1] + [1] * n)


@op
def MaxPool(graph, node, x):
    kernel = node.get("kernel_shape")
    stride, dilation, (begin, end) = window(node, x, kernel)
    if begin != end or any(2 * p > k for p, k in zip(begin, kernel)):
        x, begin = pad_spatial(x, begin, end, -math.inf), [0] * len(begin)
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(kernel) - 1]
    return pool(x, kernel, stride, begin, dilation, bool(node.get("ceil_mode", 0)))


@op
def AveragePool(graph, node, x):
    kernel = node.get("kernel_shape")
    stride, _, (begin, end) = window(node, x, kernel)
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(kernel) - 1]
    ceil = bool(node.get("ceil_mode", 0))
    y = pool(pad_spatial(x, begin, end), kernel, stride, 0, ceil)
    if node.get("count_include_pad", 0) or not any(begin + end):
        return y
    ones = pad_spatial(torch.ones_like(x[:1, :1]), begin, end)
    return y / pool(ones, kernel, stride, 0, ceil)


@op
def GlobalAveragePool(graph, node, x):
    return x.mean(list(range(2, x.dim())), keepdim=True)


@op
def GlobalMaxPool(graph, node, x):
    return x.amax(list(range(2, x.dim())), keepdim=True)


@op
def BatchNormalization(graph, node, x, scale, bias, mean, var):
    return F.batch_norm(x, mean, var, scale, bias, False, 0.0, node.get("epsilon", 1e-5))


@op
def InstanceNormalization(graph, node, x, scale, bias):
    return F.instance_norm(x, weight=scale, bias=bias, eps=node.get("epsilon", 1e-5))


@op
def LayerNormalization(graph, node, x, scale, bias=None):
    axis = node.get("axis", -1) % x.dim()
    return F.layer_norm(x, list(x.shape[axis:]), scale, bias, node.get("epsilon", 1e-5))


@op
def LRN(graph, node, x):
    return F.local_response_norm(x, node.get("size"), node.get("alpha", 1e-4), node.get("beta", 0.75), node.get("bias", 1.0))


@op
def Gemm(graph, node, a, b, c=None):
    a = a.t() if node.get("transA", 0) else a
    y = node.get("alpha", 1.0) * (a @ (b.t() if node.get("transB", 0) else b))
    return y if c is None else y + node.get("beta", 1.0) * c


@op
def MatMul(graph, node, a, b):
    return torch.matmul(*together(a, b))


@op
def PRelu(graph, node, x, slope):
    return x.clamp(min=0) + slope * x.clamp(max=0)


@op
def Clip(graph, node, x, low=None, high=None):
    low = node.get("min") if low is None else low.item()
    high = node.get("max") if high is None else high.item()
    return x if low is None and high is None else x.clamp(low, high)


def hard_sigmoid(x, alpha, beta):
    return (alpha * x + beta).clamp(0, 1)


def soft_axis(graph, node, x, function):
    if graph.opset >= 13:
        return function(x, node.get("axis", -1))
    axis = node.get("axis", 1) % x.dim()
    return function(x.flatten(axis), axis).reshape(x.shape)  # older opsets: over all axes from this one


OPS["Relu"] = lambda graph, node, x: F.relu(x)
OPS["LeakyRelu"] = lambda graph, node, x: F.leaky_relu(x, node.get("alpha", 0.01))
OPS["Elu"] = lambda graph, node, x: F.elu(x, node.get("alpha", 1.0))
OPS["Selu"] = lambda graph, node, x: F.selu(x)
OPS["Gelu"] = lambda graph, node, x: F.gelu(x, approximate=node.get("approximate", "none"))
OPS["Mish"] = lambda graph, node, x: F.mish(x)
OPS["Sigmoid"] = lambda graph, node, x: torch.sigmoid(x)
OPS["HardSigmoid"] = lambda graph, node, x: hard_sigmoid(x, node.get("alpha", 0.2), node.get("beta", 0.5))
OPS["HardSwish"] = lambda graph, node, x: x * hard_sigmoid(x, 1 / 6, 0.5)
OPS["Tanh"] = lambda graph, node, x: torch.tanh(x)
OPS["Softplus"] = lambda graph, node, x: F.softplus(x)
OPS["Softsign"] = lambda graph, node, x: F.softsign(x)
OPS["Erf"] = lambda graph, node, x: torch.erf(x)
OPS["Softmax"] = lambda graph, node, x: soft_axis(graph, node, x, F.softmax)
OPS["LogSoftmax"] = lambda graph, node, x: soft_axis(graph, node, x, F.log_softmax)
OPS["Dropout"] = lambda graph, node, x, *rest: x


def positions(out, scale, size, mode):
    """Source coordinate of every output pixel along one axis."""
    at = torch.arange(out, dtype=torch.float64)
    if mode == "asymmetric":
        return at / scale
    if mode == "align_corners":
        return at * (size - 1) / (out - 1) if out > 1 else torch.zeros_like(at)
    if mode == "tf_half_pixel_for_nn":
        return (at + 0.5) / scale
    if mode == "pytorch_half_pixel" and out == 1:
        return torch.zeros_like(at)
    if mode == "half_pixel_symmetric":
        return size / 2 * (1 - out / (scale * size)) + (at + 0.5) / scale - 0.5
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (at + 0.5) / scale - 0.5
    raise NotImplementedError("Resize with coordinates %s" % mode)


def cubic_weights(t, a):
    """Keys 1981, for the taps at -1, 0, 1 and 2."""
    near = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1
    far = lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


@functools.lru_cache(maxsize=None)
def taps(out, scale, size, kind, mode, rounding, a, device):
    """[(indices, weights or None)] to add up along one axis."""
    at = positions(out, scale, size, mode)
    if kind == "nearest":
        near = {
            "floor": torch.floor,
            "ceil": torch.ceil,
            "round_prefer_ceil": lambda v: torch.floor(v + 0.5),
            "round_prefer_floor": lambda v: torch.ceil(v - 0.5),
        }[rounding](at)
        return [(near.clamp(0, size - 1).long().to(device), None)]
    if kind == "linear":
        at = at.clamp(0, size - 1)
    low = torch.floor(at)
    t = at - low
    pairs = zip((0, 1), (1 - t, t)) if kind == "linear" else zip((-1, 0, 1, 2), cubic_weights(t, a))
    return [((low + d).clamp(0, size - 1).long().to(device), w.float().to(device)) for d, w in pairs]


def resample(x, sizes, scales, kind, mode, rounding="round_prefer_floor", a=-0.75):
    plain = kind == "nearest" and mode == "asymmetric" and rounding == "floor" and all(s == int(s) for s in scales)
    if plain and x.dim() == 4 and list(sizes[:2]) == list(x.shape[:2]):
        return F.interpolate(x, list(sizes[2:]), mode="nearest")
    for axis, (size, scale) in enumerate(zip(sizes, scales)):
        if size == x.shape[axis] and scale == 1:
            continue
        total = None
        for indices, weights in taps(size, scale, x.shape[axis], kind, mode, rounding, a, x.device):
            part = x.index_select(axis, indices)
            if weights is not None:
                part = part * weights.reshape([-1] + [1] * (x.dim() - axis - 1))
            total = part if total is None else total + part
        x = total
    return x


def scaled(size, factor):
    return int(np.floor(np.float32(size) * np.float32(factor)))  # in float32, as onnxruntime does


@op
def Resize(graph, node, x, *rest):
    roi, scales, sizes = ([None, rest[0], None] if graph.opset < 11 else list(rest) + [None] * 3)[:3]
    if node.get("antialias", 0) or node.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise NotImplementedError("Resize with antialiasing or a fixed aspect ratio")
    axes = [a % x.dim() for a in node.get("axes") or range(x.dim())]
    out, factors = list(x.shape), [1.0] * x.dim()
    given = ints(sizes) if sizes is not None and sizes.numel() else None
    for i, axis in enumerate(axes):
        if given:
            out[axis] = x.shape[0] if axis == 0 and graph.loose and given[i] == 1 else given[i]
            factors[axis] = out[axis] / x.shape[axis]
        else:
            factors[axis] = float(scales.reshape(-1)[i])
            out[axis] = scaled(x.shape[axis], factors[axis])
    mode = node.get("coordinate_transformation_mode", "half_pixel" if graph.opset >= 11 else "asymmetric")
    rounding = node.get("nearest_mode", "round_prefer_floor" if graph.opset >= 11 else "floor")
    return resample(x, out, factors, node.get("mode", "nearest"), mode, rounding, node.get("cubic_coeff_a", -0.75))


@op
def Upsample(graph, node, x, scales=None):
    factors = [float(s) for s in (node.get("scales") if scales is None else scales.reshape(-1).tolist())]
    out = [scaled(size, factor) for size, factor in zip(x.shape, factors)]
    return resample(x, out, factors, node.get("mode", "nearest"), "asymmetric", "floor")


`;
