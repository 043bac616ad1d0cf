from uuid import UUID

from flask.views import MethodView

from app.api.schemas.tenancy import ShareOfferSchema, SharePageSchema, ShareSchema
from app.web.blueprint import Blueprint
from app.web.schemas import PageQuery
from app.web.state import current_container, request_context
from infra.database.paging import Page, PageRequest
from tenancy.actions import Action
from tenancy.shares.service import OfferShare, ShareInfo

blp = Blueprint("shares", __name__, description="Shares between projects")


@blp.route("/projects/<project>/shares")
class Shares(MethodView):
    @blp.operation(action=Action.SHARE_LIST, query=PageQuery, returns=SharePageSchema)
    def get(self, page: PageRequest, project: str) -> Page[ShareInfo]:
        return current_container().shares.list_shares(request_context(), project, page)

    @blp.operation(action=Action.SHARE_OFFER, body=ShareOfferSchema, returns=ShareSchema, status=201)
    def post(self, command: OfferShare, project: str) -> ShareInfo:
        return current_container().shares.offer(request_context(), project, command)


@blp.route("/projects/<project>/shares/<uuid:share_id>")
class Share(MethodView):
    @blp.operation(action=Action.SHARE_END, status=204)
    def delete(self, project: str, share_id: UUID) -> None:
        current_container().shares.end(request_context(), project, share_id)


@blp.route("/projects/<project>/shares/<uuid:share_id>/accept")
class ShareAcceptance(MethodView):
    @blp.operation(action=Action.SHARE_ANSWER, returns=ShareSchema)
    def post(self, project: str, share_id: UUID) -> ShareInfo:
        return current_container().shares.accept(request_context(), project, share_id)


@blp.route("/projects/<project>/shares/<uuid:share_id>/decline")
class ShareRefusal(MethodView):
    @blp.operation(action=Action.SHARE_ANSWER, returns=ShareSchema)
    def post(self, project: str, share_id: UUID) -> ShareInfo:
        return current_container().shares.decline(request_context(), project, share_id)
