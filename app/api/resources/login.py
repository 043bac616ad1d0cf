from typing import Any

from flask.views import MethodView

from app.api.schemas.login import AwsLoginSchema, SessionSchema
from app.web.blueprint import Blueprint
from app.web.clients import current_client
from app.web.state import current_container, current_state
from tenancy.role_bindings.login import LogIn

blp = Blueprint("login", __name__, description="Sessions for AWS roles")


@blp.route("/login/aws")
class AwsLogin(MethodView):
    @blp.public(body=AwsLoginSchema, returns=SessionSchema)
    def post(self, command: LogIn) -> dict[str, Any]:
        current_container().attempts.log_in(current_client())
        made = current_container().logins.log_in(command, current_state().request_id)
        return {**vars(made), "token": made.token.reveal()}
