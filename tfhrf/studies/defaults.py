"""How a backbone trains on each corpus where its recipe says nothing else."""

from tfhrf.studies.training import TrainingSettings

# The epochs and batches of IEMOCAP and DAIC-WOZ are those of SpeechFormer (Chen et al. 2022), the
# others have not been tuned. The epochs are the same for every fold: no test fold picks its own.
DEFAULTS = {
    "cremad": TrainingSettings(epochs=60),
    "daic_woz": TrainingSettings(epochs=60, batch_size=16),
    "emodb": TrainingSettings(epochs=60),
    "folders": TrainingSettings(epochs=60),
    "iemocap": TrainingSettings(epochs=120, batch_size=32),
    "m3ed": TrainingSettings(epochs=30),
    "nemo": TrainingSettings(epochs=60),
    "ravdess": TrainingSettings(epochs=60),
    "savee": TrainingSettings(epochs=60),
    "synthetic": TrainingSettings(epochs=20),
    "table": TrainingSettings(epochs=60),
    "tess": TrainingSettings(epochs=60),
}
