# Both services in Java, one jar.
# Built from the root of the project: docker build -f deploy/docker/java-services.Dockerfile -t latecomer/java-services:0.1.0 .

# A release names them by digest: deploy/release.sh.
ARG DEBIAN=debian:bookworm-slim
ARG JAVA=eclipse-temurin:17-jre-jammy

# The same line as in the image of the job, so a builder runs it once.
FROM ${DEBIAN} AS jar
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils maven openjdk-17-jdk-headless \
    && rm -rf /var/lib/apt/lists/*
COPY pom.xml /source/
COPY protos /source/protos
COPY grpc_services/java/pom.xml /source/grpc_services/java/
COPY grpc_services/java/src/main /source/grpc_services/java/src/main
RUN --mount=type=cache,target=/root/.m2/repository \
    mvn --batch-mode --strict-checksums --quiet --file /source/grpc_services/java/pom.xml package -Dmaven.test.skip=true

FROM ${JAVA}
COPY --from=jar /source/grpc_services/java/target/latecomer-services.jar /opt/latecomer/latecomer-services.jar
ENV JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=60 -XX:+ExitOnOutOfMemoryError"
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["/opt/java/openjdk/bin/java", "-jar", "/opt/latecomer/latecomer-services.jar"]
CMD ["--help"]
LABEL org.opencontainers.image.title="Services of latecomer in Java" org.opencontainers.image.licenses="Apache-2.0"
