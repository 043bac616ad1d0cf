"""A training dataset as a `tf.data.Dataset`: read through the gateway while it is used, or out of its TFRecord files.

import hops.featurestore as fs

fs.connect("gateway.example.com", "football", secrets_store="secretsmanager")
rows = streamed(fs.iter_training_dataset("results", split="train", as_="numpy"))
"""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from hops.featurestore import TrainingBatches


def streamed(batches: TrainingBatches) -> tf.data.Dataset:
    """Dicts of tensors, one batch each; text as bytes, None as empty text. Times are no tensors: leave them out by `columns=`."""
    signature = {
        name: tf.TensorSpec(each.shape, tf.string if each.dtype == "object" else each.dtype)
        for name, each in batches.signature.items()
    }

    def made() -> Any:
        for batch in batches:
            yield {name: _tensor(values, signature[name].dtype) for name, values in batch.items()}

    return tf.data.Dataset.from_generator(made, output_signature=signature)


def from_records(paths: Sequence[str], schema: Mapping[str, Any]) -> tf.data.Dataset:
    """Dicts of tensors, one row each; `schema` is what `fs.get_training_dataset_tf_record_schema` says of the dataset."""
    return tf.data.TFRecordDataset(list(paths)).map(lambda record: tf.io.parse_single_example(record, dict(schema)))


def _tensor(values: Any, dtype: tf.DType) -> Any:
    if dtype != tf.string:
        return values
    return [b"" if each is None else each for each in values]
