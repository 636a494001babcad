#!/bin/sh
# Installs Debian packages of servers, as root, and leaves no server running or enabled that was not before.
# usage: install_packages.sh package...
set -eu
exec 2>&1

policy=/usr/sbin/policy-rc.d
saved=$policy.before-gatehouse
no_cluster=/etc/postgresql-common/createcluster.d/gatehouse.conf

# One installation at a time on this machine.
exec 9>/run/lock/gatehouse-install
flock 9

enabled_units() {
    find /etc/systemd/system -path '*.wants/*' \( -name '*.service' -o -name '*.socket' \) 2>/dev/null |
        sed 's|.*/||' | sort -u
}

disable_unit() {
    if command -v systemctl >/dev/null; then
        systemctl disable --quiet "$1"
    else # packages make these links also where systemd is not installed
        find /etc/systemd/system -path '*.wants/*' -name "$1" -delete
    fi
}

restore() {
    rm -f "$policy" "$no_cluster" "$enabled_before"
    if [ -e "$saved" ]; then mv "$saved" "$policy"; fi
    # Ours only while they are empty: the package owns what else is there.
    rmdir /etc/postgresql-common/createcluster.d /etc/postgresql-common 2>/dev/null || true
}

# A run that was killed has left its policy here; the machine's own, if it had one, is the saved one.
if grep -qs 'put here by gatehouse' "$policy"; then rm "$policy"; fi
if [ -e "$policy" ]; then mv "$policy" "$saved"; fi
enabled_before=$(mktemp)
trap restore EXIT
trap 'exit 1' HUP INT TERM

# Debian starts what it installs; this asks it not to.
printf '#!/bin/sh\n# put here by gatehouse while it installs packages\nexit 101\n' >"$policy"
chmod 755 "$policy"
# PostgreSQL's package makes a cluster "main"; this asks it not to.
mkdir -p "${no_cluster%/*}"
echo 'create_main_cluster = false' >"$no_cluster"

enabled_units >"$enabled_before"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"

for unit in $(enabled_units | comm -13 "$enabled_before" -); do
    disable_unit "$unit"
done
