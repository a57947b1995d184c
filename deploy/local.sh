#!/bin/bash
# What docs/deploy/ubuntu.md sets up, on this machine's loopback and free ports, to be tried out or tested: nginx with
# TLS, two web processes, a worker, PostgreSQL and Redis, each started again when it ends, as systemd does.
#
#     deploy/local.sh [FOLDER]
#
# Everything is kept in FOLDER, so that a second run goes on with it; without one in a new folder, removed at the end.
# Ctrl-C or TERM stops everything. Settings that are in the environment already, such as MAIL_URL, hold.
set -euo pipefail
umask 077

here=$(cd "$(dirname "$0")/.." && pwd)
postgresql=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort | tail -n 1)  # Debian has them in no PATH
PATH=$postgresql:$PATH:/usr/sbin
declare -A command_of process_of  # by the name of the service

main() {
    look_for_programs
    kept=${1:-}
    folder=$(realpath "${1:-$(mktemp --directory /tmp/referralhub.XXXXXX)}")
    trap stop_all EXIT
    mkdir -p "$folder"/{instance,redis,log,run}
    trap exit INT TERM HUP
    as_postgres=()
    if [ "$(id -u)" = 0 ]; then  # PostgreSQL refuses to be root, and nginx' workers are somebody else, too
        as_postgres=(--reuid postgres --regid postgres --init-groups)
        chmod a+x "$folder"
    fi
    write_settings
    start_all
    cat <<END

  ReferralHub is ready:  $BASE_URL/ (your browser does not know its certificate)
  Mail goes to:          ${MAIL_URL/file:/$INSTANCE_PATH/mail}
  Logs and process ids:  $folder/log, $folder/run
  A first admin, and any other command:
      ENVIRONMENT_FILE=$folder/settings.env deploy/flask users create-admin --username chief --email you@example.com
  Ctrl-C stops everything.

END
    watch
}

