"""Writes what the study of HRF, distillation and size found into docs/results.md, with pictures.

python recipes/report_study.py
python recipes/report_study.py --seeds=2 --out=runs/study_hrf --into=my_report.md
"""

from absl import flags

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.studies import cli, report

SEEDS = flags.DEFINE_integer("seeds", 10, "How many seeds the study has.", lower_bound=1)
OUT = flags.DEFINE_string("out", "runs/study_hrf", "Folder of the study.")
INTO = flags.DEFINE_string("into", "docs/results.md", "The report's file, which has its marks.")


def main():
    report.write(INTO.value, OUT.value, SEEDS.value)
    print(f"Written to {INTO.value}")


if __name__ == "__main__":
    cli.run(main)
