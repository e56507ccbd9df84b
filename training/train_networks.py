"""Teach the networks of the package in PyTorch, on a GPU, from the file that ``pack.py`` writes.

    python training/train_networks.py --pack FILE --out FOLDER STAGE ...

A stage is ``name:network:seconds[:option=value,...]``, in this order of options, all optional:
``steps`` (it ends after so many steps, or after its seconds), ``batch``, ``rate``, ``decay``,
``drop``, ``seed``, ``start`` (an earlier stage or a file of weights to go on from), ``teachers``
(earlier stages or files of answers, joined by ``+``), ``trust`` (of labels, against teachers),
``sets`` (names of sets and how often each image of them is shown, ``gz2*2+efigi*3``), ``keep``
(1: write the answers to all images) and ``fold`` (DECam galaxies of ``val`` are taught, too; those
whose number, divided by 3, leaves this remainder are not; 3: all are).

All questions and attributes are taught at once: labels, votes as soft targets, and the answers of
teachers, averaged over eight views, where there are none. What differs between surveys, and not
between galaxies, varies at random: sharpness, pixels, noise, sky, stretch, saturated centers,
color down to one band, photographic plates, framing. The averages of the weights over the steps are
what is kept.
"""
import argparse
import json
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import roc_auc_score
from torch_networks import NETWORKS

MARGIN = 4 / 3
DECAM, FOLDS = ("decals", "decals-measured"), 3
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Pack:
    """Images, targets (NaN: none) and weights of the file that ``pack.py`` writes."""

    def __init__(self, path):
        pack = dict(np.load(path))  # read once
        ends = np.cumsum(pack["lengths"])
        parts = [pack["images"][end - n:end] for n, end in zip(pack["lengths"], ends)]
        with ThreadPoolExecutor(16) as pool:
            images = list(pool.map(lambda part: np.asarray(Image.open(BytesIO(part.tobytes()))),
                                   parts))
        self.images = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().to(DEVICE)
        self.names = [str(name) for name in pack["names"]]
        self.numbers = [str(name) for name in pack["numbers"]]
        self.targets = torch.from_numpy(pack["targets"].astype(np.float32)).to(DEVICE)
        self.weights = torch.from_numpy(pack["weights"].astype(np.float32)).to(DEVICE)
        self.base = torch.from_numpy(pack["base"]).to(DEVICE)
        self.set, self.split = pack["set"].astype(str), pack["split"].astype(str)


def uniform(n, low, high):
    return torch.empty(n, 1, 1, 1, device=DEVICE).uniform_(low, high)


def some(n, share):
    return torch.rand(n, 1, 1, 1, device=DEVICE) < share


