#!/bin/sh
# Installs the servers and the browser that the tests use, where they are missing and
# this is root on a Debian; elsewhere the tests say what they had to skip. With the argument "prove", also what
# tests/prove needs beyond them.
set -e

missing=""
command -v redis-server >/dev/null || missing="$missing redis-server"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
command -v cc >/dev/null || command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v curl >/dev/null || missing="$missing curl"
command -v chromium >/dev/null || missing="$missing chromium fonts-dejavu fonts-liberation"
if [ "$1" = prove ]; then
    command -v java >/dev/null || missing="$missing default-jre-headless"
    command -v npm >/dev/null || missing="$missing nodejs npm"
    command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
    command -v docker-compose >/dev/null || docker compose version >/dev/null 2>&1 || missing="$missing docker-compose"
    command -v openssl >/dev/null || missing="$missing openssl"
    command -v prometheus >/dev/null && command -v promtool >/dev/null || missing="$missing prometheus"
fi

[ -n "$missing" ] || exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
echo "Installing$missing …"
export DEBIAN_FRONTEND=noninteractive
# The Debian package would start a server and make a cluster of its own: the tests start theirs.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
apt-get update -qq
apt-get install -qq -y --no-install-recommends $missing >/dev/null
