"""What there is: feature stores, feature groups, features, training datasets and their versions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import List, Optional

from hops.featurestore.arguments import checked_name
from hops.featurestore.metadata import FeatureGroup, FeatureStoreMetadata, TrainingDataset
from hops.featurestore.session import Operations, url_path


class CatalogOperations(Operations):
    def project_featurestore(self) -> str:
        return self._session.featurestore

    def project_training_datasets_sink(self) -> str:
        return f"{self._session.project}_Training_Datasets"

    def get_project_featurestores(self) -> List[str]:
        return list(self._session.featurestores(update_cache=True))

    def get_featurestore_metadata(
        self, featurestore: Optional[str] = None, *, update_cache: bool = False
    ) -> FeatureStoreMetadata:
        if update_cache:
            self._session.featurestores(update_cache=True)
        owner = self._session.owner_of(featurestore)
        return FeatureStoreMetadata(
            featurestore=featurestore or self._session.featurestore,
            project=owner,
            featuregroups={group.versioned_name: group for group in self._groups(owner)},
            training_datasets={dataset.versioned_name: dataset for dataset in self._datasets(owner)},
        )

    def get_featuregroups(self, featurestore: Optional[str] = None) -> List[str]:
        return [group.versioned_name for group in self._groups(self._session.owner_of(featurestore))]

    def get_features_list(self, featurestore: Optional[str] = None) -> List[str]:
        groups = self._groups(self._session.owner_of(featurestore))
        return [feature.name for group in groups for feature in group.features]

    def get_training_datasets(self, featurestore: Optional[str] = None) -> List[str]:
        return [dataset.versioned_name for dataset in self._datasets(self._session.owner_of(featurestore))]

    def get_latest_featuregroup_version(self, featuregroup: str, featurestore: Optional[str] = None) -> int:
        groups = self._groups(self._session.owner_of(featurestore), checked_name(featuregroup, "feature group"))
        return max((group.version for group in groups), default=0)

    def get_latest_training_dataset_version(self, training_dataset: str, featurestore: Optional[str] = None) -> int:
        name = checked_name(training_dataset, "training dataset")
        datasets = self._datasets(self._session.owner_of(featurestore), name)
        return max((dataset.version for dataset in datasets), default=0)

    def get_featuregroup_features_list(
        self, featuregroup: str, version: Optional[int] = None, featurestore: Optional[str] = None
    ) -> List[str]:
        # An absent group has latest version 0; asking for version 1 lets the gateway say what is wrong, with candidates.
        version = version or self.get_latest_featuregroup_version(featuregroup, featurestore) or 1
        answer = self._session.get(self._session.group_path(featuregroup, version, featurestore))
        return [feature.name for feature in FeatureGroup.from_json(answer).features]

    def get_training_dataset_features_list(
        self, training_dataset: str, version: Optional[int] = None, featurestore: Optional[str] = None
    ) -> List[str]:
        version = version or self.get_latest_training_dataset_version(training_dataset, featurestore) or 1
        answer = self._session.get(self._session.dataset_path(training_dataset, version, featurestore))
        return [feature.name for feature in TrainingDataset.from_json(answer).features]

    def _groups(self, owner: str, name: Optional[str] = None) -> Iterator[FeatureGroup]:
        pages = self._session.pages(url_path("projects", owner, "feature-groups"), **({"name": name} if name else {}))
        return (FeatureGroup.from_json(each) for each in pages if name is None or each["name"] == name)

    def _datasets(self, owner: str, name: Optional[str] = None) -> Iterator[TrainingDataset]:
        pages = self._session.pages(
            url_path("projects", owner, "training-datasets"), **({"name": name} if name else {})
        )
        return (TrainingDataset.from_json(each) for each in pages if name is None or each["name"] == name)
