from typing import Any

from flask.views import MethodView

from app.api.schemas.tenancy import IdentitySchema
from app.web.blueprint import Blueprint
from app.web.state import request_context
from tenancy.actions import Action

blp = Blueprint("identity", __name__, description="Who a key speaks for")


@blp.route("/me")
class Identity(MethodView):
    @blp.operation(action=Action.IDENTITY_READ, returns=IdentitySchema)
    def get(self) -> dict[str, Any]:
        principal = request_context().principal
        return {
            "key_id": principal.key_id,
            "environment": principal.environment,
            "project": principal.project,
            "member": principal.member,
            "role": principal.role.label if principal.role else None,
            "scopes": sorted(principal.scopes),
            "expires_at": principal.expires_at,
            "operator": principal.is_operator,
        }
