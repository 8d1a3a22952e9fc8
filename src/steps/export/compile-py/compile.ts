/** End of compile.py: Hailo layer names, the three-way gate, and the calls of the Dataflow Compiler. */
export const COMPILE_PY = `# ---- Hailo layer names ----------------------------------------------------------------------------------------------

# Operators without a kernel to be recognised by.
BARE = {"Concat", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Resize", "Upsample", "Slice", "Split", "SpaceToDepth"}


def same_kernel(weight, kernel):
    """True when an HN kernel [kh, kw, in, out] holds the ONNX weight [out, in, kh, kw] (depthwise: [kh, kw, channels, 1])."""
    dims, data = weight
    if len(dims) != 4 or len(data) != 4 * dims[0] * dims[1] * dims[2] * dims[3]:
        return False
    out, inner, rows, cols = dims
    shape = [int(d) for d in kernel.shape]
    if shape not in ([rows, cols, inner, out], [rows, cols, out, inner]):
        return False
    ours = array.array("f", bytes(data))
    theirs = kernel.ravel().tolist()
    by_channel = shape == [rows, cols, out, inner] and inner == 1
    at = 0
    for y in range(rows):
        for x in range(cols):
            for a in range(out if by_channel else inner):
                for b in range(inner if by_channel else out):
                    o, i = (a, b) if by_channel else (b, a)
                    value = ours[((o * inner + i) * rows + y) * cols + x]
                    if abs(value - theirs[at]) > 1e-6 + 1e-5 * abs(value):
                        return False
                    at += 1
    return True


def by_original_names(layers):
    table = {}
    for name, layer in layers.items():
        if layer["type"] not in ("input_layer", "output_layer"):
            for original in layer.get("original_names") or []:
                table.setdefault(original, name)
    return table


def by_kernel(runner, model, node, layers):
    """Layers whose kernel is that of the convolution at or before an ONNX node."""
    conv = head_conv(model, node)
    weight = model["weights"].get(conv["inputs"][1]) if conv else None
    if weight is None:
        return []
    found = []
    for key, kernel in dict(runner.get_params()).items():
        layer, _, kind = key.rpartition("/")
        if kind == "kernel:0" and layer in layers and same_kernel(weight, kernel):
            found.append(layer)
    return found


def hailo_names(runner, bundle, model, wanted):
    """ONNX node name -> HN layer name, for the wanted nodes: by original_names, else by size and channels, else by kernel."""
    layers = runner.get_hn_dict()["layers"]
    table = by_original_names(layers)
    height, width, _ = spatial(bundle)
    feeds = [layer["input"][0] for layer in layers.values() if layer["type"] == "output_layer"]
    for head, role, node, channels in roles(bundle):
        grid = [math.ceil(height / head["stride"]), math.ceil(width / head["stride"]), channels]
        fits = [name for name in feeds if list(layers[name]["output_shapes"][0][1:]) == grid]
        if node not in table and len(fits) == 1:
            table[node] = fits[0]
        if node not in table:
            alike = [name for name in by_kernel(runner, model, node, layers) if name in fits]
            if len(alike) == 1:
                table[node] = alike[0]
        if table.get(node) not in fits:
            fail("cannot find the layer of %s (%s, stride %d); candidates: %s." % (node, role, head["stride"], ", ".join(fits) or "none"))
    for node in sorted(wanted - set(table)):
        if model["by_name"][node]["op"] in BARE:  # going back from it would find another layer
            continue
        alike = by_kernel(runner, model, node, layers)
        if len(alike) == 1:
            table[node] = alike[0]
    return table


def without_fused(script, table, model):
    """The script with 16-bit commands only for layers that there are: the compiler may fuse an Add, a pooling or a Concat away."""
    lines = []
    for line in script.splitlines():
        names = HOLE.findall(line) if line.startswith("quantization_param(") else []
        gone = [name for name in names if name not in table and model["by_name"][name]["op"] in BARE]
        for name in gone:
            print("warning: %s is no layer of its own; its width follows its neighbours." % name)
        if gone:
            kept = ["{{%s}}" % name for name in names if name not in gone]
            line = re.sub(r"\\[.*\\]", lambda _: "[%s]" % ", ".join(kept), line) if kept else ""
        lines.append(line)
    return "\\n".join(lines) + "\\n"


def resolve(source, table):
    lost = sorted(set(HOLE.findall(source)) - set(table))
    if lost:
        fail("no Hailo layer came from %s; it was probably fused, name its producer instead." % ", ".join(lost))
    return HOLE.sub(lambda match: table[match.group(1)], source)


# ---- compiling ------------------------------------------------------------------------------------------------------


def as_model_input(bundle, images):
    """What the parsed network takes before the script adds swap and normalization: the same images, done here."""
    given = bundle["input"]
    if given["channels"] not in ("gray", given["host_order"]):
        images = images[..., ::-1]
    return (images.astype("float32") - given["mean"]) / given["std"]


def gate(runner, contexts, bundle, check, max_drop):
    """Scores the float network, the float network with the script's changes, and the quantized one; names the first to fall."""
    blame = {
        "SDK_FP_OPTIMIZED": "preprocessing, colours or the cut are wrong",
        "SDK_QUANTIZED": "quantization costs too much",
    }
    score = {}
    for name in ("SDK_NATIVE", "SDK_FP_OPTIMIZED", "SDK_QUANTIZED"):
        with runner.infer_context(getattr(contexts, name)) as context:
            def infer(images):
                native = name == "SDK_NATIVE"
                return runner.infer(context, as_model_input(bundle, images) if native else images)

            score[name] = float(check.score(infer, name))
        print("%s: %.4f" % (name, score[name]))
        before = list(score.values())[-2:]
        if name in blame and before[0] - score[name] > max_drop:
            fail("%s lost %.4f (allowed: %.4f): %s; no HEF was written." % (name, before[0] - score[name], max_drop, blame[name]))


def load_check(path):
    spec = importlib.util.spec_from_file_location("check", str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "score"):
        fail("%s has no function score(infer, context)." % path.name)
    return module


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hw-arch", help="target; default: the bundle's")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder for the HEF and what led to it")
    parser.add_argument("--check", type=Path, help="a check.py with score(infer, context) -> float, higher is better")
    parser.add_argument("--max-drop", type=float, default=0.02, help="largest accepted fall of score() from stage to stage")
    parser.add_argument("--dry-run", action="store_true", help="only check the bundle")
    args = parser.parse_args()
    bundle, model, alls, nms = load_bundle()
    if args.dry_run:
        print("bundle is consistent")
        return
    try:
        import numpy
        from hailo_sdk_client import ClientRunner, InferenceContext
    except ImportError as error:
        fail("the Hailo Dataflow Compiler is not installed in this Python (%s); activate its virtualenv first." % error)
    check = load_check(args.check) if args.check else None
    args.out.mkdir(parents=True, exist_ok=True)
    runner = ClientRunner(hw_arch=args.hw_arch or bundle["hw_arch"])
    runner.translate_onnx_model(
        str(HERE / "model.onnx"),
        bundle["net_name"],
        start_node_names=[bundle["input"]["name"]],
        end_node_names=bundle["end_nodes"],
        net_input_shapes={bundle["input"]["name"]: bundle["input"]["shape"]},
    )
    runner.save_har(str(args.out / "1_parsed.har"))
    table = hailo_names(runner, bundle, model, set(HOLE.findall(alls + json.dumps(nms))))
    script = resolve(without_fused(alls, table, model), table)
    if bundle["nms"] is not None:
        config = args.out / "nms_config.json"
        config.write_text(resolve(json.dumps(nms, indent=2), table), encoding="utf-8")
        script = script.replace("NMS_CONFIG", str(config.resolve()))
    (args.out / "model.alls").write_text(script, encoding="utf-8")  # a record of what was really applied
    runner.load_model_script(script)
    runner.optimize(numpy.load(str(HERE / "calib_set.npy")))
    runner.save_har(str(args.out / "2_quantized.har"))
    if check:
        gate(runner, InferenceContext, bundle, check, args.max_drop)
    hef = args.out / (bundle["net_name"] + ".hef")
    hef.write_bytes(runner.compile())
    runner.save_har(str(args.out / "3_compiled.har"))
    print("wrote %s" % hef)


if __name__ == "__main__":
    main()
`;
