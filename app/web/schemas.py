"""What all schemas share: unknown fields are refused, and a body becomes a frozen command."""

from typing import Any, ClassVar

from marshmallow import RAISE, Schema, fields, post_load, validate

from infra.database.paging import DEFAULT_LIMIT, MAX_LIMIT, PageRequest


class CommandSchema(Schema):
    """Loads into `command`; lists become tuples, because commands are values."""

    command: ClassVar[type[Any]]

    class Meta:
        unknown = RAISE

    @post_load
    def _load_command(self, data: dict[str, Any], **_: Any) -> Any:
        return self.build(data)

    def build(self, data: dict[str, Any]) -> Any:
        """The command from the loaded fields."""
        return self.command(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


class PageQuery(CommandSchema):
    command = PageRequest

    limit = fields.Integer(load_default=DEFAULT_LIMIT, validate=validate.Range(1, MAX_LIMIT))
    cursor = fields.String(load_default=None)


def page_of(item: type[Schema]) -> type[Schema]:
    """The schema of a page of `item`."""
    name = item.__name__.removesuffix("Schema") + "PageSchema"
    return Schema.from_dict(
        {"items": fields.List(fields.Nested(item)), "next_cursor": fields.String(allow_none=True)}, name=name
    )


def text(limit: int, **options: Any) -> fields.String:
    """Free text without control characters other than line breaks and tabs."""
    allowed = validate.Regexp(
        r"\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]*\Z", error="Control characters are not allowed."
    )
    return fields.String(validate=[validate.Length(max=limit), allowed], **options)
