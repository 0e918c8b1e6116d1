#!/usr/bin/env bash
# A machine for `dae remote init`: this one's own systemd, booted above a copy of its root that is thrown away, and reached by
# ssh. The node is set up twice, serves an app, is killed, stopped and started; then one of a user who is not root.
#
#     tests/soak/systemd.sh DAE            in namespaces: control groups as far as cgroup2 has controllers here
#     tests/soak/systemd.sh DAE LINUX_UML  in Linux as a program (Debian: user-mode-linux), where it has all of them
#
# As root; needs systemd, OpenSSH, curl, runuser, and a Python in /usr. Takes a minute or some, and nothing stays. With a third
# argument it runs that file inside instead, with bash, in the folder it shares with this one.
set -euo pipefail
dae=$(realpath "$1")
uml=${2:-}
# systemd empties /tmp when it starts.
work=$(mktemp -d -p /var/tmp dae-systemd.XXXXXX)
chmod 755 "$work"
group=
booted=
cleanup() {
    if [ -n "$booted" ]; then kill -9 -- "-$booted" 2>/dev/null || kill -9 "$booted" 2>/dev/null || true; wait "$booted" 2>/dev/null || true; fi
    for _ in $(seq 50); do
        [ -n "$group" ] && [ -d "$group" ] || break
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || true
        sleep 0.1
    done
    rm -rf "$work"
}
trap cleanup EXIT

# What is inside sees as it is now, and cannot change.
mkdir "$work/disk" "$work/app" "$work/cache"
cp "$dae" "$work/dae"
for key in host mine; do ssh-keygen -q -t ed25519 -N '' -f "$work/$key"; done
printf 'application: trial\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n' > "$work/app/app.yaml"
: > "$work/app/pip-req.txt"
cat > "$work/app/app.py" <<'APP'
def app(environ, start):
    start("200 OK", [])
    try:
        with open("/proc/self/cgroup", "rb") as file:
            return [file.read().splitlines()[-1]]
    except PermissionError:
        return [b"where landlock hides its group"]
APP
# The runtime set is fetched here: inside there is no network.
export HOME=$work XDG_CACHE_HOME=$work/cache
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$dae" -q -C "$work/app" package -o "$work/image"
cp "${3:-$(dirname "$0")/systemd_inside.sh}" "$work/inside"

cat > "$work/boot" <<'BOOT'
set -eu
work=$1
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mountpoint -q /proc || mount -t proc proc /proc
mount --make-rprivate / 2>/dev/null || true
if [ -n "${2:-}" ]; then
    # There is no insmod everywhere, and Python is. 313 is finit_module.
    python3 -c 'import ctypes, sys; l = ctypes.CDLL(None, use_errno=True); file = open(sys.argv[1])
sys.exit(l.syscall(313, file.fileno(), b"", 0) and ctypes.get_errno())' "$2"
fi
mount -t tmpfs -o mode=755 tmpfs "$work/disk"
cd "$work/disk"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root
cd root
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for device in null,1,3 zero,1,5 full,1,7 random,1,8 urandom,1,9 tty,5,0; do
    IFS=, read -r name major minor <<<"$device"
    mknod -m 666 "dev/$name" c "$major" "$minor"
done
mknod -m 600 dev/console c 5 1
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
said=/dev/console
if [ -n "${3:-}" ]; then
    said=/run/said
    : > "run/said"
    mount --bind "$3" run/said
fi
# Nothing of this machine's is to be mounted or started.
: > etc/fstab
cat > etc/systemd/system/trial.service <<UNIT
[Unit]
DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target
[Service]
Type=oneshot
TimeoutStartSec=infinity
Environment=HOME=$work/home XDG_CACHE_HOME=$work/cache
ExecStart=/bin/bash $work/inside $work
StandardOutput=append:$said
StandardError=inherit
UNIT
pivot_root . mnt
umount -l /mnt
exec env -i container=dae PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=trial.service --show-status=no --log-level=err
BOOT

: > "$work/said"
if [ -n "$uml" ]; then
    overlay=$(find "$(dirname "$(dirname "$(realpath "$uml")")")/lib/uml" -name overlay.ko | head -1)
    printf '#!/bin/sh\nexec /bin/bash %s/boot %s %s\n' "$work" "$work" "$overlay" > "$work/init"
    chmod 755 "$work/init"
    # Its processes are a group: they go together.
    setsid "$uml" mem=2G root=none rootfstype=hostfs rootflags=/ ro quiet init="$work/init" \
        con=null con0=null,fd:1 ssl=null < /dev/null > "$work/said" 2>&1 &
    booted=$!
else
    top=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$top" ] || { echo "cgroup2 is not mounted" >&2; exit 1; }
    # A group of its own, which it takes for the root of all.
    group=$top/dae-systemd-$$
    mkdir "$group"
    for name in cpu memory pids; do echo "+$name" 2>/dev/null > "$top/cgroup.subtree_control" || true; done
    (echo "$BASHPID" > "$group/cgroup.procs"; exec unshare --mount --pid --cgroup --ipc --uts --net --fork --kill-child \
        bash "$work/boot" "$work" '' "$work/said" < /dev/null >> "$work/said" 2>&1) &
    booted=$!
fi
# The last word is its own. What systemd paints meanwhile is left out.
tell() { sed -e 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\x1bM//g; s/\r//g' -e '/\] Job .* running/d'; }
word='^(\x1b\[K)?(good|failed)'
seen=0
until grep -qP "$word" "$work/said"; do
    kill -0 "$booted" 2>/dev/null || break
    sleep 0.5
    now=$(wc -c < "$work/said")
    # More may have come by now, which `tail` cannot hand on.
    tail -c +$((seen + 1)) "$work/said" | head -c $((now - seen)) | tell || true
    seen=$now
done
tail -c +$((seen + 1)) "$work/said" | tell
grep -qP '^(\x1b\[K)?good' "$work/said"
