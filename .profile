# Heroku reads this at the start of each dyno. The certificate of its Key-Value Store is signed by nobody, and REDIS_URL is
# the add-on's to write, so that what takes such a certificate is added here.
case "${DYNO:+$REDIS_URL}" in
    rediss://*\?*) ;;
    rediss://*) export REDIS_URL="$REDIS_URL?ssl_cert_reqs=none" ;;
esac
