/**
 * Body of convert.py: ONNX → SavedModel (onnx2tf) → full-integer TensorFlow Lite (TFLiteConverter), then a comparison with
 * the float network. onnx2tf only translates: its own integer conversion was reported to calibrate wrongly (its issue
 * 942), and it writes the pairs of a QDQ network out as float arithmetic, so the float network is what it gets.
 */
export const CONVERT_PY = `# ---- checks of the bundle -------------------------------------------------------------------------------------------


def spatial(bundle):
    """(height, width, channels) of the input."""
    shape = bundle["input"]["shape"]
    return tuple(shape[1:]) if bundle["input"]["layout"] == "nhwc" else (shape[2], shape[3], shape[1])


def load_bundle():
    """Reads and checks everything; ends with one sentence where something doesn't fit."""
    bundle = read_json("bundle.json")
    for key in ("net_name", "device", "input", "end_nodes"):
        if key not in bundle:
            fail('bundle.json has no "%s".' % key)
    if bundle["device"] != "tflite":
        fail('the bundle is for "%s", not for TensorFlow Lite.' % bundle["device"])
    if not re.match(r"[a-z][a-z0-9_]*\\Z", str(bundle["net_name"])):
        fail('bundle.json\\'s net_name "%s" is not a plain name.' % bundle["net_name"])
    height, width, channels = spatial(bundle)
    shape, dtype, fortran, size = npy_header("calib_set.npy")
    if len(shape) != 4 or shape[1:] != (height, width, channels) or fortran or dtype != "|u1":
        fail("calib_set.npy is %s %s; it must be uint8 [N, %d, %d, %d]." % (dtype, list(shape), height, width, channels))
    if shape[0] == 0 or size != shape[0] * height * width * channels:
        fail("calib_set.npy has %d bytes of images where its header says %d; unzip it again." % (
            size, shape[0] * height * width * channels))
    if shape[0] < 100:
        print("warning: %d calibration images; 100 to 500 are usual." % shape[0])
    model = parse_onnx("model.onnx")
    inputs = [(name, dims) for name, dims, _ in model["inputs"] if name not in model["weights"]]
    if inputs != [(bundle["input"]["name"], bundle["input"]["shape"])]:
        fail("model.onnx takes %s where bundle.json says %s %s." % (
            ", ".join("%s %s" % pair for pair in inputs), bundle["input"]["name"], bundle["input"]["shape"]))
    ends = [model["producer"][name]["name"] for name, _, _ in model["outputs"] if name in model["producer"]]
    if ends != bundle["end_nodes"]:
        fail("model.onnx ends at %s where bundle.json says %s." % (", ".join(ends), ", ".join(bundle["end_nodes"])))
    if bundle.get("qdq"):
        parse_onnx(bundle["qdq"])
    return bundle


# ---- conversion -----------------------------------------------------------------------------------------------------


def as_model_input(bundle, images):
    """uint8 images as the host sends them -> what the network takes, float32, NHWC."""
    given = bundle["input"]
    if given["channels"] not in ("gray", given["host_order"]):
        images = images[..., ::-1]
    return ((images.astype("float32") - given["mean"]) / given["std"]).astype("float32")


def saved_model(bundle, folder):
    import onnx2tf

    wanted = dict(
        input_onnx_file_path=str(HERE / "model.onnx"),
        output_folder_path=str(folder),
        output_signaturedefs=True,
        non_verbose=True,
    )
    if bundle["input"]["layout"] == "nhwc":  # else onnx2tf takes the input for NCHW and turns it around
        wanted["keep_shape_absolutely_input_names"] = [bundle["input"]["name"]]
    try:
        onnx2tf.convert(flatbuffer_direct_output_saved_model=True, **wanted)  # onnx2tf 2 writes none unless told to
    except TypeError:
        onnx2tf.convert(**wanted)
    if not (folder / "saved_model.pb").is_file():
        fail("onnx2tf wrote no SavedModel to %s; try another version of it." % folder)


def quantized(tf, bundle, folder, images, args):
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]

    def samples():
        for at in range(len(images)):
            yield [as_model_input(bundle, images[at:at + 1])]

    converter.representative_dataset = samples
    sets = tf.lite.OpsSet
    # One set only: an operator without an integer kernel ends the conversion instead of staying in float unseen.
    converter.target_spec.supported_ops = [
        sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8 if args.int16 else sets.TFLITE_BUILTINS_INT8]
    if not args.float_io:
        converter.inference_input_type = converter.inference_output_type = tf.int16 if args.int16 else tf.int8
    return converter.convert()


# ---- comparison -----------------------------------------------------------------------------------------------------


def sqnr(numpy, truth, seen):
    noise = float(numpy.sum((truth - seen) ** 2))
    return 10 * math.log10(max(float(numpy.sum(truth ** 2)), 1e-30) / max(noise, 1e-30))


def as_nhwc(numpy, value):
    return numpy.transpose(value, (0, 2, 3, 1)) if value.ndim == 4 else value


def compare(numpy, tf, bundle, content, images):
    """dB of each output of model.onnx in the file: the float network, on the first images."""
    try:
        import onnxruntime
    except ImportError:
        return print("onnxruntime is not installed: the file was not compared with the float network.")
    session = onnxruntime.InferenceSession(str(HERE / "model.onnx"), providers=["CPUExecutionProvider"])
    reader = tf.lite.Interpreter(model_content=content)
    reader.allocate_tensors()
    taken = reader.get_input_details()[0]
    truth, seen = None, None
    for at in range(min(8, len(images))):
        given = as_model_input(bundle, images[at:at + 1])
        planar = given if bundle["input"]["layout"] == "nhwc" else numpy.transpose(given, (0, 3, 1, 2))
        floats = [as_nhwc(numpy, v) for v in session.run(None, {bundle["input"]["name"]: numpy.ascontiguousarray(planar)})]
        scale, zero = taken["quantization"]
        if scale:
            limits = numpy.iinfo(taken["dtype"])
            given = numpy.clip(numpy.round(given / scale) + zero, limits.min, limits.max).astype(taken["dtype"])
        reader.set_tensor(taken["index"], given)
        reader.invoke()
        values = []
        for detail in reader.get_output_details():
            value, (scale, zero) = reader.get_tensor(detail["index"]), detail["quantization"]
            values.append((value.astype("float32") - zero) * scale if scale else value)
        truth = [[v] for v in floats] if truth is None else [old + [v] for old, v in zip(truth, floats)]
        seen = [[v] for v in values] if seen is None else [old + [v] for old, v in zip(seen, values)]
    stacked = [numpy.concatenate(v) for v in seen]
    for name, parts in zip(bundle["end_nodes"], truth):
        wanted = numpy.concatenate(parts)
        fits = [sqnr(numpy, wanted, v) for v in stacked if v.shape == wanted.shape]  # the file orders outputs as it likes
        print("%s: %s" % (name, "%.1f dB against the float network" % max(fits) if fits else "no output of its shape"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder for the file and what led to it")
    parser.add_argument("--int16", action="store_true", help="16-bit activations in the whole network: runs on the CPU only, slowly")
    parser.add_argument("--float-io", action="store_true", help="float input and output instead of integers")
    parser.add_argument("--images", type=int, default=512, help="most calibration images to use")
    parser.add_argument("--dry-run", action="store_true", help="only check the bundle")
    args = parser.parse_args()
    bundle = load_bundle()
    if args.dry_run:
        print("bundle is consistent")
        return
    try:
        import numpy
        import tensorflow as tf
        import onnx2tf  # noqa: F401
    except ImportError as error:
        fail("onnx2tf and TensorFlow are not installed in this Python (%s): pip install onnx2tf tensorflow tf-keras." % error)
    args.out.mkdir(parents=True, exist_ok=True)
    saved_model(bundle, args.out / "saved_model")
    images = numpy.load(str(HERE / "calib_set.npy"))[:args.images]
    content = quantized(tf, bundle, args.out / "saved_model", images, args)
    file = args.out / ("%s_%s.tflite" % (bundle["net_name"], "int16x8" if args.int16 else "int8"))
    file.write_bytes(content)
    print("wrote %s" % file)
    compare(numpy, tf, bundle, content, images)


if __name__ == "__main__":
    main()
`;