def framed(images, size, zoom=(1, 1), shift=0.0, turn=False):
    """Network frames of images, moved at random; drawn at twice the size where that is small."""
    n, fine = len(images), 2 if size < 100 else 1
    angle = uniform(n, -np.pi, np.pi).flatten() * turn
    step = torch.exp(-uniform(n, *np.log(zoom)).flatten()) / MARGIN
    flip = torch.where(torch.rand(n, device=DEVICE) < 0.5 * turn, -1.0, 1.0)
    dx, dy = (uniform(n, -shift, shift).flatten() * 2 / MARGIN for _ in range(2))
    cos, sin = step * torch.cos(angle), step * torch.sin(angle)
    theta = torch.stack([torch.stack([flip * cos, -sin, dx], 1),
                         torch.stack([flip * sin, cos, dy], 1)], 1)
    grid = F.affine_grid(theta, (n, 3, fine * size, fine * size), align_corners=False)
    out = F.grid_sample(images.float() / 255, grid, padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(out, 2) if fine == 2 else out


def blurred(images, sigma):
    """Smoothed by Gaussians, one width in pixels for each image."""
    n, bands, height, width = images.shape
    reach = int(np.ceil(3 * float(sigma.max())))
    x = torch.arange(-reach, reach + 1, device=DEVICE)[None] / sigma.reshape(n, 1)
    kernel = torch.exp(-0.5 * x**2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(bands, 0)[:, None]
    flat = images.reshape(1, n * bands, height, width)
    flat = F.pad(flat, [reach] * 4, mode="reflect")
    flat = F.conv2d(flat, kernel[:, :, None], groups=n * bands)
    return F.conv2d(flat, kernel[..., None], groups=n * bands).reshape(images.shape)


def looks(images):
    """Images as another telescope, filter, exposure or stretch would show them."""
    n, bands, size, _ = images.shape
    part = n // 4  # of the batch, anew each time: smoothed, coarser
    images[:part] = blurred(images[:part], uniform(part, 0.3, 2.6) * size / 128)
    coarse = int(size * np.random.uniform(0.35, 0.9))
    rows = slice(part, part + n // 10)
    images[rows] = F.interpolate(F.interpolate(images[rows], coarse, mode="area"), size,
                                 mode="bilinear")
    sharp = 0.7 * uniform(n, -1, 1) - 0.3
    images = images + sharp * (images - blurred(images, torch.full((n,), size / 75,
                                                                   device=DEVICE)))
    images = images.clamp(0, 1) * torch.exp(0.15 * torch.randn(n, bands, 1, 1, device=DEVICE))
    # Another exposure and another softness, down to a linear one; what is too bright saturates.
    soft = uniform(n, 0.5, 3.5)
    linear = torch.sinh(soft * images) / torch.sinh(soft)
    linear = linear * torch.exp(0.2 + 0.6 * torch.randn(n, 1, 1, 1, device=DEVICE))
    other = torch.sinh(soft) * torch.exp(0.9 * torch.randn(n, 1, 1, 1, device=DEVICE))
    images = torch.where(some(n, 0.5), torch.asinh(other * linear) / torch.asinh(other), images)
    gray = images.mean(1, keepdim=True)
    images = gray + (images - gray) * torch.exp(0.6 * uniform(n, -1, 1))
    one, plates = some(n, 0.2), some(n, 0.06)
    mix = torch.softmax(3 * torch.randn(n, bands, 1, 1, device=DEVICE), 1)
    band = (mix * images).sum(1, keepdim=True)
    images = torch.where(one | plates, band, images)
    images = torch.where(plates, blackened(images), images)
    # Noise of one band is the same in all channels; grain is where the plate is dark.
    level = torch.where(one | plates, 0.02, 0.012) * torch.exp(1.5 * uniform(n, -1, 1))
    noise = torch.randn_like(images)
    smooth = slice(n - part, n)
    noise[:part] = blurred(noise[:part], torch.full((part,), 1.0, device=DEVICE)) * 3.5
    noise[smooth] = blurred(noise[smooth], torch.full((part,), 0.6, device=DEVICE)) * 2.1
    noise = torch.where(one | plates | some(n, 0.1), noise.mean(1, keepdim=True) * 1.7, noise)
    noise = torch.where(plates, 1.5 * noise * images.clamp(0, 1).sqrt(), noise)
    images = (images + 0.05 * uniform(n, -1, 1) + level * noise).clamp(1e-6, 1)
    limit = float(np.log1p(0.6)) / 2
    power = torch.exp(uniform(n, -limit, limit)
                      + torch.empty(n, bands, 1, 1, device=DEVICE).uniform_(-limit, limit))
    return images ** power


def blackened(images):
    """Blackening of photographic plates by images: a characteristic curve, of random exposure."""
    n = len(images)
    flux = torch.sinh(4 * images.clamp(0, 1.5)) / np.sinh(4)
    exposed = (flux * torch.exp(uniform(n, 1.2, 3.7)) + 0.05) ** uniform(n, 0.8, 1.6)
    return 0.05 + 0.95 * exposed / (1 + exposed)


def as_plate(images):
    """A grainy plate of the bluest band."""
    plate = blackened(images[:, 2:])
    plate = plate + 0.08 * torch.randn_like(plate) * plate.sqrt()
    return plate.clamp(1e-6, 1).expand(images.shape)


def as_noisy_band(images):
    """The middle band alone, with much noise."""
    band = images[:, 1:2]
    return (band + 0.06 * torch.randn_like(band)).clamp(1e-6, 1).expand(images.shape)


def normalized(images):
    return images / images.amax((2, 3), keepdim=True).clamp_min(1e-6)


class Model(torch.nn.Module):
    """A network and a linear answer to everything: logits, then (mean, log deviation)."""

    def __init__(self, network, names, numbers, drop):
        super().__init__()
        make, self.size, features = NETWORKS[network]
        self.trunk, self.drop = make(1), drop
        self.answers = torch.nn.Linear(features, len(names) + 2 * len(numbers))
        torch.nn.init.normal_(self.answers.weight, std=0.01)
        torch.nn.init.zeros_(self.answers.bias)

    def forward(self, pixels):
        features = self.trunk(pixels.contiguous(memory_format=torch.channels_last)).float()
        with torch.autocast(DEVICE, enabled=False):
            return self.answers(F.dropout(features, self.drop, self.training))


def load_start(model, file):
    """Weights of an earlier stage, or ImageNet's of the trunk alone; names that fit are taken."""
    state = torch.load(file, map_location=DEVICE)
    state = {name: value.float() for name, value in state.items()}
    if not any(name.startswith("trunk.") for name in state):
        state = {f"trunk.{name}": value for name, value in state.items()}
    own = model.state_dict()
    fits = {name: value for name, value in state.items()
            if name in own and own[name].shape == value.shape}
    model.load_state_dict(own | fits)
    print("start", file, len(fits), "of", len(own), "arrays", flush=True)


def loss_of(outputs, targets, weights, n_names):
    """Masked cross-entropy of shares, Gaussian likelihood of numbers."""
    y, w = targets[:, :n_names], weights[:, :n_names]
    entropy = F.binary_cross_entropy_with_logits(outputs[:, :n_names], y, reduction="none")
    mean, log_sd = outputs[:, n_names:].chunk(2, 1)
    log_sd = log_sd.clamp(-4, 3)
    number = 0.5 * ((targets[:, n_names:] - mean) * torch.exp(-log_sd))**2 + log_sd
    return ((entropy * w).sum() + (number * weights[:, n_names:]).sum()) / len(y)


@torch.no_grad()
def answers(model, pack, rows, views=1, look=None):
    """Probabilities, then means, of some images; averaged over views; perhaps of another look."""
    model.eval()
    parts, n = [], len(pack.names)
    for start in range(0, len(rows), 512):
        pixels = framed(pack.images[rows[start:start + 512]], model.size)
        pixels = normalized(look(pixels) if look else pixels)
        total = 0
        for view in range(views):
            turned = torch.rot90(pixels.flip(3) if view >= 4 else pixels, view % 4, (2, 3))
            with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
                out = model(turned).float()
            total = total + torch.cat([torch.sigmoid(out[:, :n]), out[:, n:]], 1)
        parts.append(total / views)
    model.train()
    return torch.cat(parts).cpu().numpy()


def report(model, pack, look=None, only=None):
    """Areas on val, by set, of all questions with labels that are 0 or 1; deviation of numbers."""
    rows = np.flatnonzero(pack.split == "val")
    said, true = answers(model, pack, rows, look=look), pack.targets[rows].cpu().numpy()
    lines = []
    for number, name in enumerate([*pack.names, *pack.numbers]):
        if only and name not in only:
            continue
        for each in np.unique(pack.set[rows]):
            good = (pack.set[rows] == each) & np.isfinite(true[:, number])
            if number < len(pack.names):
                good &= np.isin(true[:, number], (0, 1))
                y, p = true[good, number], said[good, number]
                if good.sum() > 40 and min((y == 0).sum(), (y == 1).sum()) > 4:
                    lines.append(f"{name}/{each}={roc_auc_score(y, p):.4f}")
            elif good.sum() > 40:
                off = said[good, number] - true[good, number]
                sigma = 1.4826 * np.median(np.abs(off - np.median(off)))
                lines.append(f"{name}/{each}: sigma {sigma:.3f} bias {np.median(off):.3f}")
    return " ".join(lines)


def in_training(pack, fold):
    """Whether each image may be taught: all but ``val``, or DECam's but one of three parts."""
    allowed = pack.split != "val"
    for name in DECAM if fold is not None else ():
        rows = np.flatnonzero(pack.set == name)
        allowed[rows] = np.arange(len(rows)) % FOLDS != fold
    return allowed


def drawing(pack, sets, fold=None):
    """Rows to train on, and how often each is drawn."""
    often = {name: float(times) for name, times in (one.split("*") for one in sets.split("+"))}
    chances = np.array([often.get(name, 0.0) for name in pack.set]) * in_training(pack, fold)
    rows = np.flatnonzero(chances)
    return torch.from_numpy(rows).to(DEVICE), torch.from_numpy(chances[rows]).float().to(DEVICE)


def taught(pack, teachers, trust):
    """Targets and weights of all images, the answers of teachers mixed in."""
    known = torch.isfinite(pack.targets)
    targets, weights = torch.nan_to_num(pack.targets), pack.weights * known
    if not teachers:
        return targets, weights
    said = torch.from_numpy(np.mean(teachers, axis=0).astype(np.float32)).to(DEVICE)
    said = said[:, :targets.shape[1]]  # without deviations of numbers
    names = pack.names
    disk, face_on = said[:, names.index("disk")], 1 - said[:, names.index("edge_on")]
    asked = torch.full_like(targets, 0.5)
    for name, chance in {"disk": torch.ones_like(disk), "edge_on": disk,
                         "bar": disk * face_on}.items():
        asked[:, names.index(name)] = chance
    base = pack.base
    targets = torch.where(known, trust * targets + (1 - trust) * said, said)
    return targets, torch.where(known, torch.maximum(weights, asked * base), 0.5 * asked * base)


def train(pack, out, name, network, seconds, options, done, wanted):
    """One stage; its weights, and its answers to all images, go to files in ``out``."""
    get = lambda key, default, kind=float: kind(options.get(key, default))  # noqa: E731
    torch.manual_seed(get("seed", 1, int))
    np.random.seed(get("seed", 1, int))
    model = Model(network, pack.names, pack.numbers, get("drop", 0.2)).to(DEVICE)
    model = model.to(memory_format=torch.channels_last)
    for start in str(options.get("start", "")).split("+"):
        if start:
            load_start(model, out / f"{start}.pt" if (out / f"{start}.pt").exists() else start)
    model.train()
    average = {key: value.clone().float() for key, value in model.state_dict().items()}
    teachers = [done[each] if each in done else np.load(each)["answers"]
                for each in str(options.get("teachers", "")).split("+") if each]
    targets, weights = taught(pack, teachers, get("trust", 0.5))
    fold = int(options["fold"]) if "fold" in options else None
    rows, chances = drawing(pack, options["sets"], fold)
    batch, rate, steps = get("batch", 256, int), get("rate", 1e-3), get("steps", 10**9, int)
    decay = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": get("decay", 0.05)},
                                   {"params": rest, "weight_decay": 0.0}], lr=rate,
                                  betas=(0.9, 0.99), fused=DEVICE == "cuda")
    began, step, shown = time.monotonic(), 0, 0.0
    while (part := max((time.monotonic() - began) / seconds, step / steps)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(part / 0.08 + 0.02, 0.5 + 0.5 * np.cos(np.pi * part))
        chosen = rows[torch.multinomial(chances, batch, replacement=True)]
        with torch.no_grad():
            pixels = normalized(looks(framed(pack.images[chosen], model.size, zoom=(0.65, 1.45),
                                             shift=0.05, turn=True)))
        with torch.autocast(DEVICE, torch.bfloat16, enabled=DEVICE == "cuda"):
            loss = loss_of(model(pixels), targets[chosen], weights[chosen], len(pack.names))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        step += 1
        keep = min(0.998, step / (step + 20))
        with torch.no_grad():
            own = model.state_dict()
            floats = [key for key in own if own[key].is_floating_point()]
            torch._foreach_lerp_([average[key] for key in floats],
                                 [own[key].float() for key in floats], 1 - keep)
        if part - shown > 0.25:
            shown = part
            print(f"{name} {part:.2f} step {step} loss {loss.item():.4f}", flush=True)
    model.load_state_dict(average)
    print(f"{name}: {step} steps of {batch} in {time.monotonic() - began:.0f} s", flush=True)
    print(name, report(model, pack), flush=True)
    for look in (as_plate, as_noisy_band):
        print(name, look.__name__, report(model, pack, look, ("disk", "edge_on", "bar")),
              flush=True)
    torch.save({key: value.half() if value.is_floating_point() else value
                for key, value in average.items()}, out / f"{name}.pt")
    if name in wanted or get("keep", 0, int):
        done[name] = answers(model, pack, np.arange(len(pack.set)), 8)
    if get("keep", 0, int):
        np.savez_compressed(out / f"{name}-answers.npz", answers=done[name].astype(np.float16))
    (out / f"{name}.json").write_text(json.dumps({
        "network": network, "steps": step, "batch": batch, "names": pack.names,
        "numbers": pack.numbers, **options}))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("stages", nargs="+")
    args = parser.parse_args()
    torch.backends.cudnn.benchmark = False
    torch.set_float32_matmul_precision("high")
    began = time.monotonic()
    pack = Pack(args.pack)
    print(f"{tuple(pack.images.shape)} images in {time.monotonic() - began:.0f} s, {DEVICE}",
          flush=True)
    done, stages = {}, []
    for stage in args.stages:
        name, network, seconds, *more = stage.split(":")
        stages.append((name, network, float(seconds),
                       dict(one.split("=", 1) for one in ":".join(more).split(",") if one)))
    wanted = {one for *_, options in stages for one in options.get("teachers", "").split("+")}
    for stage in stages:
        train(pack, args.out, *stage, done, wanted)


if __name__ == "__main__":
    main()
