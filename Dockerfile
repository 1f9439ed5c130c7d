# The gateway in a container: docker build --tag gateway .
#
# It runs as nobody who may do anything, keeps its store in the volume /var/lib/gateway, and reads
# /etc/gateway/gateway.toml, which is yours to mount. docs/production.md says more.

FROM python:3.13-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /build && python -m venv /opt/gateway
COPY deploy/build.lock deploy/requirements.lock deploy/
RUN /build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement deploy/build.lock
RUN /opt/gateway/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement deploy/requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
RUN /build/bin/hatchling build -t wheel -d dist && /opt/gateway/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index dist/*.whl
# What runs installs nothing.
RUN /opt/gateway/bin/pip uninstall --yes pip

FROM python:3.13-slim-bookworm
COPY --from=build /opt/gateway /opt/gateway
RUN install -d -m 700 -o 10001 -g 10001 /var/lib/gateway
ENV PATH=/opt/gateway/bin:/usr/local/bin:/usr/bin:/bin PYTHONFAULTHANDLER=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /var/lib/gateway
VOLUME /var/lib/gateway
EXPOSE 7600 7601
# To this machine the probes answer without a token. A large store may take its time to open.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5m CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7601/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["gateway"]
CMD ["serve", "--config", "/etc/gateway/gateway.toml"]
