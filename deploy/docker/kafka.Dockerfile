# Kafka of one node, to try things out: the broker's jars from Maven, without command line tools.
# Built from the root of the project: docker build -f deploy/docker/kafka.Dockerfile -t latecomer/kafka:0.1.0 .

# A release names them by digest: deploy/release.sh.
ARG DEBIAN=debian:bookworm-slim
ARG JAVA=eclipse-temurin:17-jre-jammy

# The same line as in the image of the job, so a builder runs it once.
FROM ${DEBIAN} AS jars
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils maven openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/*
COPY dataflows/kafka_broker/pom.xml /source/pom.xml
RUN --mount=type=cache,target=/root/.m2/repository \
    mvn --batch-mode --strict-checksums --quiet --file /source/pom.xml dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory=/opt/kafka

FROM ${JAVA}
COPY --from=jars /opt/kafka /opt/kafka
COPY --chmod=755 deploy/docker/kafka-entrypoint.sh /kafka-entrypoint.sh
ENV KAFKA_HEAP="-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
WORKDIR /tmp
USER 10002:10002
ENTRYPOINT ["/kafka-entrypoint.sh"]
CMD ["/etc/kafka/server.properties"]
LABEL org.opencontainers.image.title="Kafka of one node for latecomer, to try things out" org.opencontainers.image.licenses="Apache-2.0"
