#!/bin/bash
# Starts the command that it is given. The operator brings Flink's configuration with it; without the operator it is made here, of
# folders with a file for each option (FLINK_OPTIONS) and for each file of logging (FLINK_LOGGING), as ConfigMaps are mounted.
set -euo pipefail
if [ -n "${FLINK_OPTIONS:-}" ]; then
  export FLINK_CONF_DIR=/tmp/flink-conf
  mkdir -p "$FLINK_CONF_DIR"
  [ -z "${FLINK_LOGGING:-}" ] || cp "$FLINK_LOGGING"/* "$FLINK_CONF_DIR"
  {
    for file in "$FLINK_OPTIONS"/*; do
      value=$(<"$file")
      printf "%s: '%s'\n" "${file##*/}" "${value//\'/\'\'}"
    done
    [ -z "${START_FROM:-}" ] || printf "execution.state-recovery.path: '%s'\n" "$START_FROM"
  } >"$FLINK_CONF_DIR/config.yaml"
fi
exec "$@"
