"""For WSGI servers: `gunicorn wsgi:application`. `oast serve` does the same with the settings' limits."""

from app.factory import create_app

application = create_app()
