"""Prints the mean and the spread over seeds of finished studies, and writes pages with pictures.

python recipes/collect_results.py runs/conv_transformer-emodb-*
python recipes/collect_results.py --folds=11,13,14,15,16 runs/conv_transformer-emodb-*
"""

import pathlib

from absl import flags

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.data.corpora.text import composed
from tfhrf.studies import cli, comparison_page, pictures, results, tables

FOLDS = flags.DEFINE_list("folds", None, "Names of the folds that count, such as test speakers.")
OUT = flags.DEFINE_string("out", "runs/collected", "Folder of the pages and pictures.")


def main(folders):
    if not folders:
        raise results.ResultsError("Give the folders of one or more studies. Received: none")
    folds = None if FOLDS.value is None else [composed(name) for name in FOLDS.value]
    groups = results.group(folders, folds)
    print("\n\n".join(tables.seeds_table(*group) for group in groups))
    for comparable in results.by_corpus(groups):
        if len(comparable) > 1:
            print(f"\n{tables.comparison(comparable)}")
        pictures.save_groups(pathlib.Path(OUT.value), comparable)
        page = comparison_page.name_of(comparable)
        comparison_page.write(pathlib.Path(OUT.value, page), comparable, folders)
    print(f"\nPages and pictures are in {OUT.value}")


if __name__ == "__main__":
    cli.run(main, positional=True)
