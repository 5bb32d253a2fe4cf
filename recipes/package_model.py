"""Makes the deployed model of a finished study one of the package's, with a card of its figures.

python recipes/package_model.py --study=runs/STUDY --name=light-emodb-4
python recipes/package_model.py --study=runs/mine --name=mine --into=models \
    --licence="CC BY 4.0" --attribution="Our team, 2026"
"""

from absl import flags

import tfhrf.quiet  # noqa: F401  before what loads TensorFlow
from tfhrf.recognition import packaged
from tfhrf.studies import cli
from tfhrf.studies.package import package

STUDY = flags.DEFINE_string("study", None, "Folder of the study.", required=True)
NAME = flags.DEFINE_string("name", None, "Name of the model: size-corpus-classes.", required=True)
INTO = flags.DEFINE_string("into", str(packaged.FOLDER), "Folder of the packaged models.")
LICENCE = flags.DEFINE_string("licence", None, "Of the corpus, where the package knows none.")
ATTRIBUTION = flags.DEFINE_string("attribution", None, "Who made the corpus, with its licence.")
ACROSS = flags.DEFINE_list("across", [], "Folders of studies that tested on other corpora.")


def main():
    folder = package(
        STUDY.value, NAME.value, INTO.value, LICENCE.value, ATTRIBUTION.value, ACROSS.value
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"Written to {folder}: {size:,} bytes")


if __name__ == "__main__":
    cli.run(main)
