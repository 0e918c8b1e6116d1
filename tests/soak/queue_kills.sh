#!/usr/bin/env bash
# Kills the queue server a thousand times (or as often as the first argument says) while clients put jobs and do them.
set -euo pipefail
cd "$(dirname "$0")/../.."
DAE_QUEUE_KILLS=${1:-1000} exec cargo test --locked --test it queue::kills::no_acknowledged -- --nocapture
