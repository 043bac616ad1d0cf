# syntax=docker/dockerfile:1
# The gateway, its worker and `oast` in one image: no compiler, no pip, no root. Build it with the digest of the base image:
#   docker build --build-arg PYTHON=python:3.11-slim-bookworm@sha256:… --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
#checkov:skip=CKV_DOCKER_7:The base image has a tag, in PYTHON, where this check does not look.
#checkov:skip=CKV_DOCKER_4:Only ADD fetches an address; what comes is compared with its digest where one is given.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG SOURCE_DATE_EPOCH=0
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1 SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH}
WORKDIR /build
RUN python -m venv --without-pip /opt/oasthouse
# What changes seldom first. Wheels only: nothing is compiled, and each has to be the one that the lock names.
COPY requirements/gateway.lock requirements/build.lock ./
RUN pip --python /opt/oasthouse/bin/python install --no-compile --require-hashes --only-binary :all: --requirement gateway.lock \
 && python -m venv /opt/build \
 && /opt/build/bin/pip install --require-hashes --only-binary :all: --requirement build.lock
COPY pyproject.toml README.md ./
COPY app app
COPY tenancy tenancy
COPY infra infra
# Without isolation: the build's own tools are locked, too. Compiled by content, so that no time of a file gets into the image.
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && pip --python /opt/oasthouse/bin/python install --no-compile --no-deps --no-index dist/*.whl \
 && /opt/oasthouse/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/oasthouse/lib

# The authorities of RDS's certificates, which no system has. Their digest is asked for where RDS_CA_SHA256 gives it.
FROM ${PYTHON} AS authorities
ARG RDS_CA_SHA256=
ADD https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /rds-ca.pem
RUN test -z "${RDS_CA_SHA256}" || echo "${RDS_CA_SHA256}  /rds-ca.pem" | sha256sum --check

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Oasthouse" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 oasthouse \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/oasthouse --shell /usr/sbin/nologin oasthouse \
 && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/oasthouse \
 && pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip
COPY --from=authorities --chmod=0444 /rds-ca.pem /etc/ssl/certs/rds-ca.pem
COPY --from=build /opt/oasthouse /opt/oasthouse
COPY --chmod=0555 docker_entrypoint.py /opt/oasthouse/docker_entrypoint.py
ENV PATH=/opt/oasthouse/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/oasthouse \
    TMPDIR=/var/lib/oasthouse/tmp \
    OAST_DATA_DIR=/var/lib/oasthouse \
    OAST_SERVER__HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/oasthouse
# All that is ever written: pepper, spool, spill. The rest may be mounted read-only.
VOLUME ["/var/lib/oasthouse"]
EXPOSE 8181
STOPSIGNAL SIGTERM
# Of a gateway; run a worker with `--no-healthcheck`.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8181/livez', timeout=4)"]
ENTRYPOINT ["python", "/opt/oasthouse/docker_entrypoint.py"]
CMD ["oast", "serve"]