look_for_programs() {
    local missing=() each
    for each in nginx:nginx initdb:postgresql redis-server:redis-server openssl:openssl; do
        type -P "${each%:*}" > /dev/null || missing+=("${each#*:}")
    done
    if [ ${#missing[@]} != 0 ]; then
        echo "deploy/local.sh needs Debian's packages: apt-get install ${missing[*]}" >&2
        exit 1
    fi
    if [ ! -x "$here/.venv/bin/granian" ]; then
        echo "deploy/local.sh needs the program installed: make .venv/run" >&2
        exit 1
    fi
}

# Settings are made once, and kept: the key, the passwords, and the ports, which links in mail have in them.
write_settings() {
    local file=$folder/settings.env http https web_1 web_2 database redis password
    if [ ! -e "$file" ]; then
        for each in http https web_1 web_2 database redis; do choose_port "$each"; done
        password=$(openssl rand -hex 16)
        cat > "$file" <<END
SECRET_KEY=$(openssl rand -hex 32)
BASE_URL=https://localhost:$https
MAIL_URL='${MAIL_URL:-file:}'
DATABASE_URL=postgresql://referralhub:$password@127.0.0.1:$database/referralhub
REDIS_URL=redis://:$password@127.0.0.1:$redis/0
TRUSTED_PROXIES=${TRUSTED_PROXIES:-1}
INSTANCE_PATH=$folder/instance
PORTS="$http $https $web_1 $web_2 $database $redis"
PASSWORD=$password
END
    fi
    set -a
    . "$file"
    set +a
}

# Below those that the kernel lends to connections: none is taken while a process is away.
next_port=$((20000 + RANDOM % 10000))
choose_port() {
    while : $((next_port += 1)); (: < /dev/tcp/127.0.0.1/$next_port) 2> /dev/null; do :; done
    printf -v "$1" %s "$next_port"
}

start_all() {
    local http https web_1 web_2 database redis
    read -r http https web_1 web_2 database redis <<< "$PORTS"
    for each in $PORTS; do
        ! listens "$each" 2> /dev/null || { echo "deploy/local.sh: somebody listens on port $each already" >&2; exit 1; }
    done
    prepare_postgresql
    start postgresql "${as_postgres[@]}" postgres -D "$folder/postgresql" -p "$database" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories=
    write_redis > "$folder/redis/redis.conf"
    start redis redis-server "$folder/redis/redis.conf"
    create_database
    "$here/deploy/process" release
    start web-1 env HOST=127.0.0.1 PORT="$web_1" "$here/deploy/process" web
    start web-2 env HOST=127.0.0.1 PORT="$web_2" "$here/deploy/process" web
    start worker "$here/deploy/process" worker
    write_nginx
    start nginx nginx -e "$folder/log/nginx.log" -c "$folder/nginx/nginx.conf"
    wait_for "web-1 answers" answers "$web_1"
    wait_for "web-2 answers" answers "$web_2"
    wait_for "nginx listens" listens "$https"
}

prepare_postgresql() {
    [ -e "$folder/postgresql/PG_VERSION" ] && return
    install --directory --mode 0700 ${as_postgres:+--owner postgres} "$folder/postgresql"
    # bash hands the password on, as what root opened cannot be opened by another.
    (cd / && setpriv "${as_postgres[@]}" bash -c 'initdb --pwfile <(cat) "$@"' initdb --pgdata "$folder/postgresql" \
        --username postgres --encoding UTF8 --locale C.UTF-8 --auth scram-sha-256 <<< "$PASSWORD") > "$folder/log/initdb.log"
}

create_database() {
    local as_owner=(env PGPASSWORD="$PASSWORD" psql --quiet --no-psqlrc -h 127.0.0.1 -p "$database" -U postgres)
    wait_for "PostgreSQL answers" "${as_owner[@]}" -c "" postgres
    [ "$("${as_owner[@]}" -tAc "SELECT 1 FROM pg_database WHERE datname = 'referralhub'" postgres)" ] && return
    "${as_owner[@]}" -c "CREATE ROLE referralhub LOGIN PASSWORD '$PASSWORD'" postgres
    "${as_owner[@]}" -c "CREATE DATABASE referralhub OWNER referralhub" postgres
}

write_redis() {
    cat <<END
bind 127.0.0.1
port $redis
requirepass $PASSWORD
dir $folder/redis
appendonly yes
maxmemory 512mb
maxmemory-policy noeviction
END
}

# The shipped files as they are, but for names, ports and the place of the certificate.
write_nginx() {
    mkdir -p "$folder"/nginx/{site,temporary}
    rm -rf "$folder/nginx/referralhub"
    cp -R "$here/deploy/nginx" "$folder/nginx/referralhub"
    [ -e "$folder/nginx/fullchain.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc \
        -keyout "$folder/nginx/privkey.pem" -out "$folder/nginx/fullchain.pem" -days 365 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2> /dev/null
    sed -i "s/127.0.0.1:8001/127.0.0.1:$web_1/; s/127.0.0.1:8002/127.0.0.1:$web_2/" "$folder/nginx/referralhub/upstream.conf"
    sed -e "/listen \[::\]/d; s/listen 80/listen 127.0.0.1:$http/; s/listen 443/listen 127.0.0.1:$https/" \
        -e "s|/etc/letsencrypt/live/refer.example.com|$folder/nginx|; s|/var/www/html|$folder/nginx|" \
        -e "s|https://\$server_name|$BASE_URL|; s/refer.example.com/localhost/" \
        "$here/deploy/nginx/referralhub.conf" > "$folder/nginx/site/referralhub"
    cat > "$folder/nginx/nginx.conf" <<END
daemon off;
pid $folder/run/nginx.master;
worker_processes auto;
$([ "$(id -u)" != 0 ] || echo "user www-data;")
events { worker_connections 4096; }
http {
    client_body_temp_path $folder/nginx/temporary/body;
    proxy_temp_path $folder/nginx/temporary/proxy;
    fastcgi_temp_path $folder/nginx/temporary/fastcgi;
    uwsgi_temp_path $folder/nginx/temporary/uwsgi;
    scgi_temp_path $folder/nginx/temporary/scgi;
    include site/*;
}
END
    [ "$(id -u)" != 0 ] || chmod a+x "$folder"/nginx{,/temporary}
}

# start NAME [OPTION-OF-SETPRIV …] COMMAND …: in a group of its own, so that it can be ended whole, and asked to stop by
# the kernel should this script be killed.
start() {
    local name=$1
    shift
    command_of[$name]=$(printf '%q ' "$@")
    begin "$name"
}

begin() {
    local name=$1
    eval "cd / && exec setsid setpriv --pdeathsig TERM ${command_of[$name]}" >> "$folder/log/$name.log" 2>&1 < /dev/null &
    process_of[$name]=$!
    echo $! > "$folder/run/$name"
}

# Start again what ends, and end what a killed one left behind first: nginx' workers would keep its port.
watch() {
    local name ended
    while :; do
        wait -n -p ended 2> /dev/null || :  # bash has words of its own for who was killed
        for name in "${!process_of[@]}"; do
            if [ "${process_of[$name]}" = "${ended:-}" ]; then
                echo "  $name ended, and is started again"
                end_group KILL "$name"
                sleep 0.5
                begin "$name"
            fi
        done
    done
}

# Nobody is let in any more, those who are in are answered, and then what the answers are made of goes.
stop_all() {
    trap "" INT TERM HUP
    stop QUIT nginx
    stop TERM web-1 web-2 worker
    stop INT redis postgresql
    [ -n "$kept" ] || rm -rf "$folder"
}

stop() {
    local signal=$1 name
    shift
    for name; do [ -z "${process_of[$name]:-}" ] || kill -"$signal" "${process_of[$name]}" 2> /dev/null || :; done
    for name; do
        for _ in {1..150}; do runs "$name" || break; sleep 0.1; done
        end_group KILL "$name"
    done
}

runs() { [ -n "${process_of[$1]:-}" ] && kill -0 "${process_of[$1]}" 2> /dev/null; }
end_group() { [ -z "${process_of[$2]:-}" ] || kill -"$1" -- "-${process_of[$2]}" 2> /dev/null || :; }

wait_for() {
    local what=$1
    shift
    for _ in {1..300}; do "$@" > /dev/null 2>&1 && return; sleep 0.1; done
    echo "deploy/local.sh: after 30 s still not: $what (see $folder/log)" >&2
    exit 1
}

listens() { (: < "/dev/tcp/127.0.0.1/$1"); }
answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1" && printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3 && read -r -t 5 <&3); }

main "$@"; exit
