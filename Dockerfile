# Any image with python3 and its venv module will do.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:8d9d0b8bcf6506481eae4907c18f5e3e7902e629f5f6d684f9e7c32e85e3ddf0

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="polls" \
      org.opencontainers.image.description="The polls app of the Django tutorial, served by gunicorn"
ENV PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN groupadd --gid 10001 polls \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin polls
WORKDIR /srv/polls
COPY app/requirements.txt ./
# pip's configuration for the builder's network, for this step only. Neither it nor pip itself stays in a layer.
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf,required=false \
    --mount=type=secret,id=ca_bundle,target=/etc/ssl/certs/ca-certificates.crt,required=false \
    python3 -m venv /opt/venv \
    && pip install --no-cache-dir --only-binary :all: --require-hashes --requirement requirements.txt \
    && pip uninstall --yes pip
COPY app/ ./
# A key for this step only. chmod makes the modes independent of the umask with which the repository was cloned.
RUN DJANGO_SECRET_KEY=collectstatic python manage.py collectstatic --noinput --verbosity 0 \
    && python -m compileall -q . \
    && chmod -R a+rX,go-w .
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn"]
