# There is no systemd: runs the node until the machine goes down. Whoever runs it holds `lock`.
set -eu
started=yes
if ! flock -n "$dir/lock" true; then
    [ -n "$changed" ] || exit 0
    # One that is too old for it is restarted.
    if "$program" node upgrade -q --dir "$dir" > /dev/null; then
        echo started=upgraded
        exit 0
    fi
    kill -TERM "$(cat "$dir/lock")"
    flock -w 60 "$dir/lock" true
    started=again
fi
log=$dir/serve.log
setsid nohup "$program" node serve --dir "$dir" > "$log" 2>&1 < /dev/null &
tries=0
until grep -q Ready "$log"; do
    tries=$((tries + 1))
    if ! kill -0 $! 2>/dev/null || [ $tries -gt 300 ]; then
        tail -n 3 "$log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "started=$started"
