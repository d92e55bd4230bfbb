"""Other tools on the files that `benchmarks.near_copies` planted, run by a Python that has one of them.

    PYTHON near_copies_others.py OUT/pictures phash|dhash|imagededup-cnn|fastdup

Each is asked for all pairs at its own default: imagededup's PHash and DHash (10 of 64 bits) and CNN (cosine .9), or
fastdup's similarity graph (.9). A copy is found if it is a pair with its original.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

PLANTED = "planted"

Pairs = set[frozenset[str]]


def by_imagededup(folder: Path, tool: str) -> Pairs:
    """Names below the folder of what imagededup calls duplicates."""
    from imagededup import methods  # type: ignore[import-not-found]

    method = {"phash": "PHash", "dhash": "DHash", "imagededup-cnn": "CNN"}[tool]
    with TemporaryDirectory() as flat:  # it looks into no folders below, and knows no other names
        names = {}
        for number, file in enumerate(files_of(folder)):
            link = Path(flat) / f"{number:07}{file.suffix}"
            link.symlink_to(file.resolve())
            names[link.name] = str(file.relative_to(folder))
        asked = getattr(methods, method)(verbose=False).find_duplicates(image_dir=flat)
    return {frozenset((names[one], names[other])) for one, others in asked.items() for other in others}


def by_fastdup(folder: Path) -> Pairs:
    """Names below the folder of what fastdup calls near duplicates."""
    import fastdup  # type: ignore[import-not-found]

    with TemporaryDirectory() as work:
        run = fastdup.create(work_dir=work, input_dir=[str(file) for file in files_of(folder)])
        run.run(overwrite=True, print_summary=False)
        found = run.similarity()
    both = zip(found["filename_from"], found["filename_to"], strict=True)
    return {frozenset(str(Path(name).relative_to(folder)) for name in pair) for pair in both}


def files_of(folder: Path) -> list[Path]:
    """All files below a folder, by name."""
    return sorted(file for file in folder.rglob("*") if file.is_file())


def main() -> None:
    """Ask, and print the shares by kind and the pairs among others."""
    folder, tool = Path(sys.argv[1]), sys.argv[2]
    called = by_fastdup(folder) if tool == "fastdup" else by_imagededup(folder, tool)
    originals = {file.stem: str(file.relative_to(folder)) for file in folder.iterdir() if file.is_file()}
    for kind in sorted((folder / PLANTED).iterdir()):
        copies = [file for file in kind.iterdir() if file.stem in originals]
        found = [frozenset((str(file.relative_to(folder)), originals[file.stem])) in called for file in copies]
        print(f"| {kind.name} | {sum(found) / len(found):.3f} | {len(found)} |")
    among = [pair for pair in called if len(pair) == 2 and not any(name.startswith(PLANTED) for name in pair)]
    print(f"\n{len(among)} pairs are called among the {len(originals):,} photographs.")


if __name__ == "__main__":
    main()
