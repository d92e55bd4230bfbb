"""Names of the 1,000 ImageNet classes in the classifier's order, from timm."""

import importlib.util
from functools import cache
from pathlib import Path


@cache
def class_names() -> tuple[str, ...]:
    """The first name of each class, like "tench", "goldfish"; empty if the installed timm has no such list.

    timm itself is not imported, as that would take seconds.
    """
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        return ()
    folder = Path(spec.origin).parent / "data" / "_info"
    try:
        numbers = (folder / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
        lines = (folder / "imagenet_synset_to_lemma.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    names = {number: words.split(",")[0].strip() for number, _, words in (line.partition("\t") for line in lines)}
    return tuple(names.get(number, number) for number in numbers)
