"""Statistics of feature groups and training datasets: asking for them, reading them, comparing them."""

# ruff: noqa: PLR0917 - the argument lists are the original clients'

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Dict, List, Optional

from hops.featurestore.arguments import checked_name, checked_version, is_whole, plain, shown
from hops.featurestore.errors import GatewayError, InvalidInputError, StatisticsMissingError
from hops.featurestore.metadata import from_json
from hops.featurestore.runs import JobRun
from hops.featurestore.session import Operations, url_path
from hops.featurestore.statistics_options import statistics_options
from hops.featurestore.statistics_results import Drift, Statistics, StatisticsState
from hops.featurestore.transport import Request
from hops.featurestore.upload import command_request


class StatisticsOperations(Operations):
    def update_featuregroup_stats(
        self,
        featuregroup: str,
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
        descriptive_statistics: bool = True,
        feature_correlation: bool = True,
        feature_histograms: bool = True,
        cluster_analysis: bool = True,
        stat_columns: Optional[Sequence[str]] = None,
        num_bins: int = 20,
        corr_method: str = "pearson",
        num_clusters: int = 5,
        *,
        wait: bool = True,
        timeout: Optional[float] = None,
    ) -> JobRun:
        options = statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            corr_method, num_clusters,
        )  # fmt: skip
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "statistics")
        return self._update(path, options, wait, timeout)

    def update_training_dataset_stats(
        self,
        training_dataset: str,
        training_dataset_version: int = 1,
        featurestore: Optional[str] = None,
        descriptive_statistics: bool = True,
        feature_correlation: bool = True,
        feature_histograms: bool = True,
        cluster_analysis: bool = True,
        stat_columns: Optional[Sequence[str]] = None,
        num_bins: int = 20,
        corr_method: str = "pearson",
        num_clusters: int = 5,
        *,
        wait: bool = True,
        timeout: Optional[float] = None,
    ) -> JobRun:
        options = statistics_options(
            descriptive_statistics, feature_correlation, feature_histograms, cluster_analysis, stat_columns, num_bins,
            corr_method, num_clusters,
        )  # fmt: skip
        path = self._session.dataset_path(training_dataset, training_dataset_version, featurestore, "statistics")
        return self._update(path, options, wait, timeout)

    def get_featuregroup_statistics(
        self,
        featuregroup_name: str,
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        *,
        state: Optional[int] = None,
    ) -> Statistics:
        path = self._session.group_path(featuregroup_name, featuregroup_version, featurestore, "statistics")
        title = f"feature group {featuregroup_name}_{featuregroup_version}"
        update = _call("update_featuregroup_stats", featuregroup_name, featuregroup_version)
        return Statistics(title, update, self._read(path, state))

    def get_training_dataset_statistics(
        self,
        training_dataset_name: str,
        featurestore: Optional[str] = None,
        training_dataset_version: int = 1,
        *,
        state: Optional[int] = None,
    ) -> Statistics:
        path = self._session.dataset_path(training_dataset_name, training_dataset_version, featurestore, "statistics")
        title = f"training dataset {training_dataset_name}_{training_dataset_version}"
        update = _call("update_training_dataset_stats", training_dataset_name, training_dataset_version)
        return Statistics(title, update, self._read(path, state))

    def get_statistics_states(
        self, featuregroup: str, featurestore: Optional[str] = None, featuregroup_version: int = 1
    ) -> List[StatisticsState]:
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "statistics", "states")
        return [from_json(StatisticsState, each) for each in self._session.get(path)["items"]]

    def compare_statistics(
        self,
        featuregroup: str,
        *,
        old: Optional[int] = None,
        new: Optional[int] = None,
        featurestore: Optional[str] = None,
        featuregroup_version: int = 1,
        old_version: Optional[int] = None,
        training_dataset: Optional[str] = None,
        training_dataset_version: int = 1,
    ) -> Drift:
        group = self._side("feature_group", featuregroup, featuregroup_version, featurestore)
        later = {**group, **_state(new, "new")}
        if training_dataset is not None and old_version is not None:
            raise InvalidInputError(
                "old_version= and training_dataset= both say what is the earlier one: leave out one."
            )
        if training_dataset is not None:
            earlier = self._side("training_dataset", training_dataset, training_dataset_version, featurestore)
        elif old_version is not None:
            earlier = self._side("feature_group", featuregroup, old_version, featurestore)
        else:
            earlier = group
            old = self._state_before(featuregroup, featuregroup_version, featurestore, new) if old is None else old
        earlier = {**earlier, **_state(old, "old")}
        path = url_path("projects", self._session.project, "drift")
        answer = self._session.send("POST", path, {"old": earlier, "new": later}, repeatable=True)
        return Drift(f"{_title(earlier)} → {_title(later)}", answer)

    def ask_for_statistics(
        self, featuregroup: str, featuregroup_version: int, featurestore: Optional[str], options: Mapping[str, Any]
    ) -> None:
        """After an insert. That is done, so what goes wrong here is a warning: an error would have it done again."""
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "statistics")
        try:
            self._update(path, options, wait=False, timeout=None)
        except GatewayError as error:
            text = f"The rows were inserted, but these statistics are not computed: {error}"
            warnings.warn(text, UserWarning, stacklevel=3)

    def _update(self, path: str, options: Optional[Mapping[str, Any]], wait: bool, timeout: Optional[float]) -> JobRun:
        body = {} if options is None else {"options": options}
        run = JobRun(self._session, self._session.transport.json(command_request(path, body)))
        return run.wait(timeout) if wait else run

    def _read(self, path: str, state: Optional[int]) -> Any:
        return self._session.transport.json(Request("GET", path, query=_state(state, "state")))

    def _side(self, kind: str, name: str, version: int, featurestore: Optional[str]) -> Dict[str, Any]:
        project = self._session.owner_of(featurestore)
        named = {kind: checked_name(name, kind.replace("_", " ")), "version": checked_version(version)}
        return named if project == self._session.project else {**named, "project": project}

    def _state_before(self, name: str, version: int, featurestore: Optional[str], new: Optional[int]) -> int:
        known = [each.state for each in self.get_statistics_states(name, featurestore, version)]
        earlier = [state for state in known if new is None or state < new]
        earlier = earlier[1:] if new is None else earlier
        if not earlier:
            raise StatisticsMissingError(
                f"There is no earlier state of {name}_{version} with statistics to compare with.",
                hint="Statistics follow each insert; fs.get_statistics_states(…) tells of which states there are some.",
            )
        return earlier[0]


def _state(state: Any, argument: str) -> Dict[str, int]:
    number = plain(state)
    if number is None:
        return {}
    if is_whole(number) and number >= 0:
        return {"state": int(number)}
    raise InvalidInputError(
        f"{argument}={shown(state)} is no state.", hint="fs.get_statistics_states(…) tells which there are."
    )


def _call(function: str, name: str, version: int) -> str:
    return f"fs.{function}({name!r})" if version == 1 else f"fs.{function}({name!r}, {version})"


def _title(side: Mapping[str, Any]) -> str:
    name = side.get("feature_group") or side.get("training_dataset")
    state = f" in state {side['state']}" if "state" in side else ""
    return f"{name}_{side['version']}{state}"
