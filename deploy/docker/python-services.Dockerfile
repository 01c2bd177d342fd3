# Both services in Python, and the commands around them: produce, heartbeat, ask, the topics.
# Built from the root of the project: docker build -f deploy/docker/python-services.Dockerfile -t latecomer/python-services:0.1.0 .

FROM python:3.11-slim-bookworm AS packages
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/run.txt /source/requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes --requirement /source/requirements/run.txt
# Without the engine, Parquet, the makers of stubs, tests and headers.
RUN site=/opt/venv/lib/python3.11/site-packages \
    && pip uninstall --yes bytewax grpcio-tools polars polars-runtime-32 \
    && mkdir /opt/pip && mv $site/pip $site/pip-* /opt/pip \
    && rm -rf $site/setuptools $site/setuptools-* $site/_distutils_hack $site/distutils-precedence.pth \
        $site/numpy/_core/include \
    && find $site -type d -name tests -prune -exec rm -r {} +

# The project, apart: it changes more often than all else.
FROM packages AS project
COPY . /source
RUN --mount=type=cache,target=/root/.cache/pip \
    PYTHONPATH=/opt/pip python3 -m pip install --no-deps --compile --target /opt/latecomer /source

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 latecomer && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp latecomer
COPY --from=packages /opt/venv /opt/venv
COPY --from=project /opt/latecomer /opt/latecomer
ENV PATH=/opt/venv/bin:/opt/latecomer/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/opt/latecomer     PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["latecomer"]
CMD ["--help"]
