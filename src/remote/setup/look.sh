# What is there already. Changes nothing.
say() { printf '%s=%s\n' "$1" "$2"; }
sudo=
if [ "$(id -u)" = 0 ]; then
    say power root
elif sudo -n true 2>/dev/null; then
    sudo='sudo -n'
    say power sudo
fi
say system "$(uname -s)"
say machine "$(uname -m)"
if [ -d /run/systemd/system ]; then say systemd yes; fi
# The nearest folder that is there decides whether others can be made in it.
writable() {
    at=$1
    while [ ! -e "$at" ]; do at=$(dirname "$at"); done
    [ -w "$at" ]
}
if writable "$(dirname "$program")" && writable "$dir"; then say writable yes; fi
say program "$($sudo sha256sum "$program" 2>/dev/null | cut -d ' ' -f 1)"
if $sudo test -e "$dir/node.yaml"; then say node yes; fi
