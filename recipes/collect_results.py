"""Prints the mean and the spread over seeds of finished studies.

python recipes/collect_results.py runs/conv_transformer-emodb-*
python recipes/collect_results.py --folds=11,13,14,15,16 runs/conv_transformer-emodb-*
"""

from absl import flags

from tfhrf import commands, report

FOLDS = flags.DEFINE_list("folds", None, "Names of the folds that count, such as test speakers.")


def main(folders):
    if not folders:
        raise report.ReportError("Give the folders of one or more studies")
    print(report.seeds_table(folders, FOLDS.value))


if __name__ == "__main__":
    commands.run(main, positional=True)
