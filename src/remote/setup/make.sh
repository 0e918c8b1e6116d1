# Makes the node where there is none, or one more token.
set -eu
if [ -e "$dir/node.yaml" ]; then
    "$program" node token --json --dir "$dir" --can admin
else
    mkdir -p "$(dirname "$dir")"
    "$program" node init --json --dir "$dir" --domain "$domain" --listen "$listen"
fi
