# Both services in Python, and the commands around them: produce, heartbeat, ask, the topics.
# Built from the root of the project: docker build -f deploy/docker/python-services.Dockerfile -t latecomer/python-services:0.1.0 .

# A release names them by digest: deploy/release.sh.
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS packages
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/run.txt /source/requirements/
# Without the engine, Parquet, the stub generators, tests and headers: in one step, which makes a smaller layer; what stays is
# compiled.
RUN --mount=type=cache,target=/root/.cache/pip \
    site=/opt/venv/lib/python3.11/site-packages \
    && pip install --no-compile --require-hashes --requirement /source/requirements/run.txt \
    && pip uninstall --yes bytewax grpcio-tools polars polars-runtime-32 \
    && rm -rf $site/pip $site/pip-* $site/setuptools $site/setuptools-* $site/_distutils_hack $site/distutils-precedence.pth \
        $site/numpy/_core/include \
    && find $site -type d -name tests -prune -exec rm -r {} + \
    && python -m compileall -q $site

# The project, in a layer of its own: it changes most often. Its command names the Python that installs it, so that one stands
# where the image has its own.
FROM ${PYTHON} AS project
RUN python3 -m venv /opt/venv
COPY requirements/build.txt /source/requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/pip install --require-hashes --requirement /source/requirements/build.txt
COPY LICENSE README.md pyproject.toml /source/
COPY protos /source/protos
COPY window_core /source/window_core
COPY runtime /source/runtime
COPY grpc_services/__init__.py /source/grpc_services/
COPY grpc_services/python /source/grpc_services/python
COPY dataflows /source/dataflows
RUN /opt/venv/bin/pip wheel --no-build-isolation --no-deps --no-index --wheel-dir /wheel /source \
    && /opt/venv/bin/pip install --no-deps --no-index --compile --target /opt/latecomer /wheel/*.whl

FROM ${PYTHON}
RUN groupadd --gid 10001 latecomer && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp latecomer
COPY --from=packages /opt/venv /opt/venv
COPY --from=project /opt/latecomer /opt/latecomer
ENV PATH=/opt/venv/bin:/opt/latecomer/bin:/usr/local/bin:/usr/bin:/bin PYTHONPATH=/opt/latecomer PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["latecomer"]
CMD ["--help"]
LABEL org.opencontainers.image.title="Services of latecomer in Python" org.opencontainers.image.licenses="Apache-2.0"
