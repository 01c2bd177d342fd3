#!/bin/bash
# kafka-entrypoint.sh PROPERTIES: runs the broker; on first use it makes the folder of its data.
set -euo pipefail
read -ra heap <<<"$KAFKA_HEAP"
java=(/opt/java/openjdk/bin/java "${heap[@]}" -cp '/opt/kafka/*')
folder=$(sed -n 's/^log\.dirs=//p' "$1")
if [ ! -e "$folder/meta.properties" ]; then
  id=$(od -An -N11 -tx1 /dev/urandom | tr -d ' \n')  # any 22 characters of base64 are an id
  "${java[@]}" kafka.tools.StorageTool format --cluster-id "$id" --config "$1"
fi
exec "${java[@]}" kafka.Kafka "$1"
