"""QUESTION.json: what Python's onnxruntime makes of an exported file, pictures preprocessed by Pillow as its metadata says."""
import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

question = json.load(open(sys.argv[1]))
session = onnxruntime.InferenceSession(question["folder"] + "/onnx/model.onnx", providers=["CPUExecutionProvider"])
how = json.loads(session.get_modelmeta().custom_metadata_map["preprocessing"])


def preprocess(path):
    image = Image.open(path).convert("RGB")
    resize, crop = how["resize"], how["crop"]
    if "shortest_edge" in resize:
        short = min(image.size)
        size = tuple(int(resize["shortest_edge"] * side / short) for side in image.size)
    else:
        size = (resize["width"], resize["height"])
    image = image.resize(size, Image.BICUBIC)
    left, top = round((size[0] - crop) / 2), round((size[1] - crop) / 2)
    values = np.asarray(image.crop((left, top, left + crop, top + crop)), dtype=np.float32)
    values = (values * np.float32(how["rescale"]) - np.float32(how["mean"])) / np.float32(how["std"])
    return values.transpose(2, 0, 1)


def probabilities(pixels):
    return session.run(["probabilities"], {"pixel_values": pixels})[0].tolist()


ours = np.fromfile(question["pixels"], dtype="<f4").reshape(question["shape"])
own = [probabilities(preprocess(path)[None])[0] for path in question["pictures"]]
print(json.dumps({"ours": probabilities(ours), "own": own}))
