"""Makes golden.json: ConfigProto as TensorFlow's own classes write it. `python make.py`, with any TensorFlow."""
import json
import pathlib

from tensorflow.core.protobuf import config_pb2


def settings(threads):
    message = config_pb2.ConfigProto(
        intra_op_parallelism_threads=threads,
        inter_op_parallelism_threads=-1,
        gpu_options=config_pb2.GPUOptions(allow_growth=True),
        allow_soft_placement=True,
    )
    return message.SerializeToString(deterministic=True).hex()


golden = {str(threads): settings(threads) for threads in (1, 2, 127, 128, 300)}
pathlib.Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=2) + "\n")
