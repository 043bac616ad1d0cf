"""When a job is due. Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.featurestore.jobs.errors import ScheduleNotValidError

_FIELDS = 5


def next_time(schedule: str, time_zone: str, after: datetime) -> datetime:
    """The first time later than `after`, in UTC. Raises ScheduleNotValidError.

    Times are those of clocks in `time_zone`: what falls into the hour that is skipped in spring runs when it ends, what falls
    into the repeated one in autumn runs once, as cron has it.
    """
    if len(schedule.split()) != _FIELDS:
        raise _not_valid(schedule)
    try:
        zone = ZoneInfo(time_zone)
    except (KeyError, OSError, ValueError) as error:
        raise ScheduleNotValidError(
            f"There is no time zone {time_zone[:64]!r}.", hint="Names are those of the IANA: Europe/Stockholm, UTC."
        ) from error
    try:
        times = (time.astimezone(UTC) for time in CronSim(schedule, after.astimezone(zone)))
        # Asked within the repeated hour, cronsim begins with a time of the first one: due in the past, it would be due for ever.
        return next(time for time in times if time > after)
    except (CronSimError, StopIteration) as error:
        raise _not_valid(schedule) from error


def _not_valid(schedule: str) -> ScheduleNotValidError:
    return ScheduleNotValidError(
        f"{schedule[:100]!r} is no time that ever comes.",
        hint='Five fields as in cron: minute, hour, day of month, month, day of week. "15 3 * * *" is 3:15 each night.',
    )
