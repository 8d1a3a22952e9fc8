/** The middle of retrain.py: an ONNX graph as a torch module, and the same protobuf with other weights. */
export const GRAPH_PY = `# ---- the network ----------------------------------------------------------------------------------------------------


def attribute(proto):
    value = onnx.helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return list(value) if proto.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


class Node:
    def __init__(self, proto):
        self.op, self.domain = proto.op_type, proto.domain
        self.name = proto.name or (proto.output[0] if proto.output else "")
        self.inputs, self.outputs = list(proto.input), list(proto.output)
        self.attributes = {a.name: attribute(a) for a in proto.attribute}
        self.moving = False  # depends on the image

    def get(self, key, default=None):
        return self.attributes.get(key, default)


class Weight:
    """Something that is trained. axis: of its output channels, None = all one; behind: the (value, axis) that a bias shifts."""

    def __init__(self, axis, behind=None):
        self.axis, self.behind = axis, behind


def constant_of(node):
    """Value of a Constant node as an array."""
    for key in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        if key in node.attributes:
            kind = np.float32 if "float" in key else np.int64
            return np.array(node.attributes[key]) if key == "value" else np.array(node.attributes[key], kind)
    raise NotImplementedError("a Constant without numbers")


# Input number -> axis of its output channels.
WEIGHTS = {"Conv": {1: 0}, "ConvTranspose": {1: 1}, "Gemm": {1: None}, "MatMul": {0: None, 1: -1}, "PRelu": {1: None}}
WEIGHTS.update({kind: {1: None} for kind in ("BatchNormalization", "InstanceNormalization", "LayerNormalization")})
# Input number of the bias -> axis of the output that it runs along.
BIASES = {"Conv": (2, 1), "ConvTranspose": (2, 1), "Gemm": (2, -1), "LayerNormalization": (2, -1)}
BIASES.update({"BatchNormalization": (2, 1), "InstanceNormalization": (2, 1)})
# A weight may come through these on its way to a layer.
PASSES = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast"}
# Their inputs behind the first are read on the CPU.
HOST = {"Resize", "Upsample", "Pad", "Clip"}


def find_weights(nodes, constants):
    """Constant name -> Weight, for every floating constant that a layer learns."""
    made = {value: node for node in nodes for value in node.outputs}

    def source(name):
        plain = True
        while name in made and made[name].op in PASSES and all(i in constants for i in made[name].inputs[1:]):
            plain = plain and made[name].op in ("Identity", "Cast")
            name = made[name].inputs[0]
        known = name in constants and constants[name].dtype.kind == "f" and constants[name].size > 0
        return (name, plain) if known else (None, plain)

    found = {}
    for node in nodes:
        for i, axis in WEIGHTS.get(node.op, {}).items():
            name, plain = source(node.inputs[i]) if i < len(node.inputs) else (None, True)
            if name:
                found.setdefault(name, Weight(axis if plain else None))
        at, axis = BIASES.get(node.op, (None, None))
        if at is not None and at < len(node.inputs):
            name, _ = source(node.inputs[at])
            if name:
                found.setdefault(name, Weight(None, (node.outputs[0], axis)))
        if node.op == "Add" and len(node.inputs) == 2:
            for own, other in (node.inputs, node.inputs[::-1]):
                name, _ = source(own)
                layer = made.get(other)
                if name and layer is not None and layer.op in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
                    shape = constants[name].shape
                    wide = [i - len(shape) for i, size in enumerate(shape) if size > 1]
                    found.setdefault(name, Weight(None, (node.outputs[0], wide[0] if len(wide) == 1 else None)))
    return found


class Graph(nn.Module):
    """An ONNX network as a module: forward(images, names of values) -> {name: tensor}. Weights are its Parameters."""

    def __init__(self, model, label):
        super().__init__()
        self.label = label
        self.opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
        self.loose, self.batch, self.single = False, 1, False
        nodes = [Node(proto) for proto in model.graph.node]
        lost = sorted({n.op for n in nodes if n.op != "Constant" and (n.op not in OPS or n.domain not in ("", "ai.onnx"))})
        if lost:
            fail("%s has operators that can't be trained here: %s. Export a float network cut before them." % (label, ", ".join(lost)))
        constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        constants.update({n.outputs[0]: constant_of(n) for n in nodes if n.op == "Constant"})
        inputs = [i for i in model.graph.input if i.name not in constants]
        if len(inputs) != 1:
            fail("%s has %d inputs; one image is wanted." % (label, len(inputs)))
        self.input = inputs[0].name
        dims = inputs[0].type.tensor_type.shape.dim
        self.fixed = bool(len(dims)) and dims[0].HasField("dim_value") and dims[0].dim_value == 1
        self.outputs = [o.name for o in model.graph.output]
        self.found = find_weights(nodes, constants)
        self.parameters_of = nn.ParameterList()
        self.index = {}
        for name in self.found:
            self.index[name] = len(self.index)
            self.parameters_of.append(nn.Parameter(torch.from_numpy(constants[name].astype(np.float32))))
        self.fold([n for n in nodes if n.op != "Constant"], constants)
        self.plans = {}

    def fold(self, nodes, constants):
        """Computes what depends on neither image nor weights once and for all; keeps the rest as self.nodes."""
        hosted = {name for n in nodes if n.op in HOST for name in n.inputs[1:]}
        known = {name: torch.from_numpy(np.array(value)) for name, value in constants.items() if name not in self.index}
        known = {name: t.float() if t.is_floating_point() else t for name, t in known.items()}
        moving, kept = {self.input}, []
        for node in nodes:
            node.moving = any(i in moving for i in node.inputs)
            if node.moving or any(i and i not in known for i in node.inputs):
                kept.append(node)
                moving.update(node.outputs if node.moving else [])
                continue
            with torch.no_grad():
                known.update(zip(node.outputs, self.compute(node, [known[i] if i else None for i in node.inputs])))
        self.nodes, self.moving, self.known, self.buffers_of = kept, moving, {}, {}
        used = {i for n in kept for i in n.inputs} | set(self.outputs)
        for name in sorted(used & set(known)):
            if known[name].is_floating_point() and name not in hosted:
                self.buffers_of[name] = "constant_%d" % len(self.buffers_of)
                self.register_buffer(self.buffers_of[name], known[name], persistent=False)
            else:
                self.known[name] = known[name]

    def compute(self, node, inputs):
        try:
            made = OPS[node.op](self, node, *inputs)
        except Exception as error:
            raise RuntimeError('%s: %s "%s": %s' % (self.label, node.op, node.name, error)) from error
        return made if isinstance(made, list) else [made]

    def plan(self, wanted):
        """The nodes that are needed, in order, each with the values that nobody needs behind it."""
        if wanted not in self.plans:
            needed, steps, kept = set(wanted), [], set(wanted)
            for node in reversed(self.nodes):
                if any(o in needed for o in node.outputs):
                    last = {i for i in node.inputs if i and i not in needed}
                    needed.update(i for i in node.inputs if i)
                    steps.append((node, [v for v in last | set(node.outputs) if v not in kept and (v in last or v not in needed)]))
            self.plans[wanted] = steps[::-1]
        return self.plans[wanted]

    def forward(self, images, wanted=None):
        wanted = tuple(self.outputs if wanted is None else wanted)
        if self.single and images.shape[0] > 1:
            parts = [self.evaluate(images[i:i + 1], wanted) for i in range(images.shape[0])]
            return {name: torch.cat([part[name] for part in parts]) for name in wanted}
        return self.evaluate(images, wanted)

    def evaluate(self, images, wanted):
        self.batch = images.shape[0]
        self.loose = self.fixed and self.batch > 1
        values = dict(self.known)
        values.update({name: getattr(self, buffer) for name, buffer in self.buffers_of.items()})
        values.update({name: self.parameters_of[i] for name, i in self.index.items()})
        values[self.input] = images
        for node, done in self.plan(wanted):
            values.update(zip(node.outputs, self.compute(node, [values[i] if i else None for i in node.inputs])))
            for name in done:
                values.pop(name, None)
        return {name: values[name] for name in wanted}

    def readers(self):
        """Value -> how many layers read it; the Sigmoid and the Mul of a SiLU count as one."""
        lists = {}
        for node in self.nodes:
            for name in set(node.inputs) & self.moving:
                lists.setdefault(name, []).append(node)
        count = {}
        for name, nodes in lists.items():
            gates = {o for n in nodes if n.op in ("Sigmoid", "HardSigmoid") for o in n.outputs}
            count[name] = len(nodes) - int(any(n.op == "Mul" and gates & set(n.inputs) for n in nodes))
        return count

    def feature_maps(self, heads):
        """Values worth comparing with another network's: read by several layers, or by the last ones."""
        count = self.readers()
        ends = {n.inputs[0] for n in self.nodes if n.outputs[0] in heads}
        return [o for n in self.nodes for o in n.outputs[:1] if n.moving and (count.get(o, 0) > 1 or o in ends) and o not in heads]


def load_onnx(path):
    try:
        return onnx.load(str(path))
    except Exception as error:
        fail("%s can't be read (%s)." % (path, error))


def with_weights(model, arrays):
    """The same protobuf with other numbers, in the types that were there."""
    out = onnx.ModelProto()
    out.CopyFrom(model)
    tensors = list(out.graph.initializer)
    for node in out.graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            node.attribute[0].t.name = node.output[0]
            tensors.append(node.attribute[0].t)
    for tensor in tensors:
        if tensor.name in arrays:
            old = numpy_helper.to_array(tensor)
            new = arrays[tensor.name].reshape(old.shape).astype(old.dtype)
            tensor.CopyFrom(numpy_helper.from_array(new, tensor.name))
    return out


def check_onnx(model):
    """What onnx says against a model, or None; an installed onnx that is older than the file can't judge it."""
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        return str(error)
    return None


`;
