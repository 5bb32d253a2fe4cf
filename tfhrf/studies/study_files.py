"""What lies in a study's folder, by name."""

from tfhrf.recognition import packaged

SETTINGS = "settings.json"
MADE_OF = packaged.STUDY  # of what recordings, folds and training
FRONT_END = packaged.FRONT_END
RESULTS = "results.json"
PAGE = "report.html"  # what one looks at
STRESS = ("stress.json", "stress.png")  # what tfhrf.studies.stress writes
# A folder for each fold, and one for the model that all speakers trained.
DEPLOYED = "deployed"
FOLD = "fold.json"  # what it found; written last
TRAINED = "trained.keras"
FOLDED = packaged.STUDY_MODEL
INT8 = packaged.INT8
CALIBRATION = "calibration.json"
INSTRUCTIONS = "instructions.json"  # what tflm/count_instructions.py --write leaves beside a graph
