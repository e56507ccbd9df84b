"""``astromorph classify --dry-run`` estimates the cost of a run; it sends no request."""
import time
from collections import Counter
from pathlib import Path

from astromorph.cli.galaxies import load_classifier, open_galaxies, read_galaxies
from astromorph.cutouts import PER_HOST
from astromorph.services.base import is_local

__all__ = ["forecast"]

SECONDS_PER_REQUEST = 1.0
"""An assumption: services differ, and so does their load."""
_SAMPLE = 256  # galaxies to measure the speed of this machine with


def forecast(args):
    """Print and return the expected rows, requests, MB and minutes, and the assumptions."""
    columns, total = _look_at_hats(args)
    galaxies, classifier = read_galaxies(args, data=columns), load_classifier(args)
    if galaxies.data is None:
        print("Only the survey's catalog knows how many galaxies the region has, and a dry run "
              "does not query it. There are at most --max-rows, by default 100000.")
        return {"dry_run": True, "rows": None}
    forecast = (_of_positions(args, galaxies, classifier, total) if galaxies.positions
                else _of_images(galaxies, total))
    rate = _measure(classifier)
    forecast["assumes"].append(f"the network classifies {rate:.0f} galaxies/s, as measured now on "
                               "this machine")
    working = forecast["to_classify"] / rate
    # Images are downloaded while the network works.
    forecast["minutes"] = round(max(working, forecast.pop("waiting", 0)) / 60, 1)
    _show(forecast)
    return {"dry_run": True, **forecast}


def _look_at_hats(args):
    """The columns and the number of rows of a HATS catalog, which may be too large to read."""
    from astromorph.tables.hats import is_hats, open_hats, read_columns

    if len(args.files) != 1 or not is_hats(args.files[0]):
        return None, None
    catalog = open_hats(args.files[0])
    return read_columns(catalog), len(catalog)


def _of_positions(args, galaxies, classifier, total):
    source, assumes = open_galaxies(galaxies, classifier), []
    if total is None:
        counts = source.forecast()
    else:
        counts = _unseen(source.services, args.offline, total)
        assumes.append("the cache has none of the images")
    cost = _cost(args, source.services, counts["request"], assumes)
    total = counts.total()
    return {"rows": total, "to_classify": total - counts["refused"] - counts["missing"],
            "no_image_possible": counts["refused"], "not_cached": counts["missing"],
            "in_cache": counts["cached"], "local": counts["local"], **cost, "assumes": assumes}


def _unseen(services, offline, total):
    """Counts of rows without a look at each row."""
    where = "local" if is_local(services[0]) else "missing" if offline else "request"
    return Counter({where: total})


def _cost(args, services, images, assumes):
    """Requests, megabytes and seconds to wait for these images; extends the assumptions."""
    if not images:
        return {"requests": 0, "megabytes": 0, "waiting": 0}
    service = next(service for service in services if not is_local(service))
    per_host = args.per_host or PER_HOST
    requests = round(images * service.requests)
    size = "an unknown number of" if service.kilobytes is None else f"{service.kilobytes}"
    assumes += [f"every image comes from the first service, {service.name}: "
                f"requests per galaxy {service.requests:g}, {size} kB each "
                "(benchmarks/images_by_position.py)",
                f"{per_host} requests are made at a time, each answered after "
                f"{SECONDS_PER_REQUEST:g} s"]
    megabytes = None if service.kilobytes is None else round(images * service.kilobytes / 1000, 1)
    return {"requests": requests, "megabytes": megabytes,
            "waiting": requests * SECONDS_PER_REQUEST / per_host}


def _of_images(galaxies, total):
    assumes = ["files are read as fast as the network takes them"]
    if total is not None:
        return {"rows": total, "to_classify": total, "requests": 0, "megabytes": 0,
                "assumes": assumes}
    data, column = galaxies.data, galaxies.options.get("images")
    names = data if column is None else data[column] if column in data.colnames else (
        [column] * len(data))
    sizes = {name: path.stat().st_size for name in set(map(str, names))
             if (path := Path(name)).is_file()}
    there = sum(str(name) in sizes for name in names)
    return {"rows": len(names), "to_classify": there, "missing_files": len(names) - there,
            "requests": 0, "megabytes": 0, "megabytes_read": round(sum(sizes.values()) / 1e6, 1),
            "assumes": assumes}


def _measure(classifier):
    """Galaxies per second on this machine, for the network and the preparation of its images."""
    import numpy as np

    from astromorph.images import resample

    noise = np.random.default_rng(0).integers(0, 255, (_SAMPLE, 96, 96, 3), np.uint8)
    model = classifier.model
    frames = [resample(picture, model.size) / np.float32(255) for picture in noise]
    model.answer(np.stack(model.prepare(frames[:8])))
    started = time.perf_counter()
    frames = [resample(picture, model.size) / np.float32(255) for picture in noise]
    model.answer(np.stack(model.prepare(frames)))
    return _SAMPLE / (time.perf_counter() - started)


def _show(forecast):
    names = {"rows": "rows", "to_classify": "  to classify", "no_image_possible":
             "  without a possible image", "not_cached": "  not in the cache, offline",
             "in_cache": "  in the cache", "local": "  local", "missing_files": "  missing files",
             "requests": "requests", "megabytes": "MB to receive", "megabytes_read": "MB to read",
             "minutes": "minutes"}
    print("\n".join(f"{title:28} {'unknown' if forecast[name] is None else forecast[name]}"
                    for name, title in names.items() if name in forecast
                    and (forecast[name] != 0 or name in ("rows", "requests", "minutes"))))
    print("This assumes that " + "; that ".join(forecast["assumes"]) + ".")
