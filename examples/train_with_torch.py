"""A training dataset as a torch `IterableDataset`, read while it is used and shared among the workers of a DataLoader.

    import hops.featurestore as fs

    fs.connect("gateway.example.com", "football", secrets_store="secretsmanager")
    model = train(fs.iter_training_dataset("results", split="train", as_="numpy"), ["team_budget", "average_attendance"], "won")

For distributed training give each process its share first: `batches.shard(rank, world_size)`.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from hops.featurestore import TrainingBatches


class FeatureRows(IterableDataset):
    """Batches of (features, label) as float tensors; each worker reads its own share over a connection of its own."""

    def __init__(self, batches: TrainingBatches, features: Sequence[str], label: str) -> None:
        self._batches = batches
        self._features = list(features)
        self._label = label

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = get_worker_info()
        mine = self._batches if worker is None else self._batches.shard(worker.id, worker.num_workers)
        for batch in mine:
            columns = [torch.from_numpy(batch[name]).float() for name in self._features]
            yield torch.stack(columns, dim=1), torch.from_numpy(batch[self._label]).float()


def train(
    batches: TrainingBatches, features: Sequence[str], label: str, *, epochs: int = 3, workers: int = 0
) -> torch.nn.Module:
    """A logistic regression. The batches come ready from the dataset: the loader makes none of its own."""
    # Workers are forked: a connection holds a key, which is not sent to other processes.
    loader = DataLoader(
        FeatureRows(batches, features, label),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
    )
    model = torch.nn.Sequential(torch.nn.LazyLinear(1), torch.nn.Flatten(0))
    optimizer = None
    for _ in range(epochs):
        for inputs, expected in loader:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(model(inputs), expected)
            optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model
