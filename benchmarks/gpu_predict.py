"""Sections of gpu.py about prediction: exactness, throughput against the roofline, latency, tiles, memory."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import roofline
import torch
from gpu_setup import Rows, Setup, Skip, difference, float32_as, predict, timed, windows

from napari_unetseg.images import normalize
from napari_unetseg.images.simulate import simulate
from napari_unetseg.networks import registry
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.tasks.jobs import finish


def exactness(setup: Setup) -> Rows:
    """Compare tiles with one pass on the device, and both with the CPU in float32 (`nuclei`)."""
    image = setup.image(1500)[:, : setup.pick(400, 1500), : setup.pick(330, 1410)]
    on_cpu = Setup(torch.device("cpu"), setup.is_small, setup.deadline)
    cpu = predict(on_cpu.predictor(setup.model.network, tile=4096, precision="float32"), image)
    rows = []
    cases = (("float32", "float32", False), ("TF32", "float32", True), ("bfloat16", "bfloat16", True))
    for name, precision, tf32 in cases if setup.is_cuda else (cases[0], cases[2]):
        with float32_as(tf32=tf32):
            whole = predict(setup.predictor(setup.model.network, tile=4096, precision=precision), image)
            for tile in setup.pick((128,), (256, 512, 1024)):
                maps = predict(setup.predictor(setup.model.network, tile=tile, precision=precision), image)
                rows.append({"precision": name, "tile": tile} | _compare(maps, whole, cpu, setup=setup))
    return rows


def _compare(maps: np.ndarray, whole: np.ndarray, cpu: np.ndarray, *, setup: Setup) -> dict[str, Any]:
    labels, untiled, on_cpu = (setup.labels(one) for one in (maps, whole, cpu))
    return {
        "largest difference to untiled": float(np.abs(maps - whole).max()),
        "same labels as untiled": bool((labels == untiled).all()),
        "objects that differ from untiled": difference(labels, untiled),
        "largest difference to CPU float32": float(np.abs(maps - cpu).max()),
        "same labels as CPU float32": bool((labels == on_cpu).all()),
        "objects that differ from CPU float32": difference(labels, on_cpu),
    }


def variants(setup: Setup) -> Rows:
    """Time the bare network of the roofline in several number formats and layouts, input already on the device."""
    edge, rows = setup.pick(256, 1024), []
    for name, dtype in (("bfloat16", torch.bfloat16), ("float16", torch.float16), ("float32", torch.float32)):
        if name == "float16" and not setup.is_cuda:
            continue
        with float32_as(tf32=True):
            limits = roofline.measure(setup.device, dtype=dtype, is_small=setup.is_small)
        best = roofline.megapixels_per_second(setup.base, device=limits, dtype=dtype, is_fused=True)
        eager = roofline.megapixels_per_second(setup.base, device=limits, dtype=dtype, is_fused=False)
        facts = {"TFLOP/s": limits.flops / 1e12, "TB/s": limits.bandwidth / 1e12, "roofline, Mpx/s": best}
        network = setup.bare(dtype)
        for how in ("channels-last", "channels-last, cudnn.benchmark", "NCHW", "compiled"):
            speed, note = _speed(network, how=how, dtype=dtype, edge=edge, setup=setup)
            rows.append({"format": name, "how": how, "Mpx/s": speed, **facts, "with ReLU passes": eager})
            rows[-1] |= {"share of the roofline": speed / best, "note": note}
    return rows


def _speed(network: Network, *, how: str, dtype: torch.dtype, edge: int, setup: Setup) -> tuple[float, str]:
    """Return 10^6 pixels a second of whole passes over squares without halo."""
    if how == "compiled" and (setup.left < 150 or not setup.is_cuda or dtype is not torch.bfloat16):
        return 0.0, "left out"
    layout = torch.contiguous_format if how == "NCHW" else torch.channels_last
    batch = torch.rand(setup.pick(1, 4), 1, edge, edge, device=setup.device, dtype=dtype)
    batch = batch.contiguous(memory_format=layout)
    run: Any = network.to(memory_format=layout)  # type: ignore[call-overload]
    torch.backends.cudnn.benchmark = "benchmark" in how
    try:
        if how == "compiled":
            run = torch.compile(network, dynamic=False)
        with torch.inference_mode():
            seconds = roofline.best_of(lambda: run(batch), device=setup.device, rounds=setup.pick(2, 10))
    except Exception as error:  # noqa: BLE001  (told in the table)
        return 0.0, f"{type(error).__name__}: {error}".splitlines()[0][:200]
    finally:
        torch.backends.cudnn.benchmark = False
    return batch.numel() / 1e6 / seconds, ""


def throughput(setup: Setup) -> dict[str, Any]:
    """Take an image in memory to labels, and say where the time goes."""
    edge = setup.pick(1024, 16384)
    image, predictor = setup.image(edge), setup.predictor()
    warm = setup.image(min(edge, 4096))
    predict(predictor, warm)
    plan = predictor.plan(image.shape[1:])
    network, batch = setup.bare(predictor.dtype), predictor.batch
    bare = _bare_seconds(network, windows(plan), dtype=predictor.dtype, setup=setup)
    moved = _transfer_seconds(windows(plan), maps=setup.base.out_channels, setup=setup)
    seconds, maps = timed(lambda: predict(predictor, image))
    shape, megapixels = maps.shape, image.size / 1e6
    del maps
    limits = roofline.measure(setup.device, dtype=predictor.dtype, is_small=setup.is_small)
    best = roofline.megapixels_per_second(setup.base, device=limits, dtype=predictor.dtype, is_fused=True)
    facts: dict[str, Any] = {
        "edge": edge, "tile": plan.tiles[0].write[0].stop, "tiles": len(plan.tiles), "batch": batch, "maps": shape,
        "Mpx pushed through / image": sum(np.prod(size) for size, _ in windows(plan)) / image.size,
        "bare network, s": bare, "bare network, Mpx/s": megapixels / bare, "roofline, Mpx/s": best,
        "bare network / roofline": megapixels / bare / best,
        "predict, s": seconds, "predict, Mpx/s": megapixels / seconds,
        "copies to and from the device, s": moved, "their share of predict": moved / seconds,
        "host work in predict, share": 1 - (bare + moved) / seconds,
    }  # fmt: skip
    return facts | _decoding(edge, seconds, megapixels, setup=setup)


def _decoding(edge: int, predicting: float, megapixels: float, *, setup: Setup) -> dict[str, Any]:
    """Decode maps of the bundled model, since those of random weights show no cells; as much as there is time for."""
    part = predict(setup.predictor(setup.model.network), setup.image(min(edge, 4096)))
    first, labels = timed(lambda: setup.labels(part))
    times = edge // part.shape[1]
    decoding, measured = first * times**2, times == 1
    if times > 1 and setup.left > 1.5 * decoding + 120:
        decoding, labels = timed(lambda: setup.labels(np.tile(part, (1, times, times))))
        measured = True
    total = predicting + decoding
    return {
        "decode, s": decoding, "decode measured on all of it": measured, "decode, Mpx/s": megapixels / decoding,
        "objects": int(labels.max()), "image to labels, s": total, "image to labels, Mpx/s": megapixels / total,
        "share of decoding": decoding / total,
    }  # fmt: skip


def _bare_seconds(network: Network, sizes: list[Any], *, dtype: torch.dtype, setup: Setup) -> float:
    """Return the seconds of all tiles of a plan through the network alone, one at a time."""
    inputs = {
        size: torch.rand(1, 1, *size, device=setup.device, dtype=dtype).contiguous(memory_format=torch.channels_last)
        for size in {size for size, _ in sizes}
    }

    def run() -> None:
        for size, halos in sizes:
            network.forward_cropped(inputs[size], halos)

    with torch.inference_mode():
        return roofline.best_of(run, device=setup.device, rounds=1)


def _transfer_seconds(sizes: list[Any], *, maps: int, setup: Setup) -> float:
    """Return the seconds of copying all inputs to the device, and maps (float32, pageable) back."""
    if not setup.is_cuda:
        return 0.0

    inputs = {size: torch.rand(1, *size) for size in {size for size, _ in sizes}}

    def run() -> None:
        for size, halos in sizes:
            inputs[size].to(setup.device)
            inner = [length - sum(halo) for length, halo in zip(size, halos, strict=True)]
            torch.empty(maps, *inner, device=setup.device).cpu()

    return roofline.best_of(run, device=setup.device, rounds=1)


def latency(setup: Setup) -> Rows:
    """Time one image of 512 x 512 pixels from raw to labels; the U-Net paper: less than a second."""
    raw, _ = simulate((512, 512), seed=3)
    card, rows = setup.model.card, []
    wide = registry.build(NetworkConfig(width=setup.pick(16, 64), depth=4, out_channels=4)).eval()
    for name, network in (("nuclei, width 24", setup.model.network), (f"width {wide.config.width}", wide)):
        for precision in ("float32", "bfloat16"):
            predictor = setup.predictor(network, precision=precision)

            def predicted(predictor: Any = predictor) -> np.ndarray:
                stretch = normalize.measure([raw[None]], config=card.normalization)
                return predict(predictor, normalize.apply(raw[None], stretch=stretch))

            first, _ = timed(predicted)
            times = [timed(predicted)[0] for _ in range(setup.pick(2, 20))]
            maps = predict(setup.predictor(setup.model.network, precision=precision), setup.image(512))
            decoding = statistics.median(timed(lambda maps=maps: setup.labels(maps))[0] for _ in range(3))
            middle = statistics.median(times)
            rows.append({"network": name, "precision": precision, "first, s": first, "maps, s": middle})
            rows[-1] |= {"labels of nuclei's maps, s": decoding, "image to labels, s": middle + decoding}
    return rows


def tile_sizes(setup: Setup) -> Rows:
    """Time `predict` by tile and batch, with the most memory that it took on the device."""
    image, rows = setup.image(setup.pick(512, 8192)), []
    for tile in setup.pick((256, 512), (512, 1024, 2048, 4096)):
        for batch in (1, 4, 16):
            if tile * tile * batch > image.size or setup.left < 60:
                continue
            predictor = setup.predictor(tile=tile, batch=batch)
            if setup.is_cuda:
                torch.cuda.reset_peak_memory_stats(setup.device)
            times = [timed(lambda predictor=predictor: predict(predictor, image))[0] for _ in range(2)]
            peak = torch.cuda.max_memory_allocated(setup.device) / 2**30 if setup.is_cuda else None
            rows.append({"tile": tile, "batch": batch, "Mpx/s": image.size / 1e6 / min(times), "device GiB": peak})
            rows[-1]["steps down"] = predictor.batch != batch or predictor.limit is not None
    return rows


def memory_ladder(setup: Setup) -> Rows:
    """Leave less and less memory, and see that labels stay the same while batches, tiles, then the device give way."""
    if not setup.is_cuda:
        raise Skip("memory of a graphics card is what this limits")
    with float32_as(tf32=False):
        return _ladder(setup)


def _ladder(setup: Setup) -> Rows:
    image, (tile, batch) = setup.image(2048), (1024, 4)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(setup.device)
    reference = predict(setup.predictor(setup.model.network, tile=tile, batch=batch, precision="float32"), image)
    labels, total = setup.labels(reference), torch.cuda.get_device_properties(setup.device).total_memory
    needed, rows = torch.cuda.max_memory_reserved(setup.device), []
    for share in (0.5, 0.2, 0.05, 0.002):
        predictor = setup.predictor(setup.model.network, tile=tile, batch=batch, precision="float32")
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(min(1.0, needed * share / total), setup.device)
        try:
            seconds, maps = timed(lambda predictor=predictor: finish(predictor.predict(image)))
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, setup.device)
        found = setup.labels(maps)
        rows.append({"share of the memory": share, "seconds": seconds, "ended on": str(predictor.device)})
        rows[-1] |= {"batch": predictor.batch, "pixels a tile at most": predictor.limit}
        rows[-1] |= {"largest difference": float(np.abs(maps - reference).max())}
        rows[-1] |= {"same labels": bool((found == labels).all()), "objects that differ": difference(found, labels)}
    return rows
