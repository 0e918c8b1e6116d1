#!/bin/sh
# Kills a beansdb server under load a thousand times (or as often as the first argument says), and looks after each for
# everything it acknowledged. What has to hold is in tests/it/beansdb.rs; a failure prints the seed (DAE_SEED=...).
set -eu
cd "$(dirname "$0")/../.."
DAE_KILLS="${1:-1000}" exec cargo test --test it -- beansdb::killed_at_random_moments --nocapture
