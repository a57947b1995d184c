FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /app
COPY requirements.txt .
RUN uv venv --python /usr/local/bin/python .venv \
    && uv pip install --no-cache --compile-bytecode --require-hashes --requirement requirements.txt
COPY . .
RUN .venv/bin/python -m compileall -q referralhub migrations wsgi.py

FROM python:3.13-slim
# Whoever runs it writes to /data and /tmp alone: the rest of the file system may be read-only.
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin referralhub \
    && install --directory --owner referralhub --mode 0700 /data
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 PORT=8000 INSTANCE_PATH=/data
USER 10001
VOLUME ["/data", "/tmp"]
EXPOSE 8000
# Whether the process lives, not /readyz: while Redis or the database is away, a new container would be no better.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=2)"]
# Everything in one container; `deploy/process web` or `worker` is one process of it.
CMD ["python", "-m", "referralhub.launch"]
