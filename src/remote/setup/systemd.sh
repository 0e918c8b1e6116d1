# Has systemd run the node, from the machine's start on.
set -eu
unit=/etc/systemd/system/dae.service
wanted=$("$program" node render systemd --dir "$dir")
if [ "$(cat "$unit" 2>/dev/null || true)" != "$wanted" ]; then
    printf '%s\n' "$wanted" > "$unit"
    systemctl daemon-reload
    echo unit=written
    # What runs, runs by the unit as it was.
    changed=unit
fi
systemctl enable --quiet dae
if ! systemctl is-active --quiet dae; then
    systemctl start dae
    echo started=yes
elif [ "$changed" = yes ] && "$program" node upgrade -q --dir "$dir" > /dev/null; then
    echo started=upgraded
elif [ -n "$changed" ]; then
    systemctl restart dae
    echo started=again
fi
