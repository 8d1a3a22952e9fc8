/** Middle of compile.py: what --dry-run checks. */
export const CHECKS_PY = String.raw`# ---- checks of the bundle -------------------------------------------------------------------------------------------


def roles(bundle):
    """(head, role, node, channels) of every end node of the detection heads."""
    box = 64 if bundle["nms"] == "yolov8" else 4
    for head in bundle["heads"]:
        for role, channels in (("reg", box), ("obj", 1), ("cls", bundle["classes"])):
            if head.get(role):
                yield head, role, head[role], channels


def spatial(bundle):
    """(height, width, channels) of the input."""
    shape = bundle["input"]["shape"]
    return tuple(shape[1:]) if bundle["input"]["layout"] == "nhwc" else (shape[2], shape[3], shape[1])


def check_bundle(bundle):
    for key in ("net_name", "hw_arch", "classes", "input", "end_nodes", "heads", "nms"):
        if key not in bundle:
            fail('bundle.json has no "%s".' % key)
    if not re.match(r"[a-z][a-z0-9_]*\Z", str(bundle["net_name"])):
        fail('bundle.json\'s net_name "%s" is not a plain name.' % bundle["net_name"])
    shape = bundle["input"].get("shape")
    if not isinstance(shape, list) or len(shape) != 4 or shape[0] != 1:
        fail("bundle.json's input shape is %s; it must be one image." % shape)
    if bundle["nms"] not in (None, "yolox", "yolov8"):
        fail('bundle.json\'s nms "%s" is unknown.' % bundle["nms"])


def check_recipe():
    recipe = read_json("recipe.json")
    if not isinstance(recipe, dict) or not recipe:
        fail("recipe.json holds no recipe.")


def check_calibration(bundle):
    shape, dtype, fortran, size = npy_header("calib_set.npy")
    height, width, channels = spatial(bundle)
    if len(shape) != 4 or shape[1:] != (height, width, channels) or fortran:
        fail("calib_set.npy is %s; it must be [N, %d, %d, %d] (NHWC, C order)." % (list(shape), height, width, channels))
    if dtype not in ("|u1", "<f4"):
        fail("calib_set.npy has dtype %s; use uint8 or float32." % dtype)
    expected = shape[0] * height * width * channels * (1 if dtype == "|u1" else 4)
    if size != expected or shape[0] == 0:
        fail("calib_set.npy has %d bytes of images where its header says %d; unzip it again." % (size, expected))
    if shape[0] < FULL_CALIBRATION:
        print("warning: %d calibration images; optimization level 2 and up want %d." % (shape[0], FULL_CALIBRATION))


def check_network(bundle, model):
    names = [node["name"] for node in model["nodes"]]
    odd = [name for name in names if not PLAIN.match(name)]
    if odd:
        fail("model.onnx has a node without a plain name (%r)." % odd[0])
    if len(set(names)) != len(names):
        fail("model.onnx has several nodes named %s." % next(n for n in names if names.count(n) > 1))
    if model["ir"] > 8:
        print("warning: model.onnx has IR version %d; 8 or lower is known to work." % model["ir"])
    if not 11 <= model["opset"] <= 13:
        print("warning: model.onnx has opset %d; 11 to 13 are known to work." % model["opset"])
    bare = [n["name"] for n in model["nodes"] if n["op"] == "Conv" and not n["attributes"].get("kernel_shape")]
    if bare:
        fail("model.onnx: the Conv %s has no kernel_shape." % bare[0])
    inputs = [(name, dims) for name, dims, _ in model["inputs"] if name not in model["weights"]]
    if inputs != [(bundle["input"]["name"], bundle["input"]["shape"])]:
        fail("model.onnx takes %s where bundle.json says %s %s." % (
            ", ".join("%s %s" % pair for pair in inputs), bundle["input"]["name"], bundle["input"]["shape"]))
    lost = [name for name in bundle["end_nodes"] if name not in model["by_name"]]
    if lost:
        fail("model.onnx has no node named %s." % ", ".join(lost))
    ends = [model["producer"][name]["name"] for name, _, _ in model["outputs"] if name in model["producer"]]
    if sorted(ends) != sorted(bundle["end_nodes"]):
        fail("model.onnx ends at %s where bundle.json says %s." % (", ".join(ends), ", ".join(bundle["end_nodes"])))


def check_heads(bundle, model):
    height, width, _ = spatial(bundle)
    shapes = {model["producer"][name]["name"]: dims for name, dims, _ in model["outputs"]}
    named = [node for _, _, node, _ in roles(bundle)]
    if bundle["heads"] and sorted(named) != sorted(bundle["end_nodes"]):
        fail("bundle.json's heads and end_nodes name different nodes.")
    for head, role, node, channels in roles(bundle):
        conv = head_conv(model, node)
        made = model["weights"].get(conv["inputs"][1], ([None], b""))[0][0] if conv else None
        if made != channels:
            fail("%s (%s, stride %d) has %s channels; it must have %d." % (node, role, head["stride"], made, channels))
        grid = [math.ceil(height / head["stride"]), math.ceil(width / head["stride"])]
        if shapes.get(node) is not None and shapes[node] != [1, channels] + grid:
            fail("%s has the shape %s; stride %d makes it %s." % (node, shapes[node], head["stride"], [1, channels] + grid))


def check_nms(bundle, nms):
    if bundle["nms"] is None:
        return
    height, width, _ = spatial(bundle)
    if nms.get("classes") != bundle["classes"] or nms.get("image_dims") != [height, width]:
        fail("nms_config.json disagrees with bundle.json on classes or image_dims.")
    decoders = nms.get("bbox_decoders", [])
    if len(decoders) != len(bundle["heads"]):
        fail("nms_config.json has %d bbox decoders for %d heads." % (len(decoders), len(bundle["heads"])))
    keys = {"reg": "reg_layer", "obj": "objectness_layer", "cls": "cls_layer"}
    for head, role, node, _ in roles(bundle):
        named = [d.get(keys[role]) for d in decoders if d.get("stride") == head["stride"]]
        if named != ["{{%s}}" % node]:
            fail("nms_config.json names %s as %s of stride %d; it must be {{%s}}." % (named, keys[role], head["stride"], node))


def command(alls, name):
    """The bracketed number lists of a script command, one entry per occurrence."""
    found = []
    for line in alls.splitlines():
        match = re.match(r"\s*(?:\w+\s*=\s*)?%s\((.*)\)\s*\Z" % name, line)
        if match:
            found.append(match.group(1))
    return found


def check_script(bundle, model, alls, nms):
    lost = sorted(set(HOLE.findall(alls + json.dumps(nms))) - set(model["by_name"]))
    if lost:
        fail("model.onnx has no node named %s." % ", ".join(lost))
    mean, std = bundle["input"]["mean"], bundle["input"]["std"]
    given = [ast.literal_eval("[%s]" % text_) for text_ in command(alls, "normalization")]
    identity = not any(mean) and all(s == 1 for s in std)
    if given != ([] if identity else [[mean, std]]):
        fail("model.alls normalises %s where bundle.json says mean %s and std %s." % (
            "by %s" % given if given else "nothing", mean, std))
    swap = bundle["input"]["channels"] not in ("gray", bundle["input"]["host_order"])
    if command(alls, "input_conversion") != (["bgr_to_rgb"] if swap else []):
        fail("model.alls must %sswap red and blue: the model wants %s, the host sends %s." % (
            "" if swap else "not ", bundle["input"]["channels"], bundle["input"]["host_order"]))
    post = command(alls, "nms_postprocess")
    wanted = [] if bundle["nms"] is None else ['"NMS_CONFIG", meta_arch=%s, engine=cpu' % bundle["nms"]]
    if post != wanted:
        fail("model.alls has nms_postprocess(%s); it must have %s." % (", ".join(post), wanted or "none"))


def load_bundle():
    """Reads and checks everything; ends with one sentence where something doesn't fit."""
    bundle = read_json("bundle.json")
    check_bundle(bundle)
    check_recipe()
    check_calibration(bundle)
    model = parse_onnx("model.onnx")
    check_network(bundle, model)
    check_heads(bundle, model)
    nms = read_json("nms_config.json") if bundle["nms"] is not None else {}
    check_nms(bundle, nms)
    alls = read("model.alls").decode("utf-8")
    check_script(bundle, model, alls, nms)
    if bundle.get("qdq"):
        parse_onnx(bundle["qdq"])
    return bundle, model, alls, nms


`;
