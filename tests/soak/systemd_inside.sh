# What tests/soak/systemd.sh runs in the machine that it has booted; the argument is the folder they share.
set -euo pipefail
work=$1
# Nothing else is here: any port is free.
sshd=2222 http=8000 other=8001
trap 'echo "failed: line $LINENO"' ERR
die() { printf 'failed: %s\n' "$*"; exit 1; }
mkdir -p "$work/home" /run/sshd "$work/bin"
echo "booted: Linux $(uname -r), systemd $(systemctl show -p Version --value), control groups of $(cat /sys/fs/cgroup/cgroup.controllers)"

cat > "$work/sshd_config" <<CONF
Port $sshd
ListenAddress 127.0.0.1
HostKey $work/host
AuthorizedKeysFile $work/mine.pub
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
CONF
echo "[127.0.0.1]:$sshd $(cat "$work/host.pub")" > "$work/known"
printf '#!/bin/sh\nexec /usr/bin/ssh -F none -o IdentitiesOnly=yes -o UserKnownHostsFile=%s -i %s "$@"\n' \
    "$work/known" "$work/mine" > "$work/bin/ssh"
chmod 755 "$work/bin/ssh"
systemd-run --quiet --unit=trial-sshd --property=DefaultDependencies=no /usr/sbin/sshd -D -f "$work/sshd_config"
for _ in $(seq 100); do (: < "/dev/tcp/127.0.0.1/$sshd") 2>/dev/null && break; sleep 0.1; done

mine() { env PATH="$work/bin:$PATH" "$work/dae" "$@"; }
init() { mine remote init "ssh://root@127.0.0.1:$sshd" --name box --domain apps.localhost --listen "127.0.0.1:$http" 2>&1; }
init
echo "again: $(init)"
systemctl show dae -p ActiveState -p UnitFileState -p Delegate

answers() { # PORT UNIT
    for _ in $(seq 600); do
        if said=$(curl -fs --max-time 20 -H "Host: trial.apps.localhost" "http://127.0.0.1:$1/"); then
            echo "the app answers, from $said"
            return
        fi
        sleep 0.2
    done
    journalctl -u "$2" -o cat --no-pager | tail -30
    die "the app does not answer"
}
is_held() { # UNIT
    journalctl -u "$1" -o cat --no-pager | grep "isolation:" | tail -1
    if grep -qE 'cpu|memory|pids' /sys/fs/cgroup/cgroup.controllers; then
        case $said in */"$1.service/dae-apps/trial") ;; *) die "the app is in no group of its own: $said" ;; esac
    fi
}
(cd "$work/app" && mine -q deploy)
answers $http dae
is_held dae

for who in guardian node; do
    main=$(systemctl show dae -p MainPID --value)
    killed=$main
    if [ $who = node ]; then killed=$(cat /srv/dae/lock); fi
    kill -9 "$killed"
    for _ in $(seq 600); do
        now=$(systemctl show dae -p MainPID --value)
        [ "$now" != 0 ] && [ "$now" != "$main" ] && break
        sleep 0.1
    done
    answers $http dae
    echo "killed: the $who; systemd has started it $(systemctl show dae -p NRestarts --value) times"
done
main=$(systemctl show dae -p MainPID --value)
node=$(cat /srv/dae/lock)
restarts=$(systemctl show dae -p NRestarts --value)
systemctl reload dae
answers $http dae
[ "$(systemctl show dae -p MainPID,NRestarts --value | xargs)" = "$main $restarts" ] || die "the reload restarted it"
[ "$(cat /srv/dae/lock)" != "$node" ] || die "the reload changed nothing"
is_held dae
echo "reloaded: another process is the node, $(systemctl show dae -p ActiveState --value)"

systemctl restart dae
answers $http dae
is_held dae
systemctl stop dae
if [ -d /sys/fs/cgroup/system.slice/dae.service ]; then die "its group is still there after the stop"; fi
if curl -fs "http://127.0.0.1:$http/" > /dev/null; then die "it answers after the stop"; fi
echo "stopped: $(systemctl show dae -p Result --value), and nothing is left"

# The same of somebody who is not root.
useradd --system --create-home --home-dir /srv/other other
token=$(runuser -u other -- /usr/local/bin/dae node init --json --dir /srv/other/node --domain apps.localhost \
    --listen "127.0.0.1:$other" | python3 -c 'import json, sys; print(json.loads(sys.stdin.readlines()[-1])["token"])')
/usr/local/bin/dae node render systemd --dir /srv/other/node --user other > /etc/systemd/system/other.service
systemctl daemon-reload
systemctl start other
for _ in $(seq 600); do (: < "/dev/tcp/127.0.0.1/$other") 2>/dev/null && break; sleep 0.1; done
DAE_TOKEN=$token mine -q remote add other "http://127.0.0.1:$other"
(cd "$work/app" && mine -q deploy --remote other)
answers $other other
is_held other
systemctl stop other
echo good
