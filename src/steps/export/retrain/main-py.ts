/** The end of retrain.py: checkpoints, the loop, processes, the command line. */
export const MAIN_PY = `# ---- checkpoints ----------------------------------------------------------------------------------------------------


def fingerprint(run):
    """What a checkpoint must agree on with the run that goes on from it."""
    a = run.args
    digest = lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]
    kept = ("loss", "batch", "seed", "lr", "lr_bias", "clip", "ema", "warmup", "temperature", "amp")
    weights = ("w_cls", "w_kl", "w_feat", "w_loc", "w_labels", "no_augment")
    said = {key: getattr(a, key) for key in kept + weights}
    said.update(steps=run.steps, images=len(run.images), unseen=len(run.unseen), numbers=run.flat.numel())
    said.update(student=digest(a.student), teacher=digest(a.teacher))
    return said


def save_checkpoint(run, path):
    # Numbers as JSON: the safe unpickler of torch 1.13 knows tensors, dicts and text only.
    meta = {"fingerprint": fingerprint(run), "step": run.step, "scale": [run.scale, run.scale_steps, run.lost]}
    meta["best"] = [run.best[0], run.best[2]]
    state = {key: getattr(run, key).cpu() for key in ("flat", "average", "first", "second", "unit")}
    state.update({"variance/" + name: v.cpu() for name, v in run.losses.variance.items()})
    if run.best[1] is not None:
        state["best"] = run.best[1].cpu()
    state["meta"] = json.dumps(meta)
    replace_file(path, lambda f: torch.save(state, f))


def load_checkpoint(run, path):
    try:
        state = torch.load(str(path), map_location="cpu", weights_only=True)
        meta = json.loads(state["meta"])
    except Exception as error:
        fail("%s can't be read (%s); start with another --out." % (path, error))
    now, then = fingerprint(run), meta["fingerprint"]
    other = [key for key in now if now[key] != then.get(key)]
    if other:
        said = ", ".join("%s was %s and is %s" % (key, then.get(key), now[key]) for key in other)
        fail("%s is of another run (%s). Use the same command, another --out, or --resume never." % (path, said))
    for key in ("flat", "average", "first", "second", "unit"):
        getattr(run, key).copy_(state[key])
    run.losses.variance = {name: state["variance/" + name].to(run.device) for name in run.losses.variance}
    run.scale, run.scale_steps, run.lost = meta["scale"]
    run.step = meta["step"]
    loss, step = meta["best"]
    run.best = (loss, state["best"].to(run.device) if "best" in state else None, step)


def write_result(run, path):
    """The best weights so far in the network's own protobuf."""
    weights = run.average if run.best[1] is None else run.best[1]
    arrays = {name: weights[a:b].cpu().numpy() for name, (a, b) in run.slices.items()}
    model = with_weights(run.model, arrays)
    complaint = None if run.complaint else check_onnx(model)
    if complaint:
        fail("the result is no valid ONNX (%s); please report this." % complaint)
    replace_file(path, lambda f: f.write(model.SerializeToString()))


# ---- the loop -------------------------------------------------------------------------------------------------------


class Stop:
    """SIGTERM and Ctrl+C end the run after the step. Schedulers and torchrun may both send them, so only a later Ctrl+C is impatience."""

    def __init__(self):
        self.asked, self.since = False, 0.0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.ask)

    def ask(self, number, frame):
        if not self.asked:
            self.asked, self.since = True, time.time()
        elif number == signal.SIGINT and time.time() - self.since > 2:
            raise KeyboardInterrupt


def look(run, out):
    """Judges the averaged weights on unseen images and keeps the best."""
    loss = run.evaluate()
    better = loss is not None and loss < run.best[0]
    if better:
        run.best = (loss, run.average.clone(), run.step)
        if run.rank == 0 and run.step > 0:
            write_result(run, out / "retrained.onnx")
    run.log("unseen", step=run.step, loss=loss, images=len(run.unseen), best=better)


def train(run, out):
    args, losses, stop = run.args, run.losses, Stop()
    checkpoint = out / "checkpoint.pt"
    if run.step == 0:
        look(run, out)
    network = run.module
    if run.world > 1:
        ids = [run.device.index] if run.device.type == "cuda" else None
        network = nn.parallel.DistributedDataParallel(run.module, device_ids=ids, broadcast_buffers=False)
    loader = torch.utils.data.DataLoader(
        run.images,
        batch_sampler=batches(run, run.step),
        num_workers=args.workers,
        pin_memory=run.device.type == "cuda",
        worker_init_fn=worker_start,
    )
    names = list(losses.parts())
    seen, since, saved, saved_step = [], time.time(), time.time(), run.step
    for canvas, tables, counts in loader:
        parts, divisors = run.sums(network, canvas, tables, counts)
        divisors = run.reduce(divisors.detach())
        shares = {name: losses.weight(name) * parts[name] / losses.divisor(name, divisors) for name in names}
        # DDP takes the mean over ranks; the divisors hold for all of them, so the sum is wanted.
        loss = sum(shares.values()) * run.world
        for p in run.trained:
            p.grad = None
        (loss * run.scale).backward()
        norm = run.update()
        # Every rank must stop at the same step, so they tell each other.
        said = torch.stack([shares[name].detach() for name in names] + [divisors.new_tensor(float(stop.asked))])
        said = run.reduce(said).tolist()
        seen.append(said[:-1])
        factor = run.schedule()
        run.step += 1
        if run.step % args.log_steps == 0 or run.step == run.steps:
            means = dict(zip(names, np.mean(seen, 0).tolist()))
            speed = len(seen) * args.batch / max(time.time() - since, 1e-9)
            run.log(
                "step",
                step=run.step,
                steps=run.steps,
                loss=sum(means.values()),
                parts=means,
                rate=factor,
                gradient=norm,
                images_per_second=round(speed, 2),
            )
            seen, since = [], time.time()
        stopped = said[-1] > 0
        if run.step % args.eval_steps == 0 or run.step == run.steps:
            look(run, out)
        due = time.time() - saved > args.save_seconds or (args.save_steps and run.step - saved_step >= args.save_steps)
        if run.rank == 0 and (due or stopped or run.step == run.steps):
            save_checkpoint(run, checkpoint)
            run.log("checkpoint", step=run.step)
            saved, saved_step = time.time(), run.step
        if stopped:
            break
    if run.rank == 0:
        write_result(run, out / "retrained.onnx")
    best = {} if run.best[1] is None else {"unseen": run.best[0], "best_step": run.best[2]}
    run.log("done" if run.step == run.steps else "stopped", step=run.step, file=str(out / "retrained.onnx"), **best)


def arguments():
    p = argparse.ArgumentParser(description="Retrains the bundle's network. README.md has examples.")
    p.add_argument("--data", nargs="+", required=True, help="COCO folders: images/ and, for labels, instances.json")
    p.add_argument("--out", default="out", help="folder for checkpoint.pt, log.jsonl and retrained.onnx")
    p.add_argument("--student", default=str(HERE / "student.onnx"))
    p.add_argument("--teacher", default=str(HERE / "teacher.onnx"))
    p.add_argument("--loss", choices=("distil", "labels", "both"), default="distil")
    p.add_argument("--w-cls", type=float, default=1.0, help="weight of objectness and classes")
    p.add_argument("--w-kl", type=float, default=1.0, help="weight of the classes at the temperature")
    p.add_argument("--w-feat", type=float, default=1.0, help="weight of the features")
    p.add_argument("--w-loc", type=float, default=1.0, help="weight of the boxes")
    p.add_argument("--w-labels", type=float, default=1.0, help="factor on the parts that come from labels")
    p.add_argument("--temperature", type=float, default=3.0)
    p.add_argument("--epochs", type=float, default=30.0)
    p.add_argument("--steps", type=int, default=0, help="instead of --epochs")
    p.add_argument("--batch", type=int, default=64, help="images a step, over all processes")
    p.add_argument("--lr", type=float, default=4e-4, help="step of weights, relative to their output channel")
    p.add_argument("--lr-bias", type=float, default=2e-3, help="step of biases, relative to their channel's deviation")
    p.add_argument("--warmup", type=float, default=0.1, help="share of the run in which the rate rises")
    p.add_argument("--clip", type=float, default=10.0, help="largest norm of the gradient in units of the weights")
    p.add_argument("--ema", type=float, default=None, help="decay of the averaged weights, which are the result")
    p.add_argument("--amp", choices=("auto", "off", "bf16", "fp16"), default="off", help="mixed precision on CUDA")
    p.add_argument("--no-augment", action="store_true")
    p.add_argument("--holdout", type=float, default=0.1, help="share of the images that judge and are not trained on")
    p.add_argument("--holdout-images", type=int, default=500, help="at most so many of them")
    p.add_argument("--eval-steps", type=int, default=0, help="steps between looks at them; 0 = twenty looks")
    p.add_argument("--log-steps", type=int, default=10)
    p.add_argument("--save-seconds", type=float, default=60.0)
    p.add_argument("--save-steps", type=int, default=0)
    p.add_argument("--resume", choices=("auto", "never"), default="auto")
    p.add_argument("--workers", type=int, default=None, help="processes that load images, for each rank")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--dry-run", action="store_true", help="check everything and train nothing")
    return p.parse_args()


def settle(args, device, world):
    """Fills in what depends on the machine, and refuses what can't be."""
    if args.batch < 1 or args.batch % world:
        fail("--batch %d is not a multiple of the %d processes." % (args.batch, world))
    for key in ("steps", "save_steps", "eval_steps"):
        if getattr(args, key) < 0:
            fail("--%s must not be negative." % key.replace("_", "-"))
    if device.type != "cuda":
        args.amp = "off"
    elif args.amp == "auto":
        args.amp = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if args.workers is None:
        args.workers = min(8, max(1, (os.cpu_count() or 1) // world)) if device.type == "cuda" else 0


def main():
    args = arguments()
    rank, world, local = (int(os.environ.get(k, d)) for k, d in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0)))
    cuda = torch.cuda.is_available() if args.device == "auto" else args.device == "cuda"
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    settle(args, device, world)
    if cuda:
        torch.cuda.set_device(device)
    torch.manual_seed(args.seed)
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    log = Log(out / "log.jsonl", rank == 0)
    run = Run(args, device, rank, world, log)
    args.ema = args.ema if args.ema is not None else min(0.9998, max(0.98, 1 - 10 / run.steps))
    args.eval_steps = args.eval_steps or max(1, math.ceil(run.steps / 20))
    if args.resume == "auto" and (out / "checkpoint.pt").is_file():
        load_checkpoint(run, out / "checkpoint.pt")
    log(
        "start",
        step=run.step,
        steps=run.steps,
        images=len(run.numbers),
        labelled=run.images.labelled(),
        unseen=len(run.unseen),
        trained=sum(b - a for a, b in run.slices.values()),
        features=len(run.losses.features),
        heads=run.losses.heads,
        one_by_one=run.graph.single,
        processes=world,
        device=str(device),
        amp=args.amp,
        torch=torch.__version__,
    )
    if not args.dry_run:
        train(run, out)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
`;
