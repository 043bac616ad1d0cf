from marshmallow import Schema, fields

from app.featurestore.sql.reading import MAX_BYTES, Dialect
from app.featurestore.sql.service import SqlQuery
from app.web.schemas import CommandSchema, text


class SqlQuerySchema(CommandSchema):
    command = SqlQuery

    query = text(MAX_BYTES, required=True)
    featurestore = fields.String(allow_none=True)
    dialect = fields.Enum(Dialect, by_value=True, allow_none=True)


class ExplainedTableSchema(Schema):
    table = fields.String()
    project = fields.String()
    featurestore = fields.String()
    name = fields.String()
    version = fields.Integer()
    table_version = fields.Integer(allow_none=True)
    files = fields.Integer(allow_none=True)
    grant = fields.String()


class SqlExplanationSchema(Schema):
    sql = fields.String()
    dialect = fields.String()
    tables = fields.List(fields.Nested(ExplainedTableSchema))
    text = fields.String()
