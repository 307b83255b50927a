#!/bin/sh
# Installs the Debian or Ubuntu packages that a node needs, and only those that are missing.
# With "build" as its argument also what building from source needs, with "test" also what the tests need.
set -eu

NODE="containerd runc crun containernetworking-plugins nftables iptables conntrack iproute2 kmod procps ca-certificates docker-registry"
BUILD="python3 python3-venv python3-dev gcc libc6-dev"
TEST="busybox-static etcd-server git curl"

wanted="$NODE"
for set in "$@"; do
    case "$set" in
    build) wanted="$wanted $BUILD" ;;
    test) wanted="$wanted $TEST" ;;
    *) echo "packages.sh: unknown set '$set' (build, test)" >&2; exit 2 ;;
    esac
done

missing=""
for package in $wanted; do
    case "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)" in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "packages.sh: this machine has no apt-get; install these by hand:$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "packages.sh: run as root (or with sudo) to install:$missing" >&2
    exit 1
fi
# Services that the packages would start are not ours to run: the cluster starts its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
if ! apt-get install -y -qq --no-install-recommends $missing >/tmp/cybernetes-packages.log 2>&1; then
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/tmp/cybernetes-packages.log 2>&1 || {
        tail -n 20 /tmp/cybernetes-packages.log >&2
        exit 1
    }
fi
