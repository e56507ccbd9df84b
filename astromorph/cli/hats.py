"""``astromorph classify`` from one HATS catalog to another, partition by partition."""
import logging
from contextlib import contextmanager, nullcontext
from pathlib import Path

from astromorph import __version__
from astromorph.atomic import written_whole
from astromorph.cli.galaxies import load_classifier, read_galaxies
from astromorph.cli.output import count_outcomes, may_replace
from astromorph.cli.parsing import given
from astromorph.running.fingerprints import fingerprint, fingerprint_images
from astromorph.tables.hats import describe_hats, open_hats, read_columns

__all__ = ["classify_hats"]

# Arguments that do not change the result.
_INDIFFERENT = {"run", "parser", "verbose", "quiet", "json", "if_interrupted", "resume",
                "overwrite", "workers", "warning", "empty", "threads", "batch_size", "progress",
                "per_host", "timeout", "retries", "output_format", "report", "checkpoint",
                "dry_run"}


def classify_hats(args):
    """Write the output catalog; return the counts of outcomes, and the provenance."""
    if args.report is not None:
        args.parser.error("--report needs a table; it does not work from HATS to HATS")
    catalog = open_hats(args.files[0])
    columns = read_columns(catalog)
    galaxies = read_galaxies(args, data=columns)
    classifier = load_classifier(args)
    options = galaxies.options | given(args, "questions", "uncertainty", "joint", "provenance",
                                       "precision")
    options.pop("progress", None)
    described = classifier.classify(columns, **options)  # without rows, so it sends no request
    units = {column.name: column.unit for column in columns.itercols() if column.unit}
    if args.workers:
        options["workers"] = args.workers
    with _cluster(args.workers), written_whole(
            args.output, overwrite=may_replace(args, args.output),
            part=_kept(args, classifier)) as part:
        result = classifier.classify_catalog(catalog, units=units, **options)
        result.write_catalog(part, catalog_name=args.output.name, as_collection=False,
                             resume=args.resume, progress_bar=not args.quiet)
        describe_hats(part, described)
        outcome = count_outcomes(*_flags(part))
    return outcome, described.meta


def _kept(args, classifier):
    """Folder that keeps partitions of a resumable run, one for each input and way to compute."""
    if not args.resume:
        return None
    asked = sorted(f"{name}={value}" for name, value in vars(args).items()
                   if name not in _INDIFFERENT)
    files = sorted(path for path in Path(args.files[0]).rglob("*") if path.is_file())
    digest = fingerprint([__version__, *asked, classifier.model.identity,
                          fingerprint_images(files)])
    return (args.checkpoint or args.output.parent) / f"{args.output.name}.checkpoint-{digest[:8]}"


def _cluster(workers):
    return _workers(workers) if workers else nullcontext()


@contextmanager
def _workers(number):
    """Processes that share the partitions."""
    import dask
    from dask.distributed import Client, LocalCluster

    from astromorph.partitions import KEEP_MEMORY

    with dask.config.set(KEEP_MEMORY), LocalCluster(
            n_workers=number, dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR) as cluster, Client(cluster):
        yield


def _flags(path):
    """The different flags of a catalog, and the number of rows with each."""
    from pyarrow import dataset

    flags = dataset.dataset(path / "dataset", format="parquet").to_table(columns=["morph_flag"])
    counts = flags.group_by("morph_flag").aggregate([("morph_flag", "count")])
    return counts["morph_flag"].to_numpy(), counts["morph_flag_count"].to_numpy()
