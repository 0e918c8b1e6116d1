# The program comes in by stdin. It is tried before it takes its place.
set -eu
mkdir -p "$(dirname "$program")"
trap 'rm -f "$program.new"' EXIT
cat > "$program.new"
chmod 755 "$program.new"
"$program.new" --version > /dev/null
mv -f "$program.new" "$program"
