# The Flink job: Flink and a Java of the modules it needs, Python and its packages, the project, Kafka's connector.
# Built from the root of the project: docker build -f deploy/docker/flink-job.Dockerfile -t latecomer/flink-job:0.1.0 .

# A release names them by digest: deploy/release.sh.
ARG DEBIAN=debian:bookworm-slim

# The small Java part of the job, the connector, and the Java to run on. The images that Maven takes part in install it by the
# same line, so a builder runs it once.
FROM ${DEBIAN} AS java
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils maven openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/*
RUN jlink --output /opt/java --strip-debug --no-header-files --no-man-pages --compress=2 --add-modules \
    java.base,java.compiler,java.desktop,java.instrument,java.logging,java.management,java.management.rmi,java.naming,java.net.http,java.prefs,java.rmi,java.scripting,java.security.jgss,java.security.sasl,java.sql,java.transaction.xa,java.xml,java.xml.crypto,jdk.charsets,jdk.crypto.cryptoki,jdk.crypto.ec,jdk.httpserver,jdk.jcmd,jdk.jfr,jdk.management,jdk.naming.dns,jdk.net,jdk.security.auth,jdk.security.jgss,jdk.unsupported,jdk.zipfs
COPY pom.xml /source/
COPY dataflows/flink_job/java/pom.xml /source/dataflows/flink_job/java/
COPY dataflows/flink_job/java/src/main /source/dataflows/flink_job/java/src/main
RUN --mount=type=cache,target=/root/.m2/repository \
    mvn --batch-mode --strict-checksums --quiet --file /source/dataflows/flink_job/java/pom.xml package -Dmaven.test.skip=true

# A Python with a compiler, and an environment that is still empty.
FROM ${DEBIAN} AS venv
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils gcc libc6-dev python3.11-dev python3.11-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3.11 -m venv /opt/venv

# Flink, as its Python package brings it, and the Python packages of the job.
FROM venv AS python
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/flink.txt /source/requirements/
# Flink in its own folder, without what our job does not use: the SQL planner, Scala, the other reporters. Then the
# Python packages without the other engine, what Beam would reach other stores by, tests and headers; grpcio-tools compiles
# schemas of Protobuf. In one step: a layer with all of it would be a gigabyte larger, and compiled is what stays.
RUN --mount=type=cache,target=/root/.cache/pip \
    site=/opt/venv/lib/python3.11/site-packages \
    && pip install --no-compile --require-hashes --requirement /source/requirements/flink.txt \
    && mkdir /opt/flink \
    && mv $site/pyflink/bin $site/pyflink/conf $site/pyflink/lib $site/pyflink/opt $site/pyflink/plugins /opt/flink \
    && cd /opt/flink \
    && rm -r $site/pyflink/examples $site/pyflink/log lib/flink-cep-* lib/flink-csv-* lib/flink-json-* lib/flink-scala_* \
        lib/flink-table-planner-loader-* opt/flink-sql-client-* bin/sql-* bin/yarn-* bin/*zookeeper* conf/logback* \
    && find plugins -mindepth 1 -maxdepth 1 ! -name metrics-prometheus -exec rm -r {} + \
    && ln -s ../opt/"$(basename opt/flink-python-*.jar)" lib/ \
    && chmod +x bin/*.sh bin/flink \
    && pip uninstall --yes bytewax polars polars-runtime-32 dnspython docopt fasteners hdfs pydot pymongo redis \
    && rm -rf $site/pip $site/pip-* $site/setuptools $site/setuptools-* $site/_distutils_hack $site/distutils-precedence.pth \
        $site/pyarrow/include $site/numpy/_core/include \
    && find $site -type d -name tests -prune -exec rm -r {} + \
    && find $site -name '*.pyx' -delete -o -name '*.pxd' -delete -o -name '*.c' -delete \
    && find $site/apache_beam $site/fastavro $site/grpc $site/pandas $site/pyflink $site/zstandard -name '*.so' \
        -exec strip --strip-unneeded {} + \
    && python -m compileall -q $site

# The project, in a layer of its own: it changes most often. Its command names the Python that installs it, so that one stands
# where the image has its own.
FROM venv AS project
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

FROM ${DEBIAN}
# Flink's thread mode loads the shared library of Python.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libpython3.11 python3.11-minimal python3.11 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 9999 flink && useradd --uid 9999 --gid 9999 --no-create-home --home-dir /tmp flink
COPY --from=java /opt/java /opt/java
COPY --from=python /opt/flink /opt/flink
COPY --from=python /opt/venv /opt/venv
COPY --from=java /source/dataflows/flink_job/jars /opt/flink/lib
COPY --from=project /opt/latecomer /opt/latecomer
COPY --chmod=755 deploy/docker/flink-entrypoint.sh /docker-entrypoint.sh
ENV FLINK_HOME=/opt/flink JAVA_HOME=/opt/java MALLOC_ARENA_MAX=2 PYTHONDONTWRITEBYTECODE=1 \
    PATH=/opt/venv/bin:/opt/latecomer/bin:/opt/flink/bin:/opt/java/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/latecomer PYTHONSAFEPATH=1
# Flink puts the current folder on the class path, so it must be one that nobody can write to.
WORKDIR /opt/flink
USER 9999:9999
ENTRYPOINT ["/docker-entrypoint.sh"]
LABEL org.opencontainers.image.title="Flink job of latecomer" org.opencontainers.image.licenses="Apache-2.0"
