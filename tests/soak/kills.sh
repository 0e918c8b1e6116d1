#!/bin/sh
# Kills clients and nodes at 200 random moments of a deploy each (or as often as the first argument says). Takes some ten
# minutes. What has to hold is in tests/it/node/kills.rs; a failure prints the seed that repeats it (DAE_SEED=...).
set -eu
cd "$(dirname "$0")/../.."
DAE_KILLS="${1:-200}" exec cargo test --test it -- killed_at_random_moments --nocapture
