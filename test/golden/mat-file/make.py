"""Writes `synsets.mat` as ImageNet's `meta.mat` is: an array of structs, compressed. Needs scipy; python make.py"""
import os

import numpy as np
import scipy.io

fields = [
    ("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("num_children", "O"), ("children", "O"),
    ("num_train_images", "O"),
]
rows = [
    (1, "n02119789", "kit fox, Vulpes macrotis", 0, np.zeros((1, 0)), 1300),
    (2, "n02100735", "English setter", 0, np.zeros((1, 0)), 1300),
    (300, "n00015388", "Tier, Übergruppe", 2, np.array([[1, 2]]), 0),
]
synsets = np.array(rows, fields).reshape(-1, 1)
here = os.path.dirname(os.path.abspath(__file__))
data = {"other": np.arange(3), "synsets": synsets}
scipy.io.savemat(os.path.join(here, "synsets.mat"), data, do_compression=True)
scipy.io.savemat(os.path.join(here, "synsets-plain.mat"), data, do_compression=False)
