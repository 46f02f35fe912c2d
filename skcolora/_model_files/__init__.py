"""Files of fitted models: arrays and a description, from which nothing is executed."""

from skcolora._model_files._decoder import ModelFileError
from skcolora._model_files._file import load, save

__all__ = ["ModelFileError", "load", "save"]
