"""Prints the mean and the spread over seeds of finished studies.

python recipes/collect_results.py runs/conv_transformer-emodb-*
"""

from tfhrf import commands, report


def main(folders):
    if not folders:
        raise report.ReportError("Give the folders of one or more studies")
    print(report.seeds_table(folders))


if __name__ == "__main__":
    commands.run(main, positional=True)
