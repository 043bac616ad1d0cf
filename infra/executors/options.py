"""Fields of a program, as the operator wrote them, read into what an executor takes."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from infra.ports.executors import ProgramsNotValidError


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


OptionsT = TypeVar("OptionsT", bound=Options)


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


Text = Annotated[str, Field(min_length=1, max_length=4_096), AfterValidator(_without_nul)]
# TOML has lists; strict validation would want tuples.
Texts = Annotated[tuple[Text, ...], Field(strict=False, max_length=100)]
Words = Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=100)]


def read_options(options: type[OptionsT], fields: Mapping[str, Any]) -> OptionsT:
    try:
        return options.model_validate(dict(fields))
    except ValidationError as error:
        wrong: list[dict[str, object]] = [
            {"field": ".".join(map(str, each["loc"])), "message": each["msg"].removeprefix("Value error, ")}
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        # Not chained: the error carries what was written, and somebody may have written a token.
        raise ProgramsNotValidError("Some fields are not valid.", errors=wrong) from None
